"""From the address of a model to a folder on this computer: downloaded once, checked, and then offline.

The manifest comes first. It says which files there are, how large they are and what their SHA-256 is; the
others are held to it while they arrive. Nothing is in the cache before all of it is right.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from gene_gcn.errors import ArgumentError, OfflineWarning, warn
from gene_gcn.storage import download
from gene_gcn.storage.content_checks import is_html
from gene_gcn.storage.download import Answered, ProgressBar
from gene_gcn.storage.model_address import HubAddress, WebAddress, is_commit, parse_address
from gene_gcn.storage.model_cache import CachedModel, add_model, get_model, latest_model
from gene_gcn.storage.model_folder import is_zip_path
from gene_gcn.storage.model_manifest import (
    LARGEST_MANIFEST,
    MANIFEST_FILE,
    ModelFile,
    parse_manifest,
)
from gene_gcn.storage.model_zip import unpack, unpacked
from gene_gcn.storage.retries import DownloadError
from gene_gcn.storage.text_files import sha256_of

__all__ = ["local_model", "pull"]

COMMIT = "x-repo-commit"  # headers of the Hub
FILE_ETAG = "x-linked-etag"
REMEDY = "go online once, or download the model elsewhere and pass its folder"


@contextmanager
def local_model(path: str | os.PathLike[str], progress: bool | ProgressBar = False) -> Iterator[Path]:
    """Yield a folder with the files of a model, wherever it is.

    Parameters
    ----------
    path : str or path
        A folder; a zip archive of one (.zip), also on the web; the address of a folder on the web
        (``https://…/folder/``), or of a repository of the Hugging Face Hub
        (``hf://owner/name@revision/subfolder``). What is downloaded is kept in the cache. A version that is
        pinned, by a commit or by ``#sha256=``, is then not asked for again. For others, if the host cannot
        be asked, an OfflineWarning says that the model in the cache is used.
    progress : bool or ProgressBar

    Raises
    ------
    DownloadError
        The model cannot be downloaded and is not in the cache.
    ArgumentError
        What was downloaded differs from its manifest, from the commit or from what is pinned.
    """
    address = parse_address(path)
    if isinstance(address, HubAddress | WebAddress):
        yield pull(address, progress).folder
    elif is_zip_path(address) and address.is_file():
        with unpacked(address) as folder:
            yield folder
    else:
        yield Path(path)


def pull(address: HubAddress | WebAddress, progress: bool | ProgressBar = False) -> CachedModel:
    """Download a model into the cache, unless it is there; see `local_model`."""
    if isinstance(address, HubAddress):
        return _pull_from_hub(address, progress)
    return _pull_zip(address, progress) if address.is_zip else _pull_folder(address, progress)


# ---- the Hugging Face Hub ----


def _pull_from_hub(address: HubAddress, progress: bool | ProgressBar) -> CachedModel:
    if address.is_pinned and (model := get_model(address.source, address.revision)):
        return model
    token = address.token()
    with tempfile.TemporaryDirectory(prefix="gene_gcn-") as folder:
        file = Path(folder) / MANIFEST_FILE
        try:
            answer = _get_manifest(address.url(MANIFEST_FILE), file, token)
        except DownloadError as error:
            if _is_refused(error):
                _refuse_hub(address, token, error)
            return _fall_back(address.source, address.revision, error)
        commit = answer.headers.get(COMMIT, "")
        if not is_commit(commit):
            text = f"{address} does not say which commit it is; is {address.url('')} a mirror of the Hub?"
            raise DownloadError(text)
        _check_commit(address, address.revision if address.is_pinned else commit, answer)
        manifest = file.read_bytes()
    files = parse_manifest(manifest, address.url(MANIFEST_FILE))

    def write(folder: Path) -> None:
        (folder / MANIFEST_FILE).write_bytes(manifest)
        for name, entry in files.items():
            url = address.url(name, commit)
            answer = _get_file(url, folder / name, entry, token, progress)
            _check_commit(address, commit, answer)
            etag = answer.headers.get(FILE_ETAG, "").strip('"')
            if len(etag) == 64:  # of large files it is the SHA-256
                entry.check_digest(etag, url)

    return add_model(address.source, commit, address.revision, write)


def _check_commit(address: HubAddress, commit: str, answer: Answered) -> None:
    found = answer.headers.get(COMMIT, "none")
    if found != commit:
        text = f"{address}: the host answered with the commit {found[:40]!a} instead of {commit}; try again"
        raise DownloadError(f"{text}, or use another mirror.")


def _refuse_hub(address: HubAddress, token: str | None, error: DownloadError) -> NoReturn:
    place = (
        "another revision or folder" if address.revision != "main" or address.subfolder else "another name"
    )
    remedy = f"it may have {place}, or be private, for which HF_TOKEN must be set"
    if token is not None:
        remedy = f"it may have {place}, or HF_TOKEN gives no access to it"
    text = f"There is no model {address} ({str(error).rstrip('.')}); {remedy}."
    raise DownloadError(text, missing=True) from None  # its cause may show what was sent


# ---- folders and archives on the web ----


def _pull_folder(address: WebAddress, progress: bool | ProgressBar) -> CachedModel:
    if address.sha256 and (model := get_model(address.source, address.sha256)):
        return model
    url = address.url(MANIFEST_FILE)
    with tempfile.TemporaryDirectory(prefix="gene_gcn-") as folder:
        file = Path(folder) / MANIFEST_FILE
        try:
            _get_manifest(url, file, None)
        except DownloadError as error:
            if error.missing:
                raise
            return _fall_back(address.source, "", error)
        manifest, digest = file.read_bytes(), sha256_of(file)
    _check_pin(address, digest)
    files = parse_manifest(manifest, url)

    def write(folder: Path) -> None:
        (folder / MANIFEST_FILE).write_bytes(manifest)
        for name, entry in files.items():
            _get_file(address.url(name), folder / name, entry, None, progress)

    return add_model(address.source, digest, "", write)


def _pull_zip(address: WebAddress, progress: bool | ProgressBar) -> CachedModel:
    if address.sha256 and (model := get_model(address.source, address.sha256)):
        return model
    known = None if address.sha256 else latest_model(address.source, "")
    with tempfile.TemporaryDirectory(prefix="gene_gcn-") as folder:
        file = Path(folder) / "model.zip"
        try:
            version = known.host_version if known is not None else ""
            answer = download.download(address.source, file, remedy=REMEDY, known=version, progress=progress)
        except DownloadError as error:
            if error.missing:
                raise
            return _fall_back(address.source, "", error)
        if not answer.is_modified and known is not None:
            return known
        _refuse_page(address.source, file)
        digest = sha256_of(file)
        _check_pin(address, digest)

        def write(target: Path) -> None:
            try:
                unpack(file, target)
            except ArgumentError as error:
                text = str(error).replace(str(file), address.source)
                raise ArgumentError("path", text) from error

        return add_model(address.source, digest, "", write, answer.version)


def _check_pin(address: WebAddress, digest: str) -> None:
    if address.sha256 not in (None, digest):
        text = f"{address.source} has the SHA-256 {digest}, not {address.sha256}, which was asked for."
        raise ArgumentError("path", text)


# ---- files ----


def _get_manifest(url: str, file: Path, token: str | None) -> Answered:
    answer = download.download(url, file, remedy=REMEDY, largest=LARGEST_MANIFEST, token=token)
    _refuse_page(url, file)
    return answer


def _get_file(
    url: str, file: Path, entry: ModelFile, token: str | None, progress: bool | ProgressBar
) -> Answered:
    """Download a file of a model and hold it to the manifest."""
    largest = max(entry.size, LARGEST_MANIFEST)  # a page of an error is then said to be one
    answer = download.download(url, file, remedy=REMEDY, largest=largest, token=token, progress=progress)
    _refuse_page(url, file)
    entry.check_size(file.stat().st_size, url)
    entry.check_digest(sha256_of(file), url)
    return answer


def _refuse_page(url: str, file: Path) -> None:
    if is_html(file):
        text = f"{url} is a web page, not a file of a model. The download was discarded."
        raise DownloadError(text, missing=True)


def _is_refused(error: DownloadError) -> bool:
    """Return whether the host refuses the file to this user, or does not have it."""
    return error.missing or "access is denied" in str(error)


def _fall_back(source: str, revision: str, error: DownloadError) -> CachedModel:
    """Return what is in the cache, and say so; raise the error if nothing is."""
    model = latest_model(source, revision)
    if model is None:
        raise error
    what = f"{source} is taken from the cache ({model.date[:10]}), as its host could not be asked for a newer"
    warn(OfflineWarning(f"{what} version: {error}"))
    return model
