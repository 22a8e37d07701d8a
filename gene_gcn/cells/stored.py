"""Matrices of cells that stay where they are stored, read by rows: AnnData files and objects with slices."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells.expression import is_anndata
from gene_gcn.cells.files import check_cells_path
from gene_gcn.cells.matrix import to_csr
from gene_gcn.errors import Argument, ArgumentError, is_out_of_memory

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["StoredMatrix", "is_sliceable", "open_matrix", "stored_values_of"]

ROWS = 4096  # read at a time


@dataclass(frozen=True, eq=False)
class StoredMatrix:
    """A matrix (cells, genes) of which rows are read when they are asked for.

    Attributes
    ----------
    name : str
        What messages call it, such as its path.
    frame : AnnData or None
        The tables of its cells and genes, without the matrix; None for an object that has none.
    shape : tuple of int
    rows : int
        To read at a time.
    """

    name: str
    frame: AnnData | None
    shape: tuple[int, int]
    rows: int
    _slice: Callable[[int, int], Any]

    def read(self, start: int, stop: int, *, checked: bool = False) -> sparse.csr_matrix:
        """Read the cells from `start` to `stop`, as float32 in canonical form.

        Parameters
        ----------
        checked : bool
            Whether the same cells were read before; what was in order then is not checked again.

        Raises
        ------
        ArgumentError
            They cannot be read, or are not numbers; the file and the cells are named.
        """
        try:
            block = self._slice(start, stop)
            if not (checked and _is_plain(block)):
                block = to_csr(block)
        except ArgumentError as error:
            raise ArgumentError("X", f"{self._where(start, stop)}: ", *error.parts) from error
        except Exception as error:  # h5py and zarr raise many types for damaged files
            if is_out_of_memory(error):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")[:200]
            text = f"{self._where(start, stop)} cannot be read: {reason}. Copy or download it again."
            raise ArgumentError("X", text) from error
        if block.shape != (stop - start, self.shape[1]):
            text = f"have shape {block.shape} instead of ({stop - start}, {self.shape[1]})."
            raise ArgumentError("X", f"{self._where(start, stop)} {text}")
        return block

    def _where(self, start: int, stop: int) -> str:
        return f"{self.name}, cells {start + 1:,} to {stop:,},"


def open_matrix(X: Any, layer: str | None = None, use_raw: bool = False) -> StoredMatrix:
    """Open a matrix without reading it.

    Parameters
    ----------
    X : path, backed AnnData, or object with a length, slices and `batch_size`
        The path of an AnnData (.h5ad, .h5 or .zarr). Slices ``X[a:b]`` of an object are matrices of any kind,
        all with the same columns; names of genes are taken from `var_names`, if it has them.
    layer, use_raw
        As for `read_expression`.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ArgumentError
        The file is damaged, is not an AnnData, stores its matrix by genes, or lacks the layer.
    """
    if isinstance(X, (str, os.PathLike)):
        return _open_file(Path(X).expanduser(), layer, use_raw)
    if is_anndata(X):
        return _open_anndata(X, layer, use_raw)
    return _open_sliceable(X)


def is_sliceable(X: object) -> bool:
    """Say whether X is an object like LightGBM's `Sequence`: with a length, slices and `batch_size`."""
    return all(hasattr(X, name) for name in ("__len__", "__getitem__", "batch_size"))


def stored_values_of(path: str | os.PathLike[str], layer: str | None = None, use_raw: bool = False) -> int:
    """Return how many values the matrix of an AnnData file stores; 0 for other files and other layouts."""
    try:
        matrix = _matrix_of(_open_store(Path(path).expanduser()), layer, use_raw)
    except (ArgumentError, OSError, KeyError):
        return 0  # what is wrong is said where it is read
    if hasattr(matrix, "shape"):
        return int(np.prod(matrix.shape))
    return int(matrix["data"].shape[0]) if _format_of(matrix) == "csr" else 0


def _open_file(file: Path, layer: str | None, use_raw: bool) -> StoredMatrix:
    from anndata import AnnData
    from anndata.io import read_elem

    check_cells_path(file)
    try:
        store = _open_store(file)
        matrix = _matrix_of(store, layer, use_raw)
        var = read_elem(store["raw/var" if use_raw else "var"])
        obs = read_elem(store["obs"])
    except ArgumentError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")[:200]
        raise ArgumentError("path", f"{str(file)!r} is damaged or not an AnnData: {reason}.") from error
    shape = len(obs), len(var)
    return StoredMatrix(
        repr(str(file)), AnnData(obs=obs, var=var), shape, ROWS, _slicer(str(file), matrix, shape[1])
    )


def _slicer(name: str, matrix: Any, n_genes: int) -> Callable[[int, int], Any]:
    if hasattr(matrix, "shape"):  # dense
        return lambda start, stop: matrix[start:stop]
    if _format_of(matrix) != "csr":
        text = (
            f"{name!r} stores its matrix by genes (CSC), so cells cannot be read one after another; store it "
        )
        raise ArgumentError("X", text + "by cells: adata.X = adata.X.tocsr().")
    indptr, data, indices = matrix["indptr"][:].astype(np.int64), matrix["data"], matrix["indices"]

    def read(start: int, stop: int) -> sparse.csr_matrix:
        first, last = indptr[start], indptr[stop]
        pointers = (indptr[start : stop + 1] - first).astype(np.int32)
        block = sparse.csr_matrix((stop - start, n_genes), dtype=data.dtype)
        block.data, block.indices, block.indptr = data[first:last], indices[first:last], pointers
        return block

    return read


def _is_plain(block: Any) -> bool:
    return sparse.issparse(block) and block.format == "csr" and block.dtype == np.float32


def _open_store(file: Path) -> Any:
    if file.is_dir():
        import zarr

        return zarr.open_group(str(file), mode="r")
    import h5py

    return h5py.File(file, "r")


def _matrix_of(store: Any, layer: str | None, use_raw: bool) -> Any:
    place = "raw/X" if use_raw else "X" if layer is None else f"layers/{layer}"
    if "obs" not in store or "var" not in store:
        raise ArgumentError("path", f"{_name_of(store)!r} is not an AnnData.")
    if place not in store:
        layers = list(store["layers"]) if "layers" in store else []
        choose = Argument("layer") if layer is None else Argument("layer", layer)
        text = f" is not in {_name_of(store)!r}; it has the layers {layers or 'none'}."
        raise ArgumentError(
            "use_raw" if use_raw else "layer", Argument("use_raw") if use_raw else choose, text
        )
    return store[place]


def _name_of(store: Any) -> str:
    return str(getattr(store, "filename", None) or store.store)


def _format_of(group: Any) -> str:
    kind = group.attrs.get("encoding-type") or group.attrs.get("h5sparse_format") or ""
    return str(kind.decode() if isinstance(kind, bytes) else kind)[:3]


def _open_anndata(adata: AnnData, layer: str | None, use_raw: bool) -> StoredMatrix:
    from anndata import AnnData

    if adata.isbacked and not adata.is_view and not use_raw and layer is None:
        stored = _open_file(Path(adata.filename), None, False)  # faster than through anndata
        frame = AnnData(obs=adata.obs, var=adata.var)
        return StoredMatrix(stored.name, frame, stored.shape, ROWS, stored._slice)

    def read(start: int, stop: int) -> Any:
        part = adata[start:stop]
        if use_raw:
            return part.raw.X
        return part.X if layer is None else part.layers[layer]

    var = adata.raw.var if use_raw and adata.raw is not None else adata.var
    name = "the backed AnnData" if adata.isbacked else "the AnnData"
    return StoredMatrix(name, AnnData(obs=adata.obs, var=var), (adata.n_obs, len(var)), ROWS, read)


def _open_sliceable(X: Any) -> StoredMatrix:
    from anndata import AnnData

    n = len(X)
    first = X[0 : min(1, n)]
    width = first.shape[1] if hasattr(first, "shape") and len(first.shape) == 2 else np.asarray(first).size
    names = getattr(X, "var_names", None)
    frame = None
    if names is not None:
        obs = pd.DataFrame(index=pd.RangeIndex(n).astype(str))
        frame = AnnData(obs=obs, var=pd.DataFrame(index=pd.Index(names)))
    rows = int(X.batch_size) if X.batch_size else ROWS

    def read(start: int, stop: int) -> Any:
        block = X[start:stop]
        return block.X if is_anndata(block) else block

    return StoredMatrix(f"the {type(X).__name__}", frame, (n, width), rows, read)
