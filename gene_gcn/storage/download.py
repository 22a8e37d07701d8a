"""Access to the web: the only code of the package that goes online."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage import cache
from gene_gcn.storage.content_checks import check_content, is_html
from gene_gcn.storage.retries import DownloadError, RetryPolicy, with_retries
from gene_gcn.storage.text_files import sha256_of

if TYPE_CHECKING:
    from gene_gcn.storage.http_client import Pace

# Environment variables that name mirrors, and the hosts they replace.
HOSTS = {
    "GENE_GCN_STRING_URL": "https://stringdb-downloads.org/download",
    "GENE_GCN_STRING_API": "https://string-db.org/api",
    "GENE_GCN_BIOGRID_URL": "https://downloads.thebiogrid.org",
    "GENE_GCN_BIOGRID_API": "https://webservice.thebiogrid.org",
    "GENE_GCN_CL_URL": "https://github.com/obophenotype/cell-ontology/releases/download",
    "GENE_GCN_HCOP_URL": "https://storage.googleapis.com/public-download-files/hcop",
    "GENE_GCN_HF_URL": "https://huggingface.co",
    "HF_ENDPOINT": "https://huggingface.co",
}

RETRY_POLICY = RetryPolicy()


class ProgressBar(Protocol):
    """What a download needs of a progress bar."""

    total: int

    def update(self, n: int, /) -> Any: ...

    def reset(self) -> Any: ...

    def close(self) -> Any: ...


def base_url(variable: str, given: str | None = None) -> str:
    """Return the address of a host, without a final slash.

    Parameters
    ----------
    variable : str
        Environment variable that names a mirror, one of `HOSTS`.
    given : str, optional
        Address that replaces both the variable's and the default one.

    Raises
    ------
    ArgumentError
        If the address does not start with ``https://`` or ``http://``.
    """
    url = (given or os.environ.get(variable) or HOSTS[variable]).rstrip("/")
    if urlsplit(url).scheme not in ("https", "http") or not urlsplit(url).hostname:
        name = Argument("base_url", url) if given else f"The environment variable {variable}={url!r}"
        raise ArgumentError("base_url", name, f" is not a web address; the default is {HOSTS[variable]}.")
    return url


def fetch(
    url: str,
    name: str,
    *,
    check: Callable[[Path], Any] | None = None,
    known_hash: str | None = None,
    progress: bool | ProgressBar = False,
    largest_unannounced: int | None = None,
    **metadata: Any,
) -> Path:
    """Return a file of the cache, downloading it first if it is absent.

    A download is accepted if it has the announced length, is neither empty nor a web page, its gzip or zip
    structure is intact, and `check` accepts it. Transient failures (no connection, 429, 5xx) are retried, see
    :class:`RetryPolicy`, which also limits the time, the size, and what a compressed file may unpack to.
    Redirects to plain http are refused, except on the same host if `url` itself is plain http, as that of a
    mirror can be.

    Parameters
    ----------
    url : str
        Address of the file.
    name : str
        Its path in the cache folder; :func:`gene_gcn.storage.cache.get_file` describes how files are written
        and verified.
    check : callable, optional
        Called with the path of the new file; raises ValueError if the file is not as expected.
    known_hash : str, optional
        SHA-256, as hex, that the file must have; None if none is published.
    progress : bool or ProgressBar
        True shows a progress bar, which needs tqdm.
    largest_unannounced : int, optional
        Bytes to accept of a file whose length the host does not announce; by default those of the policy.
    **metadata
        What else to record about the file.

    Returns
    -------
    Path

    Raises
    ------
    DownloadError
        If the file cannot be downloaded or is damaged.
    OSError
        If it cannot be written, or has changed since it was downloaded.
    """

    def check_file(path: Path) -> None:
        check_content(path, RETRY_POLICY)
        if known_hash is not None and (found := sha256_of(path)) != known_hash:
            raise ArgumentError("known_hash", f"{path} has the SHA-256 {found}, not {known_hash}.")
        if check is not None:
            check(path)

    def make(path: Path) -> None:
        remedy = (
            "go online once, or download the file elsewhere and pass its path "
            f"(or save it as {cache.cache_folder() / name})"
        )
        unannounced = RETRY_POLICY.largest_unannounced if largest_unannounced is None else largest_unannounced
        policy = replace(RETRY_POLICY, largest_unannounced=unannounced)
        with_retries(
            lambda pace: _download(url, path, progress, policy, pace), url, RETRY_POLICY, remedy=remedy
        )
        try:
            check_file(path)
        except ValueError as error:
            message = str(error).replace(str(path), url)
            raise DownloadError(f"{message} The download was discarded.", missing=is_html(path)) from error

    return cache.get_file(name, make, check=check_file, url=url, **metadata)


def request_text(url: str, data: Mapping[str, Any] | None = None, *, secret: str | None = None) -> str:
    """Return a page (GET), or a service's answer to a form (POST), with retries as in :func:`fetch`.

    Parameters
    ----------
    url : str
        The address.
    data : mapping, optional
        Fields of the form; None for a page.
    secret : str, optional
        A value in `data` that must stay secret: redirects to other hosts are refused, and errors do not show
        it.

    Returns
    -------
    str

    Raises
    ------
    DownloadError
        If there is no answer, or it is an error.
    """
    from gene_gcn.storage import http_client

    def request(pace: Pace) -> str:
        connect, read = RETRY_POLICY.connect, RETRY_POLICY.read
        with http_client.open_answer(
            url, data, pace=pace, connect=connect, read=read, secret=secret
        ) as answer:
            largest = RETRY_POLICY.largest_text
            body = b"".join(http_client.read_chunks(answer, largest, largest))
        return body.decode("utf-8", errors="replace")

    remedy = "go online and try again, or read a file with path="
    return with_retries(request, url, RETRY_POLICY, remedy=remedy, secret=secret)


@dataclass(frozen=True)
class Answered:
    """How a host answered a request for a file.

    Attributes
    ----------
    headers : dict of str to str
        By names in lower case. Where the host redirected, those of the first answer that has them count, as
        the Hugging Face Hub says of a file before it redirects to a host of others.
    is_modified : bool
        False if the file is the version that the caller has, so that nothing was downloaded.
    """

    headers: dict[str, str]
    is_modified: bool = True

    @property
    def version(self) -> str:
        """What the host says to tell versions of a file apart: its ETag, or its date; "" for nothing."""
        return self.headers.get("etag") or self.headers.get("last-modified", "")


def download(
    url: str,
    path: Path,
    *,
    remedy: str,
    largest: int | None = None,
    known: str = "",
    token: str | None = None,
    progress: bool | ProgressBar = False,
) -> Answered:
    """Download a file to a place of the caller's, with retries as in :func:`fetch`, and check nothing in it.

    Parameters
    ----------
    url : str
    path : Path
        A file to write, in a folder that exists.
    remedy : str
        What to do if it fails, for messages.
    largest : int, optional
        Bytes to accept; by default those of the policy.
    known : str
        The `Answered.version` that the caller has; if it is still that, nothing is downloaded.
    token : str, optional
        Sent to the host of `url`, to no other that it redirects to. Errors do not show it.
    progress : bool or ProgressBar

    Raises
    ------
    DownloadError
        If the file cannot be downloaded.
    """
    policy = RETRY_POLICY
    if largest is not None:
        policy = replace(policy, largest=largest, largest_unannounced=largest)
    is_etag = known.startswith(('"', "W/"))
    headers = {("If-None-Match" if is_etag else "If-Modified-Since"): known} if known else {}
    private = {} if token is None else {"Authorization": f"Bearer {token}"}
    return with_retries(
        lambda pace: _download(url, path, progress, policy, pace, headers, private),
        url,
        policy,
        remedy=remedy,
        secret=token,
    )


# ---- one attempt ----


def _download(
    url: str,
    path: Path,
    progress: bool | ProgressBar,
    policy: RetryPolicy,
    pace: Pace,
    headers: Mapping[str, str] | None = None,
    private: Mapping[str, str] | None = None,
) -> Answered:
    from gene_gcn.storage import http_client

    with http_client.open_answer(
        url, pace=pace, connect=policy.connect, read=policy.read, headers=headers, private=private
    ) as answer:
        found: dict[str, str] = {}
        for each in (answer, *reversed(answer.history)):
            found |= {name.lower(): value for name, value in each.headers.items()}
        if answer.status_code == 304:
            return Answered(found, is_modified=False)
        length = http_client.announced_length(answer)
        chunks = http_client.read_chunks(answer, policy.largest, policy.largest_unannounced)
        with closing(_progress_bar(progress, length or 0)) as bar, path.open("wb") as file:
            if length is not None and policy.largest >= length > shutil.disk_usage(path.parent).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # before an hour is lost
            for chunk in chunks:
                file.write(chunk)
                bar.update(len(chunk))
    return Answered(found)


def _progress_bar(progress: bool | ProgressBar, total: int) -> ProgressBar:
    if progress is False:
        return _NoProgressBar()
    if progress is True:
        from tqdm import tqdm

        return tqdm(total=total, unit="B", unit_scale=True)
    progress.reset()
    progress.total = total
    return progress


class _NoProgressBar:
    total = 0

    def update(self, n: int, /) -> None:
        pass

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass
