"""Co-expression: a gene network from the cells themselves, for any organism and without a download."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from gene_gcn.cells import Expression, Normalizer, read_expression
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.names import check_gene_names
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.source import NetworkSource

# A dense block of standardized expression takes at most this many float32 values (two are held at a time).
_BLOCK_VALUES = 16_000_000
_BLOCK_GENES = 2048
_MIN_BLOCK_GENES = 16


def coexpression(
    X: Any,
    genes: Sequence[str] | None = None,
    *,
    layer: str | None = None,
    use_raw: bool = False,
    normalization: str = "auto",
    n_neighbors: int = 10,
    min_correlation: float = 0.2,
    min_cells: int = 3,
) -> GeneNetwork:
    r"""Connect genes whose expression is correlated across cells.

    The score of two genes is Pearson's correlation

    .. math:: r_{ij} = \frac{\sum_c (x_{ci} - \bar x_i)(x_{cj} - \bar x_j)}
              {\sqrt{\sum_c (x_{ci} - \bar x_i)^2 \sum_c (x_{cj} - \bar x_j)^2}}.

    Each gene chooses its `n_neighbors` most correlated genes with :math:`r \ge` `min_correlation`; two genes
    are connected if either chose the other. All correlations are computed, block by block: the (N, N) matrix
    never exists. To keep an evaluation honest, pass training cells only.

    Parameters
    ----------
    X : AnnData, DataFrame (columns are genes), sparse matrix or array, ndarray; shape (B, N)
        Cells × genes. Never changed.
    genes : sequence of str, optional
        Names of the columns of an array or sparse matrix, shape (N,). AnnData and DataFrames have their own.
    layer : str, optional
        The layer of the AnnData to read instead of `.X`.
    use_raw : bool
        Read `.raw` of the AnnData instead.
    normalization : {"auto", "sqrt", "log1p", "none"}
        What is correlated, as in `GeneGCNClassifier`. "auto" is "sqrt": square roots of counts scaled to the
        median depth, whatever the scale of X (counts, CP10k, log1p…). "none" takes the values as they are,
        negative ones too; "auto" does so for arrays and data frames with negative values.
    n_neighbors : int
        Largest number of genes that a gene chooses. A gene that many others choose has more neighbors.
    min_correlation : float
        Smallest correlation to keep, above 0 and at most 1.
    min_cells : int
        Genes expressed in fewer cells have no edges: their correlations are due to chance.

    Returns
    -------
    GeneNetwork
        All N genes in their order; those without a partner have no edge. Weights are correlations divided by
        the largest one.

    Raises
    ------
    ArgumentError
        If X is not a finite matrix of at least 3 cells or cannot be normalized, gene names are missing or do
        not fit, or a parameter is out of range.

    Examples
    --------
    >>> counts = np.array([[1, 1, 8], [2, 3, 5], [3, 3, 4], [5, 4, 1]])
    >>> coexpression(counts, ["A", "B", "C"]).to_frame()[["source", "target"]].values.tolist()
    [['A', 'B']]
    """
    if int(n_neighbors) != n_neighbors or n_neighbors < 1:
        text = " must be a whole number of at least 1."
        raise ArgumentError("n_neighbors", Argument("n_neighbors", n_neighbors), text)
    if not 0 < min_correlation <= 1:
        text = " must be above 0 and at most 1."
        raise ArgumentError("min_correlation", Argument("min_correlation", min_correlation), text)
    expression = read_expression(X, layer, use_raw)
    names = _gene_names(expression, genes)
    expression = replace(expression, genes=names)
    if expression.X.shape[0] < 3:
        text = f"X has only {expression.X.shape[0]} cells, but correlations need at least 3."
        raise ArgumentError("X", text)
    matrix = Normalizer.fit(expression, normalization).transform(expression).tocsc()
    expressed = np.flatnonzero(np.diff(matrix.indptr) >= min_cells)
    rows, columns, correlation = _strongest(matrix[:, expressed], int(n_neighbors), float(min_correlation))
    edge_index = np.stack([expressed[rows], expressed[columns]])
    return GeneNetwork(names, edge_index, correlation, source=NetworkSource(name="co-expression"))


def _gene_names(expression: Expression, genes: Sequence[str] | None) -> tuple[str, ...]:
    kind = type(expression.origin).__name__
    if genes is None:
        if expression.genes is None:
            text = f"X is a {kind} without gene names; pass one for each column with "
            raise ArgumentError("genes", text, Argument("genes"), ".")
        return expression.genes
    if expression.genes is not None:
        text = f" is for arrays and sparse matrices only, but X is a {kind} with gene names of its own."
        raise ArgumentError("genes", Argument("genes"), text)
    names, n = check_gene_names(genes), expression.X.shape[1]
    if len(names) != n:
        text = f"genes has {len(names):,} names, but X has {n:,} columns; pass one for each."
        raise ArgumentError("genes", text)
    return names


def _strongest(
    matrix: sparse.csc_matrix, k: int, minimum: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for each gene, up to k partners with the largest correlations of at least `minimum`.

    Blocks above the diagonal serve the genes of their rows and of their columns, so that each correlation is
    computed once. Every block keeps the best k of each gene, among which are the best k of all.
    """
    num_cells, num_genes = matrix.shape
    width = int(np.clip(_BLOCK_VALUES // num_cells, _MIN_BLOCK_GENES, _BLOCK_GENES))
    starts = range(0, num_genes, width)
    found = []
    for i in starts:
        left = _standardize(matrix[:, i : i + width])
        for j in starts[i // width :]:
            right = left if i == j else _standardize(matrix[:, j : j + width])
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


def _standardize(matrix: sparse.csc_matrix) -> np.ndarray:
    """Center the columns and scale them to length 1: products are correlations. Constant ones become 0."""
    dense = matrix.toarray()
    dense -= dense.mean(axis=0, dtype=np.float64).astype(np.float32)
    length = np.sqrt(np.einsum("bn,bn->n", dense, dense, dtype=np.float64))
    # Rounding errors of a constant column are not variance.
    varies = length > 1e-6 * np.sqrt(len(dense)) * np.maximum(
        abs(matrix).max(axis=0).toarray().ravel(), 1e-30
    )
    dense *= np.divide(1, length, out=np.zeros_like(length), where=varies).astype(np.float32)
    return dense


def _top(
    block: np.ndarray, k: int, minimum: float, row: int, column: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the k largest values of each row that reach the minimum, with their positions in the whole."""
    rows, columns = np.nonzero(block >= minimum)
    values = block[rows, columns]
    crowded = np.bincount(rows, minlength=len(block)) > k
    if crowded.any():  # elsewhere there is nothing to choose
        order = np.lexsort((columns, -values, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        keep = np.arange(len(rows)) - np.searchsorted(rows, rows) < k
        rows, columns, values = rows[keep], columns[keep], values[keep]
    return rows + row, columns + column, values
