"""The cache: files as they were fetched, each with a record of its SHA-256, and the networks read from them.

A file of the cache is named by its path in the cache folder, for instance
``string/12.0/9606.protein.links.v12.0.txt.gz``. Next to it lies its record, a small JSON file of the same
name with ``.record``. Networks that were read from files lie there too, as ``.safetensors``. Only files
with a record, or written by :func:`parsed`, are ever listed or removed.
"""

from __future__ import annotations

import datetime
import fnmatch
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from gene_gcn.networks.network import GeneNetwork
from gene_gcn.storage.atomic import replacing
from gene_gcn.storage.text_files import sha256_of

FOLDER = "GENE_GCN_CACHE"  # the environment variable
COLUMNS = ["name", "version", "organism", "size", "date", "sha256", "path"]

# To be raised whenever a parser reads a network differently, so that no network of the old one is used.
PARSERS = 1

_RECORD = ".record"
_NETWORK = ".safetensors"


def cache_folder() -> Path:
    """Return the folder of the cache: ``GENE_GCN_CACHE``, or gene_gcn's part of the user's cache folder."""
    if chosen := os.environ.get(FOLDER):
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("gene_gcn"))


def keep(
    name: str, make: Callable[[Path], dict[str, Any] | None], *, check: Callable[[Path], Any], **facts: Any
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
        Called with the path to write to; checks what it writes; may return further facts.
    check
        Called with the path of a file that has no record; raises ValueError where it is not as expected.
    **facts
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
            facts |= make(temporary) or {}
    elif known := record(path):
        if sha256_of(path) != known["sha256"]:
            raise OSError(
                f"{path} has changed since it was recorded on {known['date'][:10]} (its SHA-256 is another "
                f"one); remove it by networks.remove({name!r}), and the next call fetches it again."
            )
        return path
    else:
        check(path)
    write_json(_record_of(path), {"sha256": sha256_of(path), "date": now(), **facts})
    return path


def parsed(
    name: str, parameters: Mapping[str, Any], files: Sequence[Path], build: Callable[[], GeneNetwork]
) -> GeneNetwork:
    """Return the network read from files of the cache, from what was kept of the last time if possible.

    It is kept under a key of the SHA-256 of the files, the parameters and :data:`PARSERS`, and compared with
    its own ``content_hash`` when it is used; one that is damaged is read from the files again.

    Parameters
    ----------
    name
        Path in the cache folder, with ``/``, to which the key and the ending are added.
    parameters
        What the network depends on besides `files`; fit for JSON.
    files
        Paths that :func:`keep` returned.
    build
        Reads the network.
    """
    hashes = [record(file)["sha256"] for file in files]
    key = sha256_of_json([PARSERS, dict(parameters), hashes])[:12]
    path = cache_folder() / f"{name}.{key}{_NETWORK}"
    if (network := _load(path)) is not None:
        return network
    network = build()
    try:
        _save(network, path)
    except OSError as error:  # the network is there all the same
        warnings.warn(f"The network is not kept for the next call: {error}", stacklevel=3)
    return network


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
        if (facts := _facts(path)) is not None:
            own = {
                "name": path.relative_to(folder).as_posix(),
                "size": path.stat().st_size,
                "path": str(path),
            }
            rows.append({**facts, **own})
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


def record(path: Path) -> dict[str, Any] | None:
    """Return what is recorded of a file of the cache: ``sha256``, ``date`` and the facts of :func:`keep`."""
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


# ---- networks ----


def _save(network: GeneNetwork, path: Path) -> None:
    from safetensors.numpy import save

    values = {**network.to_dict(), "content_hash": network.content_hash, "date": now()}
    metadata = {"gene_gcn": json.dumps(values), "genes": json.dumps(network.genes)}
    with writing(path) as temporary:
        temporary.write_bytes(save(network.arrays(), metadata))


def _load(path: Path) -> GeneNetwork | None:
    """Return the network of a file; None where there is none, or not as it was written."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        values = json.loads(metadata["gene_gcn"])
        network = GeneNetwork.from_dict(json.loads(metadata["genes"]), values, arrays)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    return network if network.content_hash == values["content_hash"] else None


def _facts(path: Path) -> dict[str, Any] | None:
    """Return what is known of a file of the cache; None for one that is none."""
    if path.suffix != _NETWORK:
        return record(path) if path.is_file() and path.suffix != _RECORD else None
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
