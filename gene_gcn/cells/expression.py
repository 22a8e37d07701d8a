"""The border to AnnData, data frames and arrays: which matrix, which genes, which cells.

Everything behind it sees a CSR float32 matrix (cells, genes). Letters: B cells, N genes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells.matrix import move_columns, to_csr, with_data
from gene_gcn.cells.scale import FORWARD, INVERSE, infer_scale
from gene_gcn.errors import Argument, ArgumentError, DuplicateGenesWarning, warn

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Expression", "first_few", "is_anndata", "read_expression"]


@dataclass(frozen=True, eq=False)
class Expression:
    """A matrix of expression values with the names of its rows and columns.

    Attributes
    ----------
    X : csr_matrix of float32, shape (B, N)
        Sorted indices, no duplicates, no stored zeros. Read only: it may share memory with the user's matrix.
    genes : tuple of str, or None
        Unique gene names; None for arrays and for data frames with default column labels.
    cells : tuple of str, or None
    var : DataFrame, or None
        The gene table of an AnnData: other names to suggest when `genes` do not match a model's.
    origin : object
        What the user passed, for error messages.
    """

    X: sparse.csr_matrix
    genes: tuple[str, ...] | None = None
    cells: tuple[str, ...] | None = None
    var: pd.DataFrame | None = field(default=None, repr=False)
    origin: object = field(default=None, repr=False)

    @cached_property
    def _inferred(self) -> tuple[str, bool]:
        return infer_scale(self.X)

    @property
    def scale(self) -> str:
        """The scale of the values, as `detect_scale` calls it."""
        return self._inferred[0]

    @property
    def scale_is_certain(self) -> bool:
        """False if the scale is only a guess from the range of the values."""
        return self._inferred[1]


def read_expression(
    X: Any, layer: str | None = None, use_raw: bool = False, gene_column: str | None = None
) -> Expression:
    """Read cells × genes from an AnnData, a data frame, a sparse matrix or an array.

    Parameters
    ----------
    X : AnnData, DataFrame (columns are genes), sparse matrix or array of any format, ndarray; shape (B, N)
        Never changed. Backed and dense matrices are read in blocks of rows; sparse ones are never made dense.
    layer : str, optional
        The layer of the AnnData to read instead of `.X`.
    use_raw : bool
        Read `.raw` of the AnnData instead.
    gene_column : str, optional
        The column of `.var` with the gene names; gaps are filled from the index, which is the default.

    Returns
    -------
    Expression
        Columns with the same gene name are summed, with a warning, on the linear scale: logarithms and roots
        are inverted, summed and taken again.

    Raises
    ------
    ArgumentError
        If there are no cells or genes; if values are NaN, infinite or not numeric; if the AnnData lacks the
        layer, raw or column; if gene names repeat while values are negative, as their sum has no meaning.
    """
    var = cells = genes = None
    matrix = X
    if is_anndata(X):
        matrix, var = _choose_matrix(X, layer, use_raw)
        genes, cells = _gene_names(var, gene_column), tuple(map(str, X.obs_names))
    else:
        _check_no_anndata_arguments(X, layer=layer, use_raw=use_raw or None, gene_column=gene_column)
        if isinstance(X, pd.DataFrame):
            cells = tuple(map(str, X.index))
            genes = None if X.columns.equals(pd.RangeIndex(X.shape[1])) else tuple(map(str, X.columns))

    csr = to_csr(matrix)
    _check_not_empty(csr)
    _check_finite(csr, genes, cells)
    if genes is not None and len(set(genes)) < len(genes):
        csr, genes = _sum_duplicate_genes(csr, genes)
    return Expression(csr, genes, cells, var, X)


def is_anndata(X: object) -> TypeGuard[AnnData]:
    """Return whether X is an AnnData or behaves like one, without importing anndata."""
    return hasattr(X, "obs_names") and hasattr(X, "var_names") and hasattr(X, "layers")


def first_few(names: Sequence[object], n: int = 3) -> str:
    """Return the first names as text for a message: ``A, B, C, …``."""
    return ", ".join([*map(str, names[:n]), *(["…"] if len(names) > n else [])])


def _check_no_anndata_arguments(X: object, **arguments: object) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise ArgumentError(
                name,
                Argument(name, value),
                f" selects a part of an AnnData, but X is a {type(X).__name__}; leave it out.",
            )


def _choose_matrix(adata: AnnData, layer: str | None, use_raw: bool) -> tuple[Any, pd.DataFrame]:
    layers = list(adata.layers)
    raw = Argument("use_raw", True)
    if layer is not None and use_raw:
        both = (Argument("layer", layer), " and ", raw)
        raise ArgumentError("layer", *both, " select two different matrices; pass only one of them.")
    if use_raw:
        if adata.raw is None:
            remedy = (Argument("layer"), f" (it has {layers or 'none'}).")
            text = ", but this AnnData has no .raw; leave it out, or choose a layer with "
            raise ArgumentError("use_raw", raw, text, *remedy)
        return adata.raw.X, adata.raw.var
    if layer is not None and layer not in adata.layers:
        text = f" is not in this AnnData; it has {layers or 'no layers'}."
        raise ArgumentError("layer", Argument("layer", layer), text)
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        text = f" (it has {layers or 'none'})."
        raise ArgumentError("layer", "This AnnData has no .X; choose a layer with ", Argument("layer"), text)
    return matrix, adata.var


def _gene_names(var: pd.DataFrame, column: str | None) -> tuple[str, ...]:
    if column is None:
        return tuple(map(str, var.index))
    if column not in var.columns:
        text = f" is not a column of .var; it has {list(var.columns) or 'no columns'}."
        raise ArgumentError("gene_column", Argument("gene_column", column), text)
    pairs = zip(var[column].astype(object), var.index, strict=True)
    return tuple(str(index if pd.isna(name) or name == "" else name) for name, index in pairs)


def _check_not_empty(X: sparse.csr_matrix) -> None:
    for count, what in zip(X.shape, ("sample(s)", "feature(s)"), strict=True):  # scikit-learn's words
        if not count:
            text = f"X has 0 {what} (shape={X.shape}) while a minimum of 1 is required."
            raise ArgumentError("X", text)


def _check_finite(X: sparse.csr_matrix, genes: Sequence[str] | None, cells: Sequence[str] | None) -> None:
    bad = np.flatnonzero(~np.isfinite(X.data))
    if not len(bad):
        return
    row, column = int(np.searchsorted(X.indptr, bad[0], side="right")) - 1, int(X.indices[bad[0]])
    what = "NaN" if np.isnan(X.data[bad]).any() else "infinity or a value too large for dtype('float32')"
    cell, gene = cells[row] if cells else row, genes[column] if genes else column
    raise ArgumentError(
        "X",
        f"Input X contains {what} ({len(bad):,} such values, the first in cell {cell!r}, gene {gene!r}). "
        "Set missing values to 0, or drop these genes.",
    )


def _sum_duplicate_genes(
    X: sparse.csr_matrix, genes: tuple[str, ...]
) -> tuple[sparse.csr_matrix, tuple[str, ...]]:
    names, counts = np.unique(np.asarray(genes, dtype=object), return_counts=True)
    duplicates = names[counts > 1].tolist()
    what = f"X has duplicate gene names ({len(duplicates):,}: {first_few(duplicates)})"
    scale = infer_scale(X)[0]
    if scale == "scaled":
        text = " and negative values, which cannot be summed; make the gene names unique."
        raise ArgumentError("X", what + text)
    warn(DuplicateGenesWarning(f"{what}; their values are summed. Make the names unique to keep them apart."))
    unique = pd.Index(genes, dtype=object).unique()
    linear = move_columns(with_data(X, INVERSE[scale](X.data)), unique.get_indexer(genes), len(unique))
    return with_data(linear, FORWARD[scale](linear.data)), tuple(unique)
