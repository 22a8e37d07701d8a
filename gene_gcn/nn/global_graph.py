"""The network of genes that all cells share, as the sparse matrices that products want."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gene_gcn.nn.sparse import csr_from_edges, csr_tensor, to_csr, transpose


class GlobalGraph(NamedTuple):
    """A gene network as :class:`InteractionConv` takes it fastest: :meth:`prepare` it once for many products.

    Sorting edges, or transposing the matrix for the gradient, costs as much as several products.

    Attributes
    ----------
    adj_t : sparse CSR Tensor, shape (N, N)
        The transposed adjacency matrix: rows are targets.
    adj : sparse CSR Tensor, shape (N, N), or None
        Its transpose, for the gradient; the same tensor where the network is symmetric. None leaves making it
        to each backward pass.
    """

    adj_t: Tensor
    adj: Tensor | None = None

    @classmethod
    def from_edges(cls, edge_index: Tensor, edge_weight: Tensor | None, num_genes: int) -> GlobalGraph:
        """From edges (2, E), from the first row to the second, with weights (E,), by default 1."""
        if edge_weight is None:
            edge_weight = torch.ones(edge_index.size(1), device=edge_index.device)
        return cls(csr_from_edges(edge_index, edge_weight, (num_genes, num_genes)))

    @classmethod
    def from_sparse(cls, adj_t) -> GlobalGraph:
        """From a transposed adjacency matrix: torch sparse of any layout, or ``torch_sparse.SparseTensor``."""
        if not isinstance(adj_t, Tensor):
            rowptr, col, value = adj_t.csr()
            value = torch.ones(col.numel(), device=col.device) if value is None else value
            return cls(csr_tensor(rowptr, col, value, adj_t.sizes()))
        return cls(to_csr(adj_t))

    def prepare(self) -> GlobalGraph:
        """With both matrices and, where they suffice, 32-bit indices, which is what MKL computes with."""
        crow, col, value = _parts(self.adj_t)
        index = torch.int32 if len(col) < 2**31 else torch.int64
        adj_t = csr_tensor(crow.to(index), col.to(index), value, self.adj_t.shape)
        adj = transpose(adj_t)
        symmetric = all(torch.equal(*parts) for parts in zip(_parts(adj_t), _parts(adj), strict=True))
        return GlobalGraph(adj_t, adj_t if symmetric else adj)

    def to(self, like: torch.device | torch.dtype) -> GlobalGraph:
        """On a device, or with weights of a type."""
        adj_t = self.adj_t.to(like)
        same = self.adj is self.adj_t
        return GlobalGraph(adj_t, adj_t if same else None if self.adj is None else self.adj.to(like))


def _parts(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return matrix.crow_indices(), matrix.col_indices(), matrix.values()
