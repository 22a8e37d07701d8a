"""The cache: downloaded files, each with a record of its SHA-256, and the networks read from them.

A file is identified by its path in the cache folder, for instance
``string/12.0/9606.protein.links.v12.0.txt.gz``. Its record is a small JSON file next to it, named like the
file with ``.record`` appended. Networks that were read from files are kept there too, as ``.safetensors``.
Only files that have a record, or were written by `gene_gcn.networks.store`, are ever listed or removed.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from gene_gcn.errors import ArgumentError, first_few
from gene_gcn.storage.atomic import FULL, replacing
from gene_gcn.storage.text_files import sha256_of

CACHE_VARIABLE = "GENE_GCN_CACHE"  # the environment variable
COLUMNS = ["name", "version", "organism", "size", "date", "sha256", "path"]
NETWORK_SUFFIX = ".safetensors"

_RECORD_SUFFIX = ".record"


def cache_folder() -> Path:
    """Return the cache folder: ``GENE_GCN_CACHE`` if it is set, otherwise one in the user's cache folder."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("gene_gcn"))


def get_file(
    name: str, make: Callable[[Path], dict[str, Any] | None], *, check: Callable[[Path], Any], **metadata: Any
) -> Path:
    """Return a verified file of the cache, making it first if it is absent.

    The SHA-256 of a new file is recorded and verified at each later use. A file without a record, which
    somebody copied into the cache, is checked like a new one and recorded. Files are written under a
    temporary name in the same folder and then renamed, so that several processes can make a file at once.

    Parameters
    ----------
    name : str
        Path of the file in the cache folder, with ``/``.
    make : callable
        Called with the path to write to; checks what it writes; may return further metadata.
    check : callable
        Called with the path of a file that has no record; raises ValueError if the file is not as expected.
    **metadata
        What else to record: `version`, `organism`, `url`, or anything that JSON can represent.

    Returns
    -------
    Path

    Raises
    ------
    OSError
        If the file cannot be written or has changed since it was recorded.
    ValueError
        If a file that was copied into the cache is not as expected.
    """
    path = cache_folder() / name
    if not path.exists():
        with writing(path) as temporary:
            metadata |= make(temporary) or {}
    elif record := get_record(path):
        if sha256_of(path) != record["sha256"]:
            raise OSError(
                f"{path} has changed since it was recorded on {record['date'][:10]}: its SHA-256 differs. "
                f"Remove it with networks.remove({name!r}); the next call downloads it again."
            )
        return path
    else:
        check(path)
    write_json(_record_path(path), {"sha256": sha256_of(path), "date": now(), **metadata})
    return path


@contextmanager
def discarding(
    *files: Path, faults: Collection[str] = ("path", "info", "frame", "edge_weight")
) -> Iterator[None]:
    """Remove files of the cache that cannot be read, so that the next call downloads them again.

    Parameters
    ----------
    *files : Path
        Paths that :func:`get_file` returned, which are read in this context.
    faults : collection of str
        Arguments of an ArgumentError that are about the files; other errors are about what the user passed.

    Raises
    ------
    OSError
        Instead of such an ArgumentError.
    """
    try:
        yield
    except ArgumentError as error:
        if error.argument not in faults:
            raise
        for file in files:
            _record_path(file).unlink(missing_ok=True)
            file.unlink(missing_ok=True)
        names = " and ".join(file.name for file in files)
        raise OSError(
            f"{error} Removed from the cache: {names}; the next call downloads it again."
        ) from error


def cached() -> pd.DataFrame:
    """List the contents of the cache.

    Returns
    -------
    pandas.DataFrame
        A row per file: ``name`` (its path in the cache folder, as :func:`remove` takes it), ``version``,
        ``organism``, ``size`` (bytes), ``date``, ``sha256`` (for a network, its ``content_hash``) and
        ``path``. Networks that were read from downloaded files end in ``.safetensors``.
    """
    folder = cache_folder()
    rows = []
    for path in sorted(folder.rglob("[!.]*")):
        if (metadata := _metadata_of(path)) is not None:
            own = {
                "name": path.relative_to(folder).as_posix(),
                "size": path.stat().st_size,
                "path": str(path),
            }
            rows.append({**metadata, **own})
    return pd.DataFrame(rows, columns=COLUMNS)


def remove(pattern: str) -> list[str]:
    """Remove files and networks from the cache.

    Parameters
    ----------
    pattern : str
        A name that :func:`cached` lists, or a pattern of such names: ``"string/*"``, ``"*9606*"``, ``"*"``.

    Returns
    -------
    list of str
        The names of the removed files.

    Raises
    ------
    ArgumentError
        If the cache has no file of that name.
    """
    files = cached()
    chosen = files[[fnmatch.fnmatchcase(name, pattern) for name in files["name"]]]
    if chosen.empty:
        names = list(files["name"])
        shown = first_few(names, 5) or "nothing"
        raise ArgumentError(
            "pattern", f"Nothing in {cache_folder()} is named {pattern!r}; it contains {shown}."
        )
    for path in map(Path, chosen["path"]):
        _record_path(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # the folder is not empty yet
            path.parent.rmdir()
    return list(chosen["name"])


# ---- records ----


def get_record(path: Path) -> dict[str, Any] | None:
    """Return the record of a file (``sha256``, ``date`` and metadata), or None if it has none."""
    record = read_json(_record_path(path))
    return record if isinstance(record, dict) and {"sha256", "date"} <= set(record) else None


def require_record(path: Path) -> dict[str, Any]:
    """Return the record of a file that :func:`get_file` returned.

    Raises
    ------
    OSError
        If the record has disappeared since.
    """
    record = get_record(path)
    if record is None:
        raise OSError(f"{path} has no record any more; another process may have removed it. Try again.")
    return record


def sha256_of_json(value: Any) -> str:
    """Return the SHA-256, as hex, of a value that JSON can represent."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def now() -> str:
    """Return the time in UTC, to the second, in ISO 8601."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file, or None if it is absent or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, completely or not at all."""
    with writing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces `target` unless an exception is raised."""
    try:
        with replacing(target) as temporary:
            yield temporary
    except OSError as error:
        if error.errno is None:  # its message is for users already
            raise
        remedy = f"choose another folder with the environment variable {CACHE_VARIABLE}."
        if error.errno in FULL:
            remedy = f"free some space, or {remedy}"
        raise OSError(f"{target} cannot be written ({os.strerror(error.errno)}); {remedy}") from error


def _record_path(path: Path) -> Path:
    return path.with_name(path.name + _RECORD_SUFFIX)


def _metadata_of(path: Path) -> dict[str, Any] | None:
    """Return the metadata of a file of the cache, or None if it is not one."""
    if path.suffix != NETWORK_SUFFIX:
        return get_record(path) if path.is_file() and path.suffix != _RECORD_SUFFIX else None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            values = json.loads((file.metadata() or {})["gene_gcn"])
    except (SafetensorError, OSError, ValueError, KeyError):
        return None
    source = values["source"] or {}
    return {
        "version": source.get("version"),
        "organism": source.get("organism"),
        "date": values["date"],
        "sha256": values["content_hash"],
    }
