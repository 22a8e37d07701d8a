"""The layer: an attention graph over all genes of a cell plus one network that all cells share."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric import EdgeIndex
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import is_sparse, spmm, to_torch_csr_tensor

from gene_gcn.nn.attention import EmbeddedDotAttention, EqualGenes


class InteractionConv(MessagePassing):
    r"""Gene interactions from an individual and a global graph.

    .. math:: Z = (G + A) \, X W

    :math:`G` is the attention graph of each cell (:class:`EmbeddedDotAttention`), :math:`A` a network of
    genes, the same for all cells, with the weights as given. Nothing is normalised here: see
    ``GeneNetwork.normalized``. Nor is there an activation: see :class:`GeneGCN`.

    :math:`W` starts as the identity where it is square: expression is not negative, and a negative start
    with one channel would leave a following ReLU dead for good.

    Args:
        in_channels: C, features of a gene.
        out_channels: Features of a gene afterwards.
        key_channels: Size :math:`d_k` of the attention's embedding.
        individual_graph: Whether :math:`G` takes part.
        **kwargs: Arguments of :class:`torch_geometric.nn.MessagePassing`.

    Shapes:
        - **x:** :math:`(N, C)` or :math:`(B, N, C)`
        - **edge_index:** :math:`(2, E)` with **edge_weight** :math:`(E)`, from gene ``edge_index[0]`` to gene
          ``edge_index[1]``; or the transposed adjacency matrix :math:`(N, N)` as a torch CSR tensor or a
          ``torch_sparse.SparseTensor``
        - **output:** :math:`(N, C_{out})` or :math:`(B, N, C_{out})`
    """

    def __init__(self, in_channels: int, out_channels: int, key_channels: int = 16,
                 individual_graph: bool = True, **kwargs: Any):
        kwargs.setdefault("aggr", "add")
        super().__init__(**kwargs)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.attention = EmbeddedDotAttention(in_channels, key_channels) if individual_graph else None
        self.lin = nn.Linear(in_channels, out_channels, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        if self.attention is not None:
            self.attention.reset_parameters()
        if self.in_channels == self.out_channels:
            nn.init.eye_(self.lin.weight)
        else:
            nn.init.xavier_uniform_(self.lin.weight)

    def forward(self, x: Tensor, edge_index=None, edge_weight: Tensor | None = None,
                equal: EqualGenes | None = None) -> Tensor:
        """Sum the genes that interact with each gene.

        Args:
            x: Features of the genes, of one cell or of a batch of cells.
            edge_index: The global graph, in any of the forms above; None leaves it out.
            edge_weight: Weights of the edges, by default 1; only with an `edge_index` of shape (2, E).
            equal: Genes of equal features, when they are known (see :class:`EmbeddedDotAttention`).

        Raises:
            ValueError: If there is no graph at all, or the shapes do not fit.
        """
        if isinstance(edge_index, EdgeIndex):
            edge_index = edge_index.as_tensor()
        self._check(x, edge_index, edge_weight)
        cells = x if x.dim() == 3 else x.unsqueeze(0)                   # (B, N, C)
        out = 0
        if self.attention is not None:
            out = self.attention(cells, equal, self._transform)         # G X W
        if edge_index is not None:
            adj_t = edge_index if is_sparse(edge_index) else _adj_t(edge_index, edge_weight, x)
            columns = cells.transpose(0, 1).flatten(1)                  # one product for all cells: (N, B·C)
            columns = self.propagate(adj_t, x=columns.contiguous())
            neighbours = columns.unflatten(1, (len(cells), -1)).transpose(0, 1).contiguous()
            out = out + self._transform(neighbours)                     # A X W
        return out if x.dim() == 3 else out.squeeze(0)

    def _transform(self, x: Tensor) -> Tensor:
        """X W; with one channel a plain multiple, where a matrix product is several times slower."""
        return x * self.lin.weight.view(1) if self.lin.weight.numel() == 1 else self.lin(x)

    def message(self, x_j: Tensor) -> Tensor:
        return x_j

    def message_and_aggregate(self, adj_t, x: Tensor) -> Tensor:
        # Sparse products in half precision are not implemented everywhere.
        with torch.autocast(x.device.type, enabled=False):
            return spmm(adj_t, x.float() if x.dtype in (torch.bfloat16, torch.half) else x, reduce=self.aggr)

    def _check(self, x: Tensor, edge_index, edge_weight) -> None:
        if x.dim() not in (2, 3) or x.size(-1) != self.in_channels:
            raise ValueError(f"x has shape {tuple(x.shape)}, expected (N, {self.in_channels}) or "
                             f"(B, N, {self.in_channels}).")
        if edge_index is None:
            if self.attention is None:
                raise ValueError("edge_index=None with individual_graph=False: there is no graph; pass one.")
            return
        n = x.size(-2)
        if is_sparse(edge_index):
            if edge_weight is not None:
                raise ValueError("edge_weight goes with an edge_index of shape (2, E); a sparse matrix has its "
                                 "weights inside.")
            shape = edge_index.sizes() if hasattr(edge_index, "sizes") else edge_index.shape
            if tuple(shape) != (n, n):
                raise ValueError(f"edge_index is a matrix of shape {tuple(shape)}, but x has {n} genes.")
        elif edge_index.dim() != 2 or edge_index.size(0) != 2:
            raise ValueError(f"edge_index has shape {tuple(edge_index.shape)}, expected (2, E).")
        elif edge_index.numel() and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < n:
            raise ValueError(f"edge_index holds {int(edge_index.min())} to {int(edge_index.max())}, but x has "
                             f"{n} genes, 0 to {n - 1}.")
        elif edge_weight is not None and edge_weight.shape != edge_index.shape[1:]:
            raise ValueError(f"edge_weight has shape {tuple(edge_weight.shape)} for {edge_index.size(1)} edges.")


def _adj_t(edge_index: Tensor, edge_weight: Tensor | None, x: Tensor) -> Tensor:
    """The edges as a CSR matrix with targets as rows; sorting them costs as much as several products."""
    if edge_weight is None:
        edge_weight = torch.ones(edge_index.size(1), device=x.device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse")        # torch on CSR being new and unchecked
        return to_torch_csr_tensor(edge_index.flip(0), edge_weight.to(x.dtype), size=(x.size(-2), x.size(-2)))
