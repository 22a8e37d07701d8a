"""Features of cells as linear maps, for what is solved by products alone."""

from __future__ import annotations

import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.nn import GlobalGraph
from gene_gcn.nn.kernels import product
from gene_gcn.nn.sparse import csr_from_scipy

FAINTEST = 0.05  # of the mean variance, added to each gene's so that the faintest are not blown up


class SmoothedCells:
    """`h = x + λ A x` of all cells, as a linear map: never written out, as A fills a sparse matrix."""

    def __init__(
        self, X: sparse.csr_matrix, device: torch.device, graph: GlobalGraph | None = None, share: float = 0.0
    ):
        self.X = csr_from_scipy(X).to(device)
        self.transposed = csr_from_scipy(sparse.csr_matrix(X.T)).to(device)
        self.shape = X.shape
        self.graph = graph if share else None
        self.share = share

    def __matmul__(self, columns: Tensor) -> Tensor:
        """(cells, N) @ (N, columns)."""
        if self.graph is not None:
            columns = columns + self.share * product(self.graph.adj, columns)
        return product(self.X, columns)

    def adjoint(self, rows: Tensor) -> Tensor:
        """(N, cells) @ (cells, columns)."""
        columns = product(self.transposed, rows)
        return columns if self.graph is None else columns + self.share * product(self.graph.adj_t, columns)

    def views(self, target: Tensor) -> list[Features]:
        """Genes weighted in each of the ways of `gene_weights`.

        By x and not by h, of which the variance of a gene tells how many neighbours it has.
        """
        genes = self.X.col_indices().long()
        squares = torch.zeros(self.shape[1], device=genes.device).index_add_(
            0, genes, self.X.values().square()
        )
        scales = gene_weights(product(self.transposed, target), squares, target.sum(0))
        return [Features(self, scale) for scale in scales]


class Features:
    """`(h − m) ∘ s` of all cells: centred, genes weighted.

    Attributes
    ----------
    scale : Tensor, shape (N,)
        s, the weight of each gene; 1 by default.
    center : Tensor, shape (N,)
        m ∘ s: the mean cell.
    """

    def __init__(self, cells: SmoothedCells, scale: Tensor | None = None):
        n, self.width = cells.shape
        self.cells = cells
        device = cells.X.device
        self.scale = torch.ones(self.width, device=device) if scale is None else scale
        self.center = self.scale * cells.adjoint(torch.full((n, 1), 1 / n, device=device))[:, 0]

    def __len__(self) -> int:
        return self.cells.shape[0]

    def __matmul__(self, columns: Tensor) -> Tensor:
        """(cells, N) @ (N, columns)."""
        return self.cells @ (self.scale[:, None] * columns) - self.center @ columns

    def adjoint(self, rows: Tensor) -> Tensor:
        """(N, cells) @ (cells, columns)."""
        return self.scale[:, None] * self.cells.adjoint(rows) - self.center[:, None] * rows.sum(0)


class Dense:
    """A matrix with the interface of `Features`."""

    def __init__(self, matrix: Tensor):
        self.matrix = matrix
        self.width = matrix.size(1)

    def __len__(self) -> int:
        return len(self.matrix)

    def __matmul__(self, columns: Tensor) -> Tensor:
        return self.matrix @ columns

    def adjoint(self, rows: Tensor) -> Tensor:
        return self.matrix.T @ rows


def gene_weights(sums: Tensor, squares: Tensor, counts: Tensor) -> Tensor:
    """Two weights of each gene by what it tells of the types, (2, N); cells get a mean squared length of 1.

    Both take the fourth root of the share of a gene's variance that lies between the types (the intraclass
    correlation), so that genes without any are left out; more would trust a few cells too much. The first trusts
    genes that are sure to differ: it shrinks by 1 − 1/F, F being the variance between over that within the types,
    which would be 1 by chance. The second hears faint genes: it divides by the standard deviation to the power ¾,
    as most markers are seen in few cells, where square roots of counts vary little.

    Parameters
    ----------
    sums : Tensor, shape (N, K)
        Sum of a gene over the cells of each type.
    squares : Tensor, shape (N,)
        Sum of its squares over all cells.
    counts : Tensor, shape (K,)
        Cells of each type.
    """
    sums, squares, counts = sums.double(), squares.double(), counts.double()
    n, classes = float(counts.sum()), int((counts > 0).sum())
    explained, total = (sums.square() / counts.clamp(min=1)).sum(1), sums.sum(1).square() / n
    between = (explained - total).clamp(min=0) / max(classes - 1, 1)
    within = (squares - explained).clamp(min=0) / max(n - classes, 1.0)
    excess = (between / within.clamp(min=1e-12) - 1).clamp(min=0)  # F − 1
    ratio = excess * classes / n
    root = (ratio / (1 + ratio)) ** 0.25
    variance = (squares - total).clamp(min=0) / n
    spread = (variance + FAINTEST * variance.mean()).clamp(min=1e-12).sqrt()
    weight = torch.stack([root * excess / (1 + excess), root / spread**0.75])
    if not root.any():  # one cell a type, or nothing but noise
        weight = torch.ones_like(weight)
    length = (squares * weight.square()).sum(1, keepdim=True) / n
    return (weight / length.clamp(min=1e-12).sqrt()).float()
