"""Read loom files, which are HDF5 with genes as rows, without loompy, a large package that anndata needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from gene_gcn.cells.matrix import csr_from_blocks
from gene_gcn.cells.texts import decode
from gene_gcn.errors import ArgumentError

__all__ = ["read_loom"]


def read_loom(file: Path) -> AnnData:
    """Read the main matrix, the layers and the one-dimensional attributes of a loom file.

    Raises
    ------
    ArgumentError
        If there is no main matrix, or attributes have another length.
    """
    with h5py.File(file, "r") as loom:
        if not isinstance(loom.get("matrix"), h5py.Dataset):
            raise ArgumentError("path", f"{str(file)!r} is damaged or not a loom file: it has no 'matrix'.")
        n_genes, n_cells = loom["matrix"].shape
        genes = ("Gene", "gene_names", "var_names", "Accession")
        var = _table(file, loom.get("row_attrs", {}), n_genes, "rows", genes)
        cells = ("CellID", "cell_names", "obs_names")
        obs = _table(file, loom.get("col_attrs", {}), n_cells, "columns", cells)
        layers = {name: _read_matrix(values) for name, values in loom.get("layers", {}).items()}
        return AnnData(_read_matrix(loom["matrix"]), obs=obs, var=var, layers=layers)


def _table(
    file: Path, group: Mapping[str, h5py.Dataset], length: int, what: str, names: Sequence[str]
) -> pd.DataFrame:
    """Make a table of attributes, indexed by the first of `names` that it has."""
    attributes = {name: decode(data[()]) for name, data in group.items() if _is_list(data)}
    for attribute, values in attributes.items():
        if len(values) != length:
            text = f"{str(file)!r} is damaged: {attribute!r} has {len(values):,} values for {length:,} {what}"
            raise ArgumentError("path", f"{text}; loom has genes as rows and cells as columns.")
    table = pd.DataFrame(attributes, index=range(length))
    name = next((name for name in names if name in table), None)
    table.index = (table.index if name is None else pd.Index(table.pop(name))).astype(str)
    table.index.name = None
    return table


def _is_list(data: h5py.HLObject) -> bool:
    """Return whether data are one-dimensional, of numbers or texts."""
    if not isinstance(data, h5py.Dataset) or data.ndim != 1:
        return False
    return data.dtype.kind != "O" or h5py.check_string_dtype(data.dtype) is not None


def _read_matrix(data: h5py.Dataset) -> sparse.csr_matrix:
    """Read (genes, cells) on disk as (cells, genes) in memory."""
    return csr_from_blocks(lambda rows: data[rows].astype(np.float32), data.shape).T.tocsr()
