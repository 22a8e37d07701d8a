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
    """`(h − m) ∘ s` of all cells: centered, genes weighted.

    Attributes
    ----------
    scale : Tensor, shape (N,)
        s, the weight of each gene; 1 by default.
    center : Tensor, shape (N,)
        m ∘ s, where m is the mean cell.
    """

    def __init__(self, cells: SmoothedCells, scale: Tensor | None = None):
        self.cells = cells
        self.shape = cells.shape
        n, width = cells.shape
        device = cells.X.device
        self.scale = torch.ones(width, device=device) if scale is None else scale
        self.center = self.scale * cells.rmatmat(torch.full((n, 1), 1 / n, device=device))[:, 0]

    def matmat(self, columns: Tensor) -> Tensor:
        return self.cells.matmat(self.scale[:, None] * columns) - self.center @ columns

    def rmatmat(self, rows: Tensor) -> Tensor:
        return self.scale[:, None] * self.cells.rmatmat(rows) - self.center[:, None] * rows.sum(0)


class Dense:
    """A matrix with the interface of `Features`."""

    def __init__(self, matrix: Tensor):
        self.matrix = matrix
        self.shape = tuple(matrix.shape)

    def matmat(self, columns: Tensor) -> Tensor:
        return self.matrix @ columns

    def rmatmat(self, rows: Tensor) -> Tensor:
        return self.matrix.T @ rows
