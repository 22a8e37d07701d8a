"""Read HDF5 files by what they hold: AnnData, loom, 10x Genomics, or a pandas HDFStore.

The numbers of an HDFStore are read in blocks, without pandas, which would make one dense frame of them and
run what a file has pickled.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from gene_gcn.cells.loom import read_loom
from gene_gcn.cells.matrix import csr_from_blocks
from gene_gcn.cells.stored_objects import read_objects
from gene_gcn.cells.ten_x import read_10x_h5
from gene_gcn.cells.texts import decode
from gene_gcn.errors import ArgumentError

__all__ = ["read_hdf5"]

# Formats of other programs, by a group that only they have.
_FOREIGN = {
    "mod": "a MuData; save its RNA by mudata.read(FILE).mod['rna'].write_h5ad(NEW_FILE)",
    "assays": "of SeuratDisk; in R, convert it with SeuratDisk::Convert(FILE, dest='h5ad')",
    "barcode_idx": "a list of molecules; pass filtered_feature_bc_matrix.h5 of the same run",
}


def read_hdf5(file: Path, genome: str | None = None) -> AnnData:
    """Read an HDF5 file in the format of its content, whatever its name ends in.

    Raises
    ------
    ArgumentError
        If an HDFStore does not hold exactly one frame, a Series has another length, or names or values are
        Python objects that cannot be read; if a 10x file has several genomes and none is chosen.
    """
    with h5py.File(file, "r") as store:
        for group, text in _FOREIGN.items():
            if group in store:
                raise ArgumentError("path", f"{str(file)!r} is {text}.")
        if "var" in store and "obs" in store:
            from anndata import read_h5ad

            return read_h5ad(file)
        if "row_attrs" in store or (file.name.lower().endswith(".loom") and "matrix" in store):
            return read_loom(file)
        types = {key: _text(group.attrs.get("pandas_type")) for key, group in store.items()}
        if any(types.values()):
            return _read_hdfstore(file, store, types)
        return read_10x_h5(file, store, genome)


def _read_hdfstore(file: Path, store: h5py.File, types: dict[str, str]) -> AnnData:
    frames = [key for key, kind in types.items() if kind == "frame"]
    if len(frames) != 1:
        found = ", ".join(f"{key!r} ({kind or 'not of pandas'})" for key, kind in types.items())
        raise ArgumentError(
            "path",
            f"{str(file)!r} must hold exactly one frame of cells × genes in the fixed format, as "
            f"frame.to_hdf(FILE, key=KEY, format='fixed') writes it; it holds {found}.",
        )
    frame = store[frames[0]]
    genes, cells = _names(file, frame["axis0"]), _names(file, frame["axis1"])
    obs = {key: _series(file, store[key], key) for key, kind in types.items() if kind == "series"}
    for key, values in obs.items():
        if len(values) != len(cells):
            text = f"{str(file)!r}: the series {key!r} has {len(values):,} values for {len(cells):,} cells."
            raise ArgumentError("path", text)
    X = _frame_values(file, frame, pd.Index(genes), len(cells))
    return AnnData(X, obs=pd.DataFrame(obs, index=cells), var=pd.DataFrame(index=genes))


def _frame_values(file: Path, frame: h5py.Group, genes: pd.Index, n_cells: int) -> sparse.csr_matrix:
    """Read the values of a frame, whose columns are stored by dtype, in the order of its genes."""
    n_parts = int(frame.attrs["nblocks"])
    items = np.concatenate([_names(file, frame[f"block{i}_items"]) for i in range(n_parts)])
    values = [frame[f"block{i}_values"] for i in range(n_parts)]  # (cells, genes of one dtype) each
    for i, part in enumerate(values):
        if part.dtype.kind not in "biuf":
            few = ", ".join(_names(file, frame[f"block{i}_items"])[:3])
            text = f"{str(file)!r}: columns of the frame ({few}) are not numbers; save them as a Series each."
            raise ArgumentError("path", text)
    order = np.argsort(genes.get_indexer(items), kind="stable")

    def read(rows: slice) -> np.ndarray:
        return np.concatenate([part[rows].astype(np.float32) for part in values], axis=1)[:, order]

    return csr_from_blocks(read, (n_cells, len(genes)))


def _names(file: Path, axis: h5py.Dataset) -> np.ndarray:
    if axis.dtype.kind not in "iufS":
        text = f"{str(file)!r}: the names in {axis.name} are Python objects; save a frame with names of text."
        raise ArgumentError("path", text)
    return decode(axis[()]).astype(str).astype(object)


def _series(file: Path, group: h5py.Group, key: str) -> np.ndarray:
    values = group["values"]
    if values.dtype.kind in "biufS":
        return decode(values[()])
    try:
        return decode(read_objects(bytes(np.concatenate(list(values[()])).astype(np.uint8))))
    except Exception as error:  # a damaged pickle can raise nearly anything; nothing of it was run
        reason = str(error).strip() or type(error).__name__
        raise ArgumentError(
            "path",
            f"{str(file)!r}: the series {key!r} holds Python objects, which are not read as they could run "
            f"code ({reason[:100]}); save it as text, by series.astype('S').",
        ) from error


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
