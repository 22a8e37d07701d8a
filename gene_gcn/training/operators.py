"""Features of cells as linear operators, for what is solved by products alone.

`matmat` and `rmatmat` are named as in SciPy's `LinearOperator`. A class that has them, over blocks of cells
on disk or over several processes, can take the place of `SmoothedCells`.
"""

from __future__ import annotations

import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.kernels import product
from gene_gcn.nn.sparse import csr_from_scipy, transpose
from gene_gcn.training.reproducibility import torch_threads


class SmoothedCells:
    """`h = x + λ A x` of all cells, (cells, N): never written out, as A fills a sparse matrix.

    Attributes
    ----------
    X : sparse CSR Tensor, shape (cells, N)
    graph : GlobalGraph or None
        A; None where λ is 0.
    network_weight : float
        λ.
    """

    def __init__(
        self,
        X: sparse.csr_matrix,
        device: torch.device,
        graph: GlobalGraph | None = None,
        network_weight: float = 0.0,
        threads: int = 1,
    ):
        self.X = csr_from_scipy(X).to(device)
        self.transposed = csr_from_scipy(sparse.csr_matrix(X.T)).to(device)
        self.shape = X.shape
        self.graph = graph if network_weight else None
        self.network_weight = network_weight
        self.threads = threads

    def matmat(self, columns: Tensor) -> Tensor:
        """Multiply (cells, N) @ (N, columns)."""
        if self.graph is not None:
            columns = columns + self.network_weight * self._product(adjacency(self.graph), columns)
        return self._product(self.X, columns)

    def rmatmat(self, rows: Tensor) -> Tensor:
        """Multiply (N, cells) @ (cells, columns)."""
        columns = self._product(self.transposed, rows)
        if self.graph is None:
            return columns
        return columns + self.network_weight * self._product(self.graph.adj_t, columns)

    def gene_sums(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Sum the expression x of genes, not the smoothed h: by type, (N, K), and squared, (N,)."""
        genes = self.X.col_indices().long()
        squares = torch.zeros(self.shape[1], device=genes.device)
        squares.index_add_(0, genes, self.X.values().square())
        return self._product(self.transposed, target), squares

    def _product(self, matrix: Tensor, columns: Tensor) -> Tensor:
        # Each row is summed by one thread, so that the result does not depend on how many there are.
        with torch_threads(self.threads):
            return product(matrix, columns)


def adjacency(graph: GlobalGraph) -> Tensor:
    """Return the matrix with sources as rows, the transpose of `adj_t`."""
    return transpose(graph.adj_t) if graph.adj is None else graph.adj


class Features:
    """`(h − m) ∘ s` of all cells: centered, genes weighted, and those without weight left out.

    Attributes
    ----------
    genes : Tensor of int64, shape (G,)
        Positions of the genes with a weight.
    scale : Tensor, shape (G,)
        s, the weight of each; 1 by default.
    center : Tensor, shape (G,)
        m ∘ s, where m is the mean cell.
    """

    def __init__(self, cells: SmoothedCells, scale: Tensor | None = None):
        self.cells = cells
        n, width = cells.shape
        device = cells.X.device
        scale = torch.ones(width, device=device) if scale is None else scale
        self.genes = torch.nonzero(scale)[:, 0]
        self.scale = scale[self.genes]
        self.shape = (n, len(self.genes))
        mean = cells.rmatmat(torch.full((n, 1), 1 / n, device=device))[self.genes, 0]
        self.center = self.scale * mean

    def matmat(self, columns: Tensor) -> Tensor:
        return self.cells.matmat(self.to_all_genes(columns)) - self.center @ columns

    def rmatmat(self, rows: Tensor) -> Tensor:
        columns = self.cells.rmatmat(rows)[self.genes]
        return self.scale[:, None] * columns - self.center[:, None] * rows.sum(0)

    def to_all_genes(self, columns: Tensor) -> Tensor:
        """Return the weight (N, columns) of h itself, given that of the features (G, columns)."""
        weight = columns.new_zeros(self.cells.shape[1], columns.size(1))
        return weight.index_copy_(0, self.genes, self.scale[:, None] * columns)


class Dense:
    """A matrix (..., cells, width) with the interface of `Features`, or several of the same shape."""

    def __init__(self, matrix: Tensor):
        self.matrix = matrix
        self.shape = tuple(matrix.shape)

    def matmat(self, columns: Tensor) -> Tensor:
        return self.matrix @ columns

    def rmatmat(self, rows: Tensor) -> Tensor:
        return self.matrix.mT @ rows
