"""Read AnnData in zarr folders."""

from __future__ import annotations

import json
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
        If it stores Python objects, which could run code.
    """
    for file in sorted(folder.rglob("*")):
        if file.name in METADATA and any(
            UNSAFE in name.lower() for name in _codecs(json.loads(file.read_bytes()))
        ):
            text = f"{str(folder)!r} stores Python objects ({file.relative_to(folder)}), which could run code"
            raise ArgumentError("path", f"{text}; save it with texts and numbers only.")
    from anndata import read_zarr as read

    return read(folder)


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
