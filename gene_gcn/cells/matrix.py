"""Any matrix of cells × genes as canonical CSR, never dense as a whole.

Letters: B cells, N genes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.errors import ArgumentError

__all__ = [
    "csr_from_blocks",
    "move_columns",
    "row_parts",
    "rows_per_block",
    "stored_values",
    "structural_fault",
    "to_csr",
    "with_data",
]

BLOCK = 2**22  # values processed at a time


def to_csr(X: Any) -> sparse.csr_matrix:
    """Convert a matrix to float32 CSR with sorted indices, no duplicates, and no stored zeros.

    Parameters
    ----------
    X : sparse matrix or array of any format, ndarray, DataFrame, list of lists; shape (B, N)
        Never changed. Backed and dense matrices are read in blocks of rows.

    Returns
    -------
    csr_matrix of float32, shape (B, N)
        Shares its arrays with X where X already has this form.

    Raises
    ------
    ArgumentError
        If X is not two-dimensional or not numeric, or its index arrays are damaged.
    """
    if not sparse.issparse(X) and hasattr(X, "to_memory"):
        X = X.to_memory()  # sparse matrix of a backed AnnData
    if isinstance(X, pd.DataFrame) and _is_sparse(X):
        X = X.sparse.to_coo()
    if not hasattr(X, "shape"):
        X = np.asarray(X)
    if len(X.shape) != 2:
        raise ArgumentError(
            "X",
            f"Expected 2D array, got {len(X.shape)}D array instead: X has shape {X.shape}. "
            "Reshape your data to cells as rows and genes as columns.",
        )
    if sparse.issparse(X):
        _check_dtype(X.dtype)
        if fault := structural_fault(X):
            raise ArgumentError("X", f"X is damaged: {fault}; read or make it again.")
        X = sparse.csr_matrix(X)  # shares the arrays of CSR
    else:
        rows = X.iloc if isinstance(X, pd.DataFrame) else X
        X = csr_from_blocks(lambda block: _as_float32(rows[block]), X.shape)
    X.prune()
    if not X.has_canonical_format:
        X = X.copy()  # the next line works in place
        X.sum_duplicates()
    if X.dtype != np.float32:
        with np.errstate(over="ignore"):  # readers check for infinity
            X = with_data(X, X.data.astype(np.float32))
    if np.count_nonzero(X.data) < X.nnz:
        X = X.copy()
        X.eliminate_zeros()
    return X


def structural_fault(X: Any) -> str | None:
    """Say what is wrong with the index arrays of a sparse matrix; SciPy trusts them and would crash."""
    if not sparse.issparse(X) or X.format not in ("csr", "csc"):
        return None
    try:
        # A new matrix on the same arrays, as the check may shorten those of its own.
        type(X)((X.data, X.indices, X.indptr), shape=X.shape).check_format(full_check=True)
    except ValueError as error:
        return str(error)
    return None


def csr_from_blocks(read: Callable[[slice], np.ndarray], shape: tuple[int, int]) -> sparse.csr_matrix:
    """Build a float32 CSR matrix from dense blocks of rows.

    Parameters
    ----------
    read : callable
        Returns the rows of a slice as a dense float32 array.
    shape : tuple of int
        Shape of the whole matrix.

    Returns
    -------
    csr_matrix of float32, shape `shape`
    """
    n_rows, n_columns = shape
    if not n_rows or not n_columns:
        return sparse.csr_matrix(shape, dtype=np.float32)
    step = rows_per_block(n_columns)
    blocks = [sparse.csr_matrix(read(slice(start, start + step))) for start in range(0, n_rows, step)]
    return blocks[0] if len(blocks) == 1 else sparse.vstack(blocks, format="csr")


def rows_per_block(n_columns: int) -> int:
    """Return how many dense rows of `n_columns` values to hold at a time."""
    return max(1, BLOCK // max(1, n_columns))


def row_parts(X: sparse.csr_matrix, values: int = BLOCK) -> Iterator[sparse.csr_matrix]:
    """Yield a matrix in parts of whole rows that share its values and column indices.

    Each has about so many stored values, or is a single row.
    """
    cuts = np.unique(np.searchsorted(X.indptr, [*range(0, X.nnz, values), X.nnz]))
    cuts[0], cuts[-1] = 0, X.shape[0]  # with the empty rows at both ends
    for first, last in pairwise(cuts) if len(cuts) > 1 else [(0, X.shape[0])]:
        start, stop = X.indptr[first], X.indptr[last]
        part = sparse.csr_matrix((last - first, X.shape[1]), dtype=X.dtype)
        part.data, part.indices = X.data[start:stop], X.indices[start:stop]
        part.indptr = X.indptr[first : last + 1] - start
        yield part


def stored_values(X: sparse.csr_matrix) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the stored values of whole rows, block by block, and the number in each row that has any."""
    for part in row_parts(X):
        lengths = np.diff(part.indptr)
        yield part.data, lengths[lengths > 0]


def with_data(X: sparse.csr_matrix, data: np.ndarray) -> sparse.csr_matrix:
    """Return a matrix with the sparsity of X, whose index arrays it shares, and other values."""
    return sparse.csr_matrix((data.astype(np.float32, copy=False), X.indices, X.indptr), shape=X.shape)


def move_columns(X: sparse.csr_matrix, indexer: np.ndarray, n_columns: int) -> sparse.csr_matrix:
    """Move column i of X to column `indexer[i]`, or drop it where that is −1; colliding columns are summed.

    Returns
    -------
    csr_matrix, shape (B, n_columns)
        With sorted indices.
    """
    kept = np.flatnonzero(indexer >= 0)
    ones = np.ones(len(kept), np.float32)
    selection = sparse.csr_matrix((ones, (kept, indexer[kept])), shape=(len(indexer), n_columns))
    moved = X @ selection  # (B, genes of X) -> (B, n_columns)
    moved.sort_indices()
    return moved


def _is_sparse(frame: pd.DataFrame) -> bool:
    zeros = (isinstance(dtype, pd.SparseDtype) and dtype.fill_value == 0 for dtype in frame.dtypes)
    return len(frame.columns) > 0 and all(zeros)


def _as_float32(block: Any) -> np.ndarray:
    is_frame = isinstance(block, pd.DataFrame)
    if not is_frame:
        block = np.asarray(block)
        _check_dtype(block.dtype)
    try:
        with np.errstate(over="ignore"):
            if is_frame:
                return block.to_numpy(dtype=np.float32, na_value=np.nan)
            return block.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        if is_frame:
            text = [column for column in block if not pd.api.types.is_numeric_dtype(block[column].dtype)]
            raise ArgumentError(
                "X",
                f"X has columns that are not numeric: {text[:5]}. Drop them, as every column must be a gene.",
            ) from error
        if isinstance(error, TypeError):
            raise TypeError(f"X must be numeric: {error}") from error
        raise ArgumentError("X", f"X must be numeric: {error}.") from error


def _check_dtype(dtype: np.dtype) -> None:
    if dtype.kind == "c":
        raise ArgumentError("X", f"Complex data not supported: X has dtype {dtype}.")
    if dtype.kind not in "biufO":
        raise ArgumentError(
            "X", f"X has dtype {dtype}, which is not numeric; pass counts or normalized expression."
        )
