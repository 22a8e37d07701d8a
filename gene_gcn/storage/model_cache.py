"""Models that were downloaded: whole folders of the cache that never change, each with a record.

``models/<source>/<version>/`` is a model; its record, ``models/<source>/<version>.json``, says from where
and when it came. A version is a commit of the Hugging Face Hub, or the SHA-256 of an archive or a manifest.
What a branch or an unpinned address was when it was last asked for is in ``models/<source>/<name>.latest``.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from gene_gcn.errors import ArgumentError, first_few
from gene_gcn.storage import cache
from gene_gcn.storage.atomic_folder import replacing_folder
from gene_gcn.storage.model_address import is_commit, is_sha256
from gene_gcn.storage.model_manifest import (
    FILES,
    LARGEST_MANIFEST,
    MANIFEST_FILE,
    parse_manifest,
)
from gene_gcn.storage.text_files import sha256_of

__all__ = ["CachedModel", "add_model", "cached_models", "get_model", "latest_model", "remove_models"]

FOLDER = "models"  # of the cache
_RECORD, _LATEST = ".json", ".latest"


@dataclass(frozen=True)
class CachedModel:
    """A model in the cache.

    Attributes
    ----------
    source : str
        Its address without a revision.
    version : str
        A commit, or the SHA-256 of the archive or the manifest.
    revision : str
        The branch, tag or commit that was asked for when it was downloaded; "" on the web.
    date : str
        When it was downloaded, in UTC, in ISO 8601.
    manifest : str
        The SHA-256 of its manifest.
    host_version : str
        What the host calls this version of an archive: its ETag or date; "" for none.
    """

    source: str
    version: str
    revision: str
    date: str
    manifest: str
    host_version: str = ""

    @property
    def folder(self) -> Path:
        return _place(self.source) / self.version

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.stat().st_size for file in self.folder.iterdir())

    @property
    def is_intact(self) -> bool:
        """Whether its files are those that were downloaded."""
        manifest = self.folder / MANIFEST_FILE
        try:
            if manifest.stat().st_size > LARGEST_MANIFEST or sha256_of(manifest) != self.manifest:
                return False
            files = parse_manifest(manifest.read_bytes(), manifest)
            return all(sha256_of(self.folder / name) == file.sha256 for name, file in files.items())
        except (OSError, ArgumentError):
            return False


def get_model(source: str, version: str) -> CachedModel | None:
    """Return a version of a model, if it is in the cache and intact."""
    model = _read_record(_place(source) / f"{version}{_RECORD}")
    return model if model is not None and model.source == source and model.is_intact else None


def latest_model(source: str, revision: str) -> CachedModel | None:
    """Return what a revision was when its host was last asked, if that is in the cache and intact."""
    latest = cache.read_json(_latest_path(source, revision))
    version = latest.get("version") if isinstance(latest, dict) else None
    return get_model(source, version) if isinstance(version, str) and _is_version(version) else None


def add_model(
    source: str, version: str, revision: str, write: Callable[[Path], None], host_version: str = ""
) -> CachedModel:
    """Put a model into the cache, whole or not at all, and note that the revision is this version.

    Parameters
    ----------
    write : callable
        Called with a folder to write the files of the model to, which it checks. Not called if this version
        is there already.
    """
    model = get_model(source, version)
    if model is None:
        target = _place(source) / version
        with replacing_folder(target, FILES, lambda: None) as temporary:
            write(temporary)
            manifest = sha256_of(temporary / MANIFEST_FILE)
        model = CachedModel(source, version, revision, cache.now(), manifest, host_version)
        cache.write_json(target.with_name(f"{version}{_RECORD}"), asdict(model))
    cache.write_json(_latest_path(source, revision), {"revision": revision, "version": version})
    return model


def cached_models() -> list[CachedModel]:
    """Return all models in the cache, by source and date."""
    found = map(_read_record, (cache.cache_folder() / FOLDER).glob(f"*/*{_RECORD}"))
    models = [model for model in found if model is not None and model.folder.is_dir()]
    return sorted(models, key=lambda model: (model.source, model.date))


def remove_models(pattern: str) -> list[CachedModel]:
    """Remove models from the cache, by a pattern of their sources such as ``"hf://*"``.

    Raises
    ------
    ArgumentError
        No model matches.
    """
    models = cached_models()
    chosen = [model for model in models if fnmatch.fnmatchcase(model.source, pattern)]
    if not chosen:
        names = first_few(sorted({model.source for model in models}), 5) or "none"
        text = f"No model of {pattern!r} is in {cache.cache_folder() / FOLDER}; there are: {names}."
        raise ArgumentError("pattern", text)
    for model in chosen:
        model.folder.with_name(f"{model.version}{_RECORD}").unlink(missing_ok=True)
        shutil.rmtree(model.folder, ignore_errors=True)
        for latest in model.folder.parent.glob(f"*{_LATEST}"):
            if (cache.read_json(latest) or {}).get("version") == model.version:
                latest.unlink(missing_ok=True)
        with suppress(OSError):  # the folder is not empty yet
            model.folder.parent.rmdir()
    return chosen


# ---- places ----


def _place(source: str) -> Path:
    """Return the folder of a source: a name to read, and a digest to tell it from others."""
    name = re.sub(r"[^A-Za-z0-9.]+", "-", source.partition("://")[2].partition("?")[0]).strip("-.")[:80]
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    return cache.cache_folder() / FOLDER / f"{name}-{digest}"


def _latest_path(source: str, revision: str) -> Path:
    digest = hashlib.sha256(revision.encode()).hexdigest()[:12]
    return _place(source) / f"{digest}{_LATEST}"


def _is_version(text: str) -> bool:
    return is_commit(text) or is_sha256(text)


def _read_record(path: Path) -> CachedModel | None:
    values = cache.read_json(path)
    names = {field.name for field in fields(CachedModel)}
    if not isinstance(values, dict) or set(values) != names:
        return None
    if not all(isinstance(value, str) for value in values.values()) or not _is_version(values["version"]):
        return None
    return CachedModel(**values)
