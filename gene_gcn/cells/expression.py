"""The border to AnnData, data frames and arrays: which matrix, which genes, which cells.

Everything behind it sees a CSR float32 matrix (cells, genes). Letters: B cells, N genes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells.gene_columns import keep_genes, names_in_frame, names_in_var
from gene_gcn.cells.matrix import move_columns, to_csr, with_data
from gene_gcn.cells.scale import FORWARD, InferredScale, check_scale, infer_scale, map_values
from gene_gcn.errors import Argument, ArgumentError, DuplicateGenesWarning, first_few, warn
from gene_gcn.genes.names import merge_versions

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["Expression", "as_cells", "check_finite", "is_anndata", "read_expression"]


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
    stated_scale : str, or None
        The scale that the user stated; None to infer it.
    """

    X: sparse.csr_matrix
    genes: tuple[str, ...] | None = None
    cells: tuple[str, ...] | None = None
    var: pd.DataFrame | None = field(default=None, repr=False)
    origin: object = field(default=None, repr=False)
    stated_scale: str | None = None

    @cached_property
    def inferred_scale(self) -> InferredScale:
        """The scale of the values, of each cell if these differ."""
        return infer_scale(self.X)

    @property
    def scale(self) -> str:
        """The scale as `detect_scale` calls it: the stated one, or that of most cells."""
        return self.stated_scale or self.inferred_scale.name

    @property
    def scale_is_certain(self) -> bool:
        """False if the scale is only a guess from the range of the values."""
        return self.stated_scale is not None or self.inferred_scale.is_certain


def read_expression(
    X: Any,
    layer: str | None = None,
    use_raw: bool = False,
    gene_column: str | None = None,
    scale: str | None = None,
) -> Expression:
    """Read cells × genes from an AnnData, a data frame, a sparse matrix or an array.

    Parameters
    ----------
    X : AnnData, DataFrame (columns are genes), sparse matrix or array of any format, ndarray; shape (B, N)
        Never changed. Backed and dense matrices are read in blocks of rows; sparse ones are never made dense.
        Or the path of a file or folder for `read_cells`.
    layer : str, optional
        The layer of the AnnData to read instead of `.X`.
    use_raw : bool
        Read `.raw` of the AnnData instead.
    gene_column : str, optional
        The column of `.var` with the gene names; gaps are filled from the index, which is the default. If the
        index holds positions (0, 1, 2, …), a column known to hold names is used instead, with a warning.
    scale : str, optional
        The scale of the values, one of `gene_gcn.cells.scale.SCALES`; by default inferred from them.

    Returns
    -------
    Expression
        Columns with the same gene name are summed, with a warning, on the linear scale: logarithms and roots
        are inverted, summed and taken again. So are versions of one id (``ENSG….1`` and ``ENSG….2``). Genes
        without a name, and measures of cells such as ``nCount_RNA``, are left out, with a warning.

    Raises
    ------
    ArgumentError
        If there are no cells or genes; if values are NaN, infinite or not numeric; if the AnnData lacks the
        layer, raw or column; if genes are named by some of the positions only; if gene names repeat while
        values are negative, as their sum has no meaning.
    """
    check_scale(scale)
    X = as_cells(X)
    var = cells = genes = None
    matrix = X
    if is_anndata(X):
        matrix, var = _choose_matrix(X, layer, use_raw)
        genes, cells = names_in_var(var, gene_column), tuple(map(str, X.obs_names))
    else:
        _check_no_anndata_arguments(X, layer=layer, use_raw=use_raw or None, gene_column=gene_column)
        if isinstance(X, pd.DataFrame):
            cells = tuple(map(str, X.index))
            genes = names_in_frame(X)

    csr = to_csr(matrix)
    _check_not_empty(csr)
    if genes is not None:
        csr, genes = keep_genes(csr, genes)
    check_finite(csr, genes, cells)
    genes = None if genes is None else tuple(merge_versions(genes))
    if genes is not None and len(set(genes)) < len(genes):
        csr, genes = _sum_duplicate_genes(csr, genes, scale)
    return Expression(csr, genes, cells, var, X, scale)


def as_cells(X: Any, obs_columns: Sequence[str] = ()) -> Any:
    """Return X, or the cells of the file that it is the path of; `obs_columns` are as for `read_cells`."""
    if not isinstance(X, (str, os.PathLike)):
        return X
    from gene_gcn.cells.files import read_cells

    return read_cells(X, obs_columns=obs_columns)


def is_anndata(X: object) -> TypeGuard[AnnData]:
    """Return whether X is an AnnData or behaves like one, without importing anndata."""
    return hasattr(X, "obs_names") and hasattr(X, "var_names") and hasattr(X, "layers")


def _check_no_anndata_arguments(X: object, **arguments: object) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise ArgumentError(
                name,
                Argument(name, value),
                f" selects a part of an AnnData, but X is a {type(X).__name__}; leave it out.",
            )


def _choose_matrix(adata: AnnData, layer: str | None, use_raw: bool) -> tuple[Any, pd.DataFrame]:
    layers = [name for name in adata.layers if name is not None]  # None is .X in anndata ≥ 0.13
    raw, has_X = Argument("use_raw", True), adata.X is not None
    if layer is not None and use_raw:
        both = (Argument("layer", layer), " and ", raw)
        raise ArgumentError("layer", *both, " select two different matrices; pass only one of them.")
    if use_raw:
        if adata.raw is None:
            read_X = ("read .X with ", Argument("use_raw", False), ", or ") if has_X else ()
            layer_of = ("choose a layer with ", Argument("layer"), f" (it has {layers or 'none'}).")
            raise ArgumentError("use_raw", raw, ", but this AnnData has no .raw; ", *read_X, *layer_of)
        return adata.raw.X, adata.raw.var
    if layer is not None and layer not in adata.layers:
        remedy = ("; read .X with ", Argument("layer", None)) if has_X else ()
        text = f" is not in this AnnData; it has {layers or 'no layers'}"
        raise ArgumentError("layer", Argument("layer", layer), text, *remedy, ".")
    matrix = adata.X if layer is None else adata.layers[layer]
    if matrix is None:
        read_raw = () if adata.raw is None else ("read .raw with ", raw, ", or ")
        choose = ("choose a layer with ", Argument("layer"), f" (it has {layers or 'none'}).")
        raise ArgumentError("layer", "This AnnData has no .X; ", *read_raw, *choose)
    return matrix, adata.var


def _check_not_empty(X: sparse.csr_matrix) -> None:
    for count, what in zip(X.shape, ("sample(s)", "feature(s)"), strict=True):  # scikit-learn's words
        if not count:
            text = f"X has 0 {what} (shape={X.shape}) while a minimum of 1 is required."
            raise ArgumentError("X", text)


def check_finite(X: sparse.csr_matrix, genes: Sequence[str] | None, cells: Sequence[str] | None) -> None:
    """Refuse values that are NaN or infinite; names of genes and cells are for the message."""
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
    X: sparse.csr_matrix, genes: tuple[str, ...], stated_scale: str | None
) -> tuple[sparse.csr_matrix, tuple[str, ...]]:
    names, counts = np.unique(np.asarray(genes, dtype=object), return_counts=True)
    duplicates = names[counts > 1].tolist()
    what = f"X has duplicate gene names ({len(duplicates):,}: {first_few(duplicates)})"
    scale = infer_scale(X)
    if scale.name == "scaled":
        text = " and negative values, which cannot be summed; make the gene names unique."
        raise ArgumentError("X", what + text)
    warn(DuplicateGenesWarning(f"{what}; their values are summed. Make the names unique to keep them apart."))
    unique = pd.Index(genes, dtype=object).unique()
    if stated_scale is not None:
        scale = InferredScale.single(stated_scale, True)
    linear = move_columns(with_data(X, map_values(X, scale)), unique.get_indexer(genes), len(unique))
    return with_data(linear, map_values(linear, scale, FORWARD)), tuple(unique)
