"""Read AnnData in zarr folders."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gene_gcn.errors import ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["read_zarr"]

METADATA = {".zarray", ".zmetadata", ".zgroup", "zarr.json"}
UNSAFE = "pickle"  # the codec that runs what it decodes


def read_zarr(folder: Path) -> AnnData:
    """Read an AnnData that `AnnData.write_zarr` wrote.

    Raises
    ------
    ArgumentError
        If it stores Python objects, which could run code; if it holds something else than an AnnData, or
        values of a sparse matrix are missing, as after an incomplete copy.
    """
    _check_no_objects(folder)
    _check_complete(folder)
    from anndata import read_zarr as read

    return read(folder)


def _check_no_objects(folder: Path) -> None:
    for file in _metadata_files(folder):
        if any(UNSAFE in name.lower() for name in _codecs(json.loads(file.read_bytes()))):
            text = f"{str(folder)!r} stores Python objects ({file.relative_to(folder)}), which could run code"
            raise ArgumentError("path", f"{text}; save it with texts and numbers only.")


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
