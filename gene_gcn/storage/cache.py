"""The cache: files as they were fetched, each with a record of its SHA-256, and the networks read from them.

A file of the cache is named by its path in the cache folder, for instance
``string/12.0/9606.protein.links.v12.0.txt.gz``. Next to it lies its record, a small JSON file of the same
name with ``.record``. Networks that were read from files lie there too, as ``.safetensors``. Only files
with a record, or written by `gene_gcn.networks.store`, are ever listed or removed.
"""

from __future__ import annotations

import datetime
import fnmatch
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from gene_gcn.storage.atomic import replacing
from gene_gcn.storage.text_files import sha256_of

FOLDER = "GENE_GCN_CACHE"  # the environment variable
COLUMNS = ["name", "version", "organism", "size", "date", "sha256", "path"]

_RECORD = ".record"
NETWORK = ".safetensors"


def cache_folder() -> Path:
    """Return the folder of the cache: ``GENE_GCN_CACHE``, or gene_gcn's part of the user's cache folder."""
    if chosen := os.environ.get(FOLDER):
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("gene_gcn"))


def get_file(
    name: str, make: Callable[[Path], dict[str, Any] | None], *, check: Callable[[Path], Any], **metadata: Any
) -> Path:
    """Return a file of the cache, verified; make it first where it is not there.

    The SHA-256 of a new file is recorded, and compared at each later use. A file that lies there without a
    record, put there by hand, is checked as a new one and recorded. A file is written under another name in
    the same folder and renamed, so it is there whole or not at all, however many processes make it at once.

    Parameters
    ----------
    name
        Path of the file in the cache folder, with ``/``.
    make
        Called with the path to write to; checks what it writes; may return further metadata.
    check
        Called with the path of a file that has no record; raises ValueError where it is not as expected.
    **metadata
        What else to record: `version`, `organism`, `url`, whatever fits JSON.

    Raises
    ------
    OSError
        If the file cannot be written, or has changed since it was recorded.
    ValueError
        If a file that was put there by hand is not what it should be.
    """
    path = cache_folder() / name
    if not path.exists():
        with writing(path) as temporary:
            metadata |= make(temporary) or {}
    elif known := get_record(path):
        if sha256_of(path) != known["sha256"]:
            raise OSError(
                f"{path} has changed since it was recorded on {known['date'][:10]} (its SHA-256 is another "
                f"one); remove it by networks.remove({name!r}), and the next call fetches it again."
            )
        return path
    else:
        check(path)
    write_json(_record_of(path), {"sha256": sha256_of(path), "date": now(), **metadata})
    return path


def cached() -> pd.DataFrame:
    """List what the cache holds.

    Returns
    -------
    pandas.DataFrame
        A row per file: ``name`` (its path in the cache folder, which :func:`remove` takes), ``version``,
        ``organism``, ``size`` (bytes), ``date``, ``sha256`` (of a network: its ``content_hash``) and
        ``path``. Files end as they were fetched, networks read from them in ``.safetensors``.
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
    pattern
        A name that :func:`cached` lists, or a pattern of such names: ``"string/*"``, ``"*9606*"``, ``"*"``.

    Returns
    -------
    list of str
        The names of what was removed.

    Raises
    ------
    ValueError
        If nothing of that name is in the cache.
    """
    held = cached()
    chosen = held[[fnmatch.fnmatchcase(name, pattern) for name in held["name"]]]
    if chosen.empty:
        names = list(held["name"])
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "nothing"
        raise ValueError(f"Nothing in {cache_folder()} is named {pattern!r}; it holds {shown}.")
    for path in map(Path, chosen["path"]):
        _record_of(path).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty yet
            path.parent.rmdir()
    return list(chosen["name"])


# ---- records ----


def get_record(path: Path) -> dict[str, Any] | None:
    """Return what is recorded of a file of the cache: ``sha256``, ``date`` and the metadata given to :func:`get_file`."""
    known = read_json(_record_of(path))
    return known if isinstance(known, dict) and {"sha256", "date"} <= set(known) else None


def sha256_of_json(value: Any) -> str:
    """Return the SHA-256, as hex, of a value that fits JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def now() -> str:
    """Return the time in UTC, to the second, in ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds; None where it is absent or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all."""
    with writing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _record_of(path: Path) -> Path:
    return path.with_name(path.name + _RECORD)


@contextmanager
def writing(target: Path) -> Iterator[Path]:
    """Give a path next to `target` to write to, which becomes `target` if nothing is raised."""
    try:
        with replacing(target) as temporary:
            yield temporary
    except OSError as error:
        if error.errno is None:  # told in a sentence already
            raise
        raise OSError(
            f"{target} cannot be written ({error.strerror}); make room, or name another folder by the "
            f"environment variable {FOLDER}."
        ) from error


def _metadata_of(path: Path) -> dict[str, Any] | None:
    """Return what is known of a file of the cache; None for one that is none."""
    if path.suffix != NETWORK:
        return get_record(path) if path.is_file() and path.suffix != _RECORD else None
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
