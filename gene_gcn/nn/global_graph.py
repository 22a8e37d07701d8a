"""The gene network that all cells share, as sparse matrices that are ready for products."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from gene_gcn.nn.sparse import csr_from_edges, csr_tensor, to_csr, transpose

if TYPE_CHECKING:
    from torch_geometric.typing import SparseTensor


class GlobalGraph(NamedTuple):
    """A gene network in the fastest form for :class:`InteractionConv`; :meth:`prepare` it for repeated use.

    Sorting edges, or transposing the matrix for the gradient, costs as much as several products.

    Attributes:
        adj_t: The transposed adjacency matrix, whose rows are targets; sparse CSR, (N, N).
        adj: Its transpose for the gradient, sparse CSR, (N, N); the same tensor if the network is symmetric.
            If None, each backward pass transposes `adj_t`.
    """

    adj_t: Tensor
    adj: Tensor | None = None

    @classmethod
    def from_edges(cls, edge_index: Tensor, edge_weight: Tensor | None, num_genes: int) -> GlobalGraph:
        """Build the graph from edges.

        Args:
            edge_index: Edges from genes of the first row to genes of the second, (2, E).
            edge_weight: Weights, (E,), by default 1.
            num_genes: N.
        """
        if edge_weight is None:
            edge_weight = torch.ones(edge_index.size(1), device=edge_index.device)
        return cls(csr_from_edges(edge_index, edge_weight, (num_genes, num_genes)))

    @classmethod
    def from_sparse(cls, adj_t: Tensor | SparseTensor) -> GlobalGraph:
        """Build the graph from a transposed adjacency matrix.

        Args:
            adj_t: A sparse torch tensor of any layout, or a ``torch_sparse.SparseTensor``.
        """
        if not isinstance(adj_t, Tensor):
            rowptr, col, value = adj_t.csr()
            value = torch.ones(col.numel(), device=col.device) if value is None else value
            return cls(csr_tensor(rowptr, col, value, adj_t.sizes()))
        return cls(to_csr(adj_t))

    def prepare(self) -> GlobalGraph:
        """Return the graph with both matrices and, where they suffice, the 32-bit indices that MKL uses."""
        crow, col, value = _parts(self.adj_t)
        index = torch.int32 if len(col) < 2**31 else torch.int64
        adj_t = csr_tensor(crow.to(index), col.to(index), value, self.adj_t.shape)
        adj = transpose(adj_t)
        symmetric = all(torch.equal(*parts) for parts in zip(_parts(adj_t), _parts(adj), strict=True))
        return GlobalGraph(adj_t, adj_t if symmetric else adj)

    def __deepcopy__(self, memo: dict[int, object]) -> GlobalGraph:
        return self  # torch cannot copy CSR tensors, and nothing changes these

    def to(self, target: torch.device | torch.dtype) -> GlobalGraph:
        """Move the graph to a device, or convert its weights to a data type."""
        adj_t = self.adj_t.to(target)
        if self.adj is self.adj_t:
            return GlobalGraph(adj_t, adj_t)
        return GlobalGraph(adj_t, None if self.adj is None else self.adj.to(target))


def _parts(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return matrix.crow_indices(), matrix.col_indices(), matrix.values()
