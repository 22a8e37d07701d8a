"""Features of cells as a linear map, for what is solved by products alone: never written out, however dense."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.nn import GlobalGraph
from gene_gcn.nn.global_graph import csr
from gene_gcn.nn.kernels import product

BATCH = 256                         # cells at a time where features are written out


class SparseCells:
    """Cells as a CSR tensor with its transpose, for products from both sides."""

    def __init__(self, X: sparse.csr_matrix, device: torch.device):
        self.X = csr_tensor(X, device)
        self.transposed = csr_tensor(sparse.csr_matrix(X.T), device)
        self.shape = X.shape

    def squares(self) -> Tensor:
        """Sum of squares of each gene, (N,)."""
        genes = self.X.col_indices().long()
        return torch.zeros(self.shape[1], device=genes.device).index_add_(0, genes, self.X.values().square())


class Features:
    """`(x + λ A x − m) ∘ s` of all cells, as a linear map: never written out, as A fills a sparse matrix.

    Attributes
    ----------
    scale : Tensor, shape (N,)
        s, the weight of each gene.
    center : Tensor, shape (N,)
        m ∘ s: the mean cell.
    """

    def __init__(self, cells: SparseCells, graph: GlobalGraph | None = None, share: float = 0.0,
                 scale: Tensor | None = None, center: Tensor | None = None):
        self.cells = cells
        self.graph = graph if share else None
        self.share = share
        n, num_genes = cells.shape
        device = cells.X.device
        self.scale = torch.ones(num_genes, device=device) if scale is None else scale
        self.center = torch.zeros(num_genes, device=device)
        self.center = self.adjoint(torch.full((n, 1), 1 / n, device=device))[:, 0] if center is None else center

    def __len__(self) -> int:
        return self.cells.shape[0]

    @property
    def width(self) -> int:
        return self.cells.shape[1]

    def __matmul__(self, columns: Tensor) -> Tensor:
        """(cells, N) @ (N, columns)."""
        scaled = self.scale[:, None] * columns
        if self.graph is not None:
            scaled = scaled + self.share * product(self.graph.adj, scaled)
        return product(self.cells.X, scaled) - self.center @ columns

    def adjoint(self, rows: Tensor) -> Tensor:
        """(N, cells) @ (cells, columns)."""
        columns = product(self.cells.transposed, rows)
        if self.graph is not None:
            columns = columns + self.share * product(self.graph.adj_t, columns)
        return self.scale[:, None] * columns - self.center[:, None] * rows.sum(0)

    def weighted(self, target: Tensor) -> Features:
        """With genes weighted by what they tell of the types, see `gene_weights`."""
        plain = Features(self.cells, self.graph, self.share, center=torch.zeros_like(self.center))
        scale = gene_weights(plain.adjoint(target), plain._squares(), target.sum(0))
        return Features(self.cells, self.graph, self.share, scale)

    def written_out(self, start: int, stop: int) -> Tensor:
        """`x + λ A x` of some of the cells, dense: (N, cells)."""
        x = _rows(self.cells.X, start, stop).t().contiguous()
        return x if self.graph is None else x + self.share * product(self.graph.adj_t, x)

    def _squares(self) -> Tensor:
        if self.graph is None:
            return self.cells.squares()
        total = torch.zeros(self.width, device=self.scale.device)
        for start in range(0, len(self), BATCH):
            total += self.written_out(start, start + BATCH).square_().sum(1)
        return total


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
    """Weights of genes by what they tell of the types, (N,), that leave cells with a mean squared length of 1.

    The weight is the fourth root of the share of a gene's variance that lies between the types (the intraclass
    correlation), so that genes without any are left out; more would trust a few cells too much.

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
    explained = (sums.square() / counts.clamp(min=1)).sum(1)
    between = (explained - sums.sum(1).square() / n).clamp(min=0) / max(classes - 1, 1)
    within = (squares - explained).clamp(min=0) / max(n - classes, 1.0)
    ratio = ((between / within.clamp(min=1e-12) - 1) * classes / n).clamp(min=0)
    weight = (ratio / (1 + ratio)) ** 0.25
    if not weight.any():                                        # one cell a type, or nothing but noise
        weight = torch.ones_like(weight)
    length = (squares * weight.square()).sum() / n
    return (weight / length.clamp(min=1e-12).sqrt()).float()


def csr_tensor(X: sparse.csr_matrix, device: torch.device) -> Tensor:
    """A scipy matrix as torch has it, with 32-bit indices where they suffice: what MKL computes with."""
    index = np.int32 if X.nnz < 2**31 else np.int64
    parts = (X.indptr.astype(index), X.indices.astype(index), X.data.astype(np.float32))
    return csr(*map(torch.from_numpy, parts), X.shape).to(device)


def _rows(X: Tensor, start: int, stop: int) -> Tensor:
    """Rows of a CSR tensor, dense."""
    crow = X.crow_indices().long()
    stop = min(stop, X.size(0))
    entries = slice(int(crow[start]), int(crow[stop]))
    dense = X.values().new_zeros(stop - start, X.size(1))
    row = torch.repeat_interleave(crow[start:stop + 1].diff())
    dense[row, X.col_indices()[entries].long()] = X.values()[entries]
    return dense


