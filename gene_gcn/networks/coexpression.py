"""Co-expression: a gene network from the cells themselves, for any organism and without a download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from gene_gcn.networks.network import GeneNetwork, NetworkSource

# A dense block of standardised expression takes at most this many float32 values (two are held at a time).
_BLOCK_VALUES = 16_000_000
_BLOCK_GENES = 2048
_MIN_BLOCK_GENES = 16


def coexpression(
    X: Any,
    genes: Sequence[str] | None = None,
    *,
    layer: str | None = None,
    n_neighbors: int = 10,
    min_correlation: float = 0.2,
    min_cells: int = 3,
    counts: bool | None = None,
) -> GeneNetwork:
    r"""Connect genes whose expression is correlated over cells.

    The score of two genes is Pearson's correlation

    .. math:: r_{ij} = \frac{\sum_c (x_{ci} - \bar x_i)(x_{cj} - \bar x_j)}
              {\sqrt{\sum_c (x_{ci} - \bar x_i)^2 \sum_c (x_{cj} - \bar x_j)^2}}.

    Each gene chooses its `n_neighbors` most correlated genes with :math:`r \ge` `min_correlation`; two genes
    are connected if either chose the other. All correlations are computed, block by block: the (N, N) matrix
    never exists. To keep an evaluation honest, pass training cells only.

    Parameters
    ----------
    X
        Cells by genes, shape (B, N): AnnData, DataFrame, array or sparse matrix. Expression should be
        normalised for depth; raw counts are too (see `counts`).
    genes
        Names of the genes, shape (N,); for arrays and sparse matrices only, the others have their own.
    layer
        Layer of the AnnData to use; None for ``X``.
    n_neighbors
        Largest number of genes that a gene chooses. A gene that many others choose has more neighbours.
    min_correlation
        Smallest correlation to keep, above 0 and at most 1.
    min_cells
        Genes that are not zero in fewer cells have no edges: their correlations are accidents.
    counts
        Whether X holds raw counts; these become :math:`\sqrt{x \cdot m / d}`, where d is the cell's total and
        m the median total. None: they are if all values are whole numbers and none is negative.

    Returns
    -------
    GeneNetwork
        All N genes in their order; those without a partner have no edge. Weights are correlations divided by
        the largest one.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least 3 cells, names are missing or do not fit, or a parameter is
        out of range.

    Examples
    --------
    >>> X = np.array([[0.0, 0.1, 5.0], [1.0, 1.2, 0.0], [2.0, 1.9, 3.0], [3.0, 3.1, 1.0]])
    >>> coexpression(X, ["A", "B", "C"]).to_frame()[["source", "target"]].values.tolist()
    [['A', 'B']]
    """
    if int(n_neighbors) != n_neighbors or n_neighbors < 1:
        raise ValueError(f"n_neighbors={n_neighbors!r} must be a whole number of at least 1.")
    if not 0 < min_correlation <= 1:
        raise ValueError(f"min_correlation={min_correlation!r} must be above 0 and at most 1.")
    matrix, genes = _matrix_and_genes(X, genes, layer)
    if counts is None:
        counts = matrix.nnz > 0 and bool(
            (matrix.data >= 0).all() and (matrix.data == np.floor(matrix.data)).all()
        )
    elif counts and matrix.nnz and matrix.data.min() < 0:
        raise ValueError(
            "counts=True but X holds negative values; pass counts=False for normalised expression."
        )
    matrix = (_sqrt_of_scaled(matrix) if counts else matrix).tocsc()
    expressed = np.flatnonzero(np.diff(matrix.indptr) >= min_cells)
    rows, columns, correlation = _strongest(matrix[:, expressed], int(n_neighbors), float(min_correlation))
    edge_index = np.stack([expressed[rows], expressed[columns]])
    return GeneNetwork(genes, edge_index, correlation, source=NetworkSource(name="co-expression"))


def _matrix_and_genes(X: Any, genes: Any, layer: str | None) -> tuple[sp.csr_array, list[str]]:
    """Take the (B, N) matrix and the names of its genes out of whatever X is; explicit zeros are dropped."""
    own = None
    if hasattr(X, "var_names") and hasattr(X, "layers"):  # AnnData
        own = X.var_names
        if layer is not None and layer not in X.layers:
            raise ValueError(f"layer={layer!r} is not in X.layers; it has {sorted(X.layers)}.")
        X = X.X if layer is None else X.layers[layer]
    elif layer is not None:
        raise ValueError(f"layer={layer!r} is for AnnData only, but X is a {type(X).__name__}.")
    elif isinstance(X, pd.DataFrame):
        own = X.columns
        X = X.to_numpy()
    if own is not None and genes is not None:
        raise ValueError("genes is for arrays and sparse matrices only; X has its own names of genes.")
    genes = own if genes is None else genes
    if genes is None:
        raise ValueError(
            f"X is a {type(X).__name__} without names of genes; pass genes=, one for each column."
        )
    matrix = X if sp.issparse(X) else np.asarray(X)
    if matrix.ndim != 2 or matrix.shape[0] < 3:
        raise ValueError(
            f"X has shape {matrix.shape}; correlations need cells by genes with at least 3 cells."
        )
    if matrix.dtype.kind not in "fiub":
        raise ValueError(f"X holds {matrix.dtype}; it must hold numbers.")
    genes = list(genes)
    if len(genes) != matrix.shape[1]:
        raise ValueError(
            f"genes has {len(genes):,} names but X has {matrix.shape[1]:,} columns; pass one for each column."
        )
    matrix = sp.csr_array(matrix, dtype=np.float32, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    if not np.isfinite(matrix.data).all():
        raise ValueError("X holds missing or infinite values; fill or drop them first.")
    return matrix, genes


def _sqrt_of_scaled(matrix: sp.csr_array) -> sp.csr_array:
    depth = np.asarray(matrix.sum(axis=1, dtype=np.float64)).ravel()
    scale = np.divide(np.median(depth[depth > 0]), depth, out=np.zeros_like(depth), where=depth > 0)
    data = np.sqrt(matrix.data * np.repeat(scale, np.diff(matrix.indptr)))
    return sp.csr_array((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def _strongest(matrix: sp.csc_array, k: int, minimum: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each gene, up to k partners with the largest correlations of at least `minimum`.

    Blocks above the diagonal serve the genes of their rows and those of their columns, so that each
    correlation is computed once. Every block passes on the best k of each gene; the best k of these are the
    best k of all.
    """
    num_cells, num_genes = matrix.shape
    width = int(np.clip(_BLOCK_VALUES // num_cells, _MIN_BLOCK_GENES, _BLOCK_GENES))
    starts = range(0, num_genes, width)
    found = []
    for i in starts:
        left = _standardised(matrix[:, i : i + width])
        for j in starts[i // width :]:
            right = left if i == j else _standardised(matrix[:, j : j + width])
            block = left.T @ right  # (B, n), (B, m) -> (n, m)
            if i == j:
                np.fill_diagonal(block, 0)
            found.append(_top(block, k, minimum, i, j))
            if i != j:
                found.append(_top(block.T, k, minimum, j, i))
    if not found:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
    rows, columns, values = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((columns, -values, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    keep = rank < k
    return rows[keep], columns[keep], np.minimum(values[keep], 1)  # rounding can give 1 + 1e-7


def _standardised(matrix: sp.csc_array) -> np.ndarray:
    """Centre the columns and scale them to length 1: products are correlations. Constant ones become 0."""
    dense = matrix.toarray()
    dense -= dense.mean(axis=0, dtype=np.float64).astype(np.float32)
    length = np.sqrt(np.einsum("bn,bn->n", dense, dense, dtype=np.float64))
    # What rounding leaves of a constant column is no variance.
    varies = length > 1e-6 * np.sqrt(len(dense)) * np.maximum(
        abs(matrix).max(axis=0).toarray().ravel(), 1e-30
    )
    dense *= np.divide(1, length, out=np.zeros_like(length), where=varies).astype(np.float32)
    return dense


def _top(
    block: np.ndarray, k: int, minimum: float, row: int, column: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the k largest values of each row that reach the minimum, with their places in the whole."""
    rows, columns = np.nonzero(block >= minimum)
    values = block[rows, columns]
    crowded = np.bincount(rows, minlength=len(block)) > k
    if crowded.any():  # only where more than k reach the minimum is there something to choose
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        keep = np.arange(len(rows)) - np.searchsorted(rows, rows) < k
        rows, columns, values = rows[keep], columns[keep], values[keep]
    return rows + row, columns + column, values
