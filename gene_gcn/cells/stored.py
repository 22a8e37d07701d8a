"""Matrices of cells that stay where they are stored, read by rows: AnnData files and objects with slices."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells.expression import is_anndata
from gene_gcn.cells.files import check_cells_path
from gene_gcn.cells.matrix import structural_fault, to_csr
from gene_gcn.cells.zarr_folders import check_no_objects
from gene_gcn.errors import Argument, ArgumentError, is_out_of_memory

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["StoredMatrix", "is_sliceable", "open_matrix", "stored_values_of"]

ROWS = 4096  # read at a time
VIEW_GAP = 4  # rows of a view that lie so close are read at once, with those between


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
    path : Path or None
        Of the file; None for an object, and for what is in memory.
    """

    name: str
    frame: AnnData | None
    shape: tuple[int, int]
    rows: int
    _slice: Callable[[int, int], Any]
    path: Path | None = None

    def fingerprint(self) -> dict[str, Any]:
        """Return what tells the cells from others, without reading them: path, size and date of the file.

        Raises
        ------
        ArgumentError
            The cells are not in a file.
        """
        if self.path is None or self.frame is None:
            text = f" needs cells in files, but these are in {self.name}; leave it out."
            raise ArgumentError("checkpoint", Argument("checkpoint"), text)
        files = [self.path] if self.path.is_file() else self.path.rglob("*")
        status = [file.stat() for file in files if file.is_file()]
        names = hashlib.blake2b(digest_size=16)
        for name in (*self.frame.obs_names, *self.frame.var_names):  # those of a view
            names.update(f"{name}\0".encode())
        return {
            "path": str(self.path.resolve()),
            "bytes": sum(each.st_size for each in status),
            "modified_ns": max(each.st_mtime_ns for each in status),
            "shape": list(self.shape),
            "names": names.hexdigest(),
        }

    def read(self, start: int, stop: int) -> sparse.csr_matrix:
        """Read the cells from `start` to `stop`, as float32 in canonical form.

        The index arrays are checked at every reading: SciPy and torch trust them, and files may change.

        Raises
        ------
        ArgumentError
            They cannot be read, or are not numbers; the file and the cells are named.
        """
        where = self.where(start, stop)
        try:
            block = self._slice(start, stop)
            fault = structural_fault(block)
            block = block if fault else to_csr(block)
        except ArgumentError as error:
            raise ArgumentError("X", f"{where}: ", *error.parts) from error
        except Exception as error:  # h5py and zarr raise many types for damaged files
            if is_out_of_memory(error):
                raise
            raise _unreadable(where, _reason(error)) from error
        if fault:
            raise _unreadable(where, fault)
        if block.shape != (stop - start, self.shape[1]):
            text = f"have shape {block.shape} instead of ({stop - start}, {self.shape[1]})."
            raise ArgumentError("X", f"{where}, {text}")
        return block

    def where(self, start: int, stop: int) -> str:
        """Name the cells from `start` to `stop`, for messages; the first cell is 1."""
        return f"{self.name}, cells {start + 1:,} to {stop:,}"


def open_matrix(X: Any, layer: str | None = None, use_raw: bool = False) -> StoredMatrix:
    """Open a matrix without reading it.

    Parameters
    ----------
    X : path, backed AnnData, or object with a length, slices and `batch_size`
        The path of an AnnData (.h5ad, .h5 or .zarr). Slices ``X[a:b]`` of an object are matrices of any kind,
        all with the same columns; names of genes are taken from `var_names`, if it or its slices have
        them.
    layer, use_raw
        As for `read_expression`.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ArgumentError
        The file is damaged, open for writing elsewhere, not an AnnData, stores its matrix by genes, or
        lacks the layer.
    """
    if isinstance(X, (str, os.PathLike)):
        return _open_file(Path(X).expanduser(), layer, use_raw)
    if is_anndata(X):
        return _open_anndata(X, layer, use_raw)
    if not is_sliceable(X):
        text = (
            f"X is a {type(X).__name__}, which is not read block by block; pass paths, AnnData, or objects "
        )
        raise ArgumentError("X", text + "with a length, slices X[a:b] and batch_size.")
    return _open_sliceable(X, layer, use_raw)


def is_sliceable(X: object) -> bool:
    """Say whether X is an object like LightGBM's `Sequence`: with a length, slices and `batch_size`.

    Raises
    ------
    ArgumentError
        X only yields batches, as loaders for training by gradients do, in an order of its own.
    """
    if not hasattr(X, "__getitem__") and hasattr(X, "__iter__") and hasattr(X, "batch_size"):
        text = f"X is a {type(X).__name__}, which yields batches in an order of its own; pass the files that "
        raise ArgumentError("X", text + "it reads, or an object with a length, slices X[a:b] and batch_size.")
    return all(hasattr(X, name) for name in ("__len__", "__getitem__", "batch_size"))


def stored_values_of(path: str | os.PathLike[str], layer: str | None = None, use_raw: bool = False) -> int:
    """Return how many values the matrix of an AnnData file stores; 0 for other files and other layouts."""
    try:
        matrix = _matrix_of(_open_store(Path(path).expanduser()), layer, use_raw)
        if hasattr(matrix, "shape"):
            return int(np.prod(matrix.shape))
        return int(matrix["data"].shape[0]) if _format_of(matrix) == "csr" else 0
    except Exception as error:  # h5py and zarr raise many types for what is not theirs
        if is_out_of_memory(error):
            raise
        return 0  # what is wrong is said where it is read


def _open_file(file: Path, layer: str | None, use_raw: bool) -> StoredMatrix:
    from anndata import AnnData
    from anndata.io import read_elem

    check_cells_path(file)
    try:
        store = _open_store(file)
        matrix = _matrix_of(store, layer, use_raw)
        frame = AnnData(obs=read_elem(store["obs"]), var=read_elem(store["raw/var" if use_raw else "var"]))
        if fault := _fault_of_sizes(matrix, frame.shape):
            raise ArgumentError("path", f"{str(file)!r} is damaged: {fault}.")
        read = _slicer(str(file), matrix, frame.shape[1])
    except ArgumentError:
        raise
    except BlockingIOError as error:
        text = f"{str(file)!r} is open for writing in another program; try again when that has closed it."
        raise ArgumentError("path", text) from error
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise ArgumentError(
            "path", f"{str(file)!r} is damaged or not an AnnData: {_reason(error)}."
        ) from error
    return StoredMatrix(repr(str(file)), frame, frame.shape, ROWS, read, file)


def _fault_of_sizes(matrix: Any, shape: tuple[int, int]) -> str | None:
    """Say which arrays of a stored matrix are not as long as its tables of cells and genes."""
    if hasattr(matrix, "shape"):  # dense
        return None if matrix.shape == shape else f"its matrix has shape {matrix.shape}, its tables {shape}"
    if _format_of(matrix) != "csr":
        return None
    indptr, sizes = matrix["indptr"][:], [matrix[name].shape[0] for name in ("data", "indices")]
    if len(indptr) != shape[0] + 1:
        return f"its matrix has {len(indptr) - 1:,} rows, its table of cells {shape[0]:,}"
    if indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        return "the ends of its rows (indptr) decrease"
    if sizes != [indptr[-1]] * 2:
        return f"it has {sizes[0]:,} values and {sizes[1]:,} column indices instead of {indptr[-1]:,}"
    return None


def _slicer(name: str, matrix: Any, n_genes: int) -> Callable[[int, int], Any]:
    if hasattr(matrix, "shape"):  # dense
        return lambda start, stop: matrix[start:stop]
    if _format_of(matrix) != "csr":
        text = f"{name!r} stores its matrix by genes (CSC), so cells cannot be read one after another; store "
        raise ArgumentError("X", text + "it by cells: adata.X = adata.X.tocsr().")
    indptr, data, indices = matrix["indptr"][:].astype(np.int64), matrix["data"], matrix["indices"]

    def read(start: int, stop: int) -> sparse.csr_matrix:
        stored = slice(int(indptr[start]), int(indptr[stop]))
        pointers = indptr[start : stop + 1] - stored.start
        return sparse.csr_matrix((data[stored], indices[stored], pointers), shape=(stop - start, n_genes))

    return read


def _unreadable(where: str, reason: str) -> ArgumentError:
    return ArgumentError("X", f"{where}, cannot be read: {reason}. Copy or download it again.")


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")[:200]


def _open_store(file: Path) -> Any:
    if file.is_dir():
        import zarr

        check_no_objects(file)
        return zarr.open_group(str(file), mode="r")
    import h5py

    return h5py.File(file, "r")


def _matrix_of(store: Any, layer: str | None, use_raw: bool) -> Any:
    place = "raw/X" if use_raw else "X" if layer is None else f"layers/{layer}"
    if "obs" not in store or "var" not in store:
        raise ArgumentError("path", f"{_name_of(store)!r} is not an AnnData.")
    if place not in store:
        if place == "X":
            raise ArgumentError("X", f"{_name_of(store)!r} has no matrix X; read a layer of it.")
        layers = list(store["layers"]) if "layers" in store else []
        name, value = ("use_raw", True) if use_raw else ("layer", layer)
        text = f" is not in {_name_of(store)!r}; it has the layers {layers or 'none'}."
        raise ArgumentError(name, Argument(name, value), text)
    return store[place]


def _name_of(store: Any) -> str:
    return str(getattr(store, "filename", None) or store.store)


def _format_of(group: Any) -> str:
    kind = group.attrs.get("encoding-type") or group.attrs.get("h5sparse_format") or ""
    return str(kind.decode() if isinstance(kind, bytes) else kind)[:3]


def _open_anndata(adata: AnnData, layer: str | None, use_raw: bool) -> StoredMatrix:
    from anndata import AnnData

    if use_raw and adata.raw is None:
        raise ArgumentError("use_raw", Argument("use_raw", True), " needs .raw, which the AnnData lacks.")
    if layer is not None and layer not in adata.layers:
        text = f" is not in the AnnData; it has the layers {list(adata.layers) or 'none'}."
        raise ArgumentError("layer", Argument("layer", layer), text)
    var = adata.raw.var if use_raw else adata.var
    frame = AnnData(obs=adata.obs, var=var)
    if not adata.isbacked or layer is not None:  # layers are in memory
        values = _matrix_in(adata, layer, use_raw)
        return StoredMatrix("the AnnData", frame, frame.shape, ROWS, lambda start, stop: values[start:stop])
    stored = _open_file(Path(adata.filename), None, use_raw)  # faster than through anndata
    if adata.is_view:
        return replace(stored, frame=frame, shape=frame.shape, _slice=_slicer_of_view(stored, adata, use_raw))
    return replace(stored, frame=frame)


def _slicer_of_view(stored: StoredMatrix, view: AnnData, use_raw: bool) -> Callable[[int, int], Any]:
    """Return what reads rows of a view of backed cells; anndata refuses to slice these."""
    rows = np.arange(stored.shape[0])[view._oidx]
    columns = slice(None) if use_raw else np.arange(stored.shape[1])[view._vidx]

    def read(start: int, stop: int) -> sparse.csr_matrix:
        wanted, place = np.unique(rows[start:stop], return_inverse=True)
        runs = np.split(wanted, np.flatnonzero(np.diff(wanted) > VIEW_GAP) + 1)
        found = [stored.read(int(run[0]), int(run[-1]) + 1)[run - run[0]] for run in runs]
        return sparse.vstack(found, "csr")[place][:, columns]

    return read


def _matrix_in(adata: AnnData, layer: str | None, use_raw: bool) -> Any:
    if use_raw:
        return adata.raw.X
    return adata.X if layer is None else adata.layers[layer]


def _open_sliceable(X: Any, layer: str | None, use_raw: bool) -> StoredMatrix:
    from anndata import AnnData

    n = len(X)
    first = X[0 : min(1, n)]
    width = first.shape[1] if hasattr(first, "shape") and len(first.shape) == 2 else np.asarray(first).size
    names = getattr(X, "var_names", getattr(first, "var_names", None))
    frame = None
    if names is not None:
        obs = pd.DataFrame(index=pd.RangeIndex(n).astype(str))
        frame = AnnData(obs=obs, var=pd.DataFrame(index=pd.Index(names)))
    rows = int(X.batch_size) if X.batch_size else ROWS

    def read(start: int, stop: int) -> Any:
        block = X[start:stop]
        return _matrix_in(block, layer, use_raw) if is_anndata(block) else block

    return StoredMatrix(f"the {type(X).__name__}", frame, (n, width), rows, read)
