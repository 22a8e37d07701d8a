"""AnnData in zarr folders: read them, or replace them whole or not at all."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage.atomic_folder import replacing_folder

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = [
    "check_no_objects",
    "check_replaceable_zarr",
    "is_zarr",
    "read_zarr",
    "replacing_zarr",
    "write_zarr",
]

METADATA = {".zarray", ".zmetadata", ".zgroup", "zarr.json"}
PARTS = {"X", "layers", "obs", "obsm", "obsp", "raw", "uns", "var", "varm", "varp"}  # of an AnnData
CONTENTS = PARTS | METADATA | {".zattrs"}
INSIDE = "cells.zarr"  # where an AnnData is while it is written
UNSAFE = "pickle"  # the codec that runs what it decodes


def read_zarr(folder: Path) -> AnnData:
    """Read an AnnData that `AnnData.write_zarr` wrote.

    Raises
    ------
    ArgumentError
        If it stores Python objects, which could run code; if it holds something else than an AnnData, or
        values of a sparse matrix are missing, as after an incomplete copy.
    """
    check_no_objects(folder)
    _check_complete(folder)
    from anndata import read_zarr as read

    return read(folder)


def check_no_objects(folder: Path) -> None:
    """Refuse folders whose arrays are decoded by running code."""
    for file in _metadata_files(folder):
        if any(UNSAFE in name.lower() for name in _codecs(json.loads(file.read_bytes()))):
            text = f"{str(folder)!r} stores Python objects ({file.relative_to(folder)}), which could run code"
            raise ArgumentError("path", f"{text}; save it with texts and numbers only.")


@contextmanager
def replacing_zarr(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a folder to write an AnnData to, which replaces the one at `path` unless an exception is raised.

    Raises
    ------
    ArgumentError
        As `check_replaceable_zarr`.
    OSError
        The disk is full.
    """
    target = Path(path).expanduser().resolve()
    check_replaceable_zarr(target)
    with replacing_folder(target, CONTENTS | {INSIDE}, lambda: check_replaceable_zarr(target)) as folder:
        written = folder / INSIDE  # zarr deletes the folder that it writes to, and with it a lock on it
        yield written
        for entry in list(written.iterdir()):
            entry.rename(folder / entry.name)
        written.rmdir()


def is_zarr(path: str | os.PathLike[str]) -> bool:
    """Say whether a path is called as zarr folders are."""
    return Path(path).name.lower().endswith(".zarr")


def write_zarr(folder: Path, cells: AnnData) -> None:
    """Write an AnnData as `AnnData.write_zarr` does."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Writing zarr v2")  # which all versions of anndata read
        cells.write_zarr(folder)


def check_replaceable_zarr(path: str | os.PathLike[str], argument: str = "path") -> None:
    """Refuse to replace what is neither an empty folder nor an AnnData.

    Raises
    ------
    ArgumentError
        Its argument is `argument`.
    """
    place = Path(path).expanduser()
    if not place.is_dir():
        if place.exists():
            text = " is a file, but .zarr is written as a folder; choose another name."
            raise ArgumentError(argument, Argument(argument, str(path)), text)
        return
    names = {entry.name for entry in place.iterdir()}
    if others := sorted(names - CONTENTS):
        text = f" is a folder with {others[0]!r}, which no AnnData has; choose another name."
        raise ArgumentError(argument, Argument(argument, str(path)), text)


def _check_complete(folder: Path) -> None:
    import zarr

    group = zarr.open_group(str(folder), mode="r")
    if "obs" not in group or "var" not in group:
        tables = [name for name in ("tables/table", "table/table") if name in group]
        remedy = f"pass its table, {str(folder / tables[0])!r}" if tables else "pass the folder of an AnnData"
        held = ", ".join(sorted(group)[:5]) or "nothing"
        raise ArgumentError("path", f"{str(folder)!r} holds {held} instead of an AnnData; {remedy}.")
    layers = group.get("layers")
    names = list(layers) if isinstance(layers, zarr.Group) else []
    for name in ("X", "raw/X", *(f"layers/{layer}" for layer in names)):
        values = group.get(f"{name}/data")  # of a sparse matrix; absent parts would be read as zeros
        if isinstance(values, zarr.Array) and values.nchunks_initialized < values.nchunks:
            text = f"{str(folder)!r} lacks parts of {name}; copy or download the complete folder again."
            raise ArgumentError("path", text)


def _metadata_files(folder: Path) -> Iterator[Path]:
    """Yield all files in which zarr looks for codecs, also behind links, which it follows."""
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(parent)) in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (Path(parent, name) for name in sorted(METADATA.intersection(names)))


def _codecs(metadata: object) -> Iterator[str]:
    """Yield what metadata, of zarr 2 or 3, call their codecs, at any depth."""
    if isinstance(metadata, dict):
        for key, value in metadata.items():
            if key in {"id", "name"} and isinstance(value, str):
                yield value
            yield from _codecs(value)
    elif isinstance(metadata, list):
        for value in metadata:
            yield from _codecs(value)
