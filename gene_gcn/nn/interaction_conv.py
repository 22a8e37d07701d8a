"""The layer: an attention graph over all genes of a cell plus one network that all cells share."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch_geometric import EdgeIndex
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import is_sparse

from gene_gcn.nn.attention import ATTENTIONS
from gene_gcn.nn.equal_genes import EqualGenes
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.kernels import product

SOFTPLUS_OF_THIS_IS_1 = math.log(math.e - 1)


class InteractionConv(MessagePassing):
    r"""Gene interactions from an individual and a global graph.

    .. math:: Z = (G + A) \, X W

    :math:`G` is the attention graph of each cell (:class:`GeneAttention`), :math:`A` a network of genes, the
    same for all cells, with the weights as given. Nothing is normalised here: see ``GeneNetwork.normalized``.
    Nor is there an activation: see :class:`GeneGCN`. With several attention graphs, each has its own
    :math:`W_h` and the mean is taken, :math:`Z = \frac{1}{H} \sum_h (G_h + A) X W_h`. With `learn_mixing`,
    :math:`\alpha G + \beta A` takes the place of :math:`G + A`.

    :math:`W` starts as the identity where it is square: expression is not negative, and a negative start
    with one channel would leave a following ReLU dead for good.

    Args:
        in_channels: C, features of a gene.
        out_channels: Features of a gene afterwards.
        key_channels: Size :math:`d_k` of the embedding of "embedded_dot".
        attention: The attention function of :math:`G`, "embedded_dot", "dot" or "additive"; None leaves
            :math:`G` out.
        heads: H, attention graphs in parallel.
        learn_mixing: Learn :math:`\alpha, \beta \ge 0`, both 1 at the start; see `mixing_weights`.

    Shapes:
        - **x:** :math:`(N, C)` or :math:`(B, N, C)`
        - **edge_index:** :math:`(2, E)` with **edge_weight** :math:`(E)`, from gene ``edge_index[0]`` to gene
          ``edge_index[1]``; or the transposed adjacency matrix :math:`(N, N)` as a sparse torch tensor, a
          ``torch_sparse.SparseTensor`` or, fastest for repeated use, a :class:`GlobalGraph`
        - **output:** :math:`(N, C_{out})` or :math:`(B, N, C_{out})`
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        key_channels: int = 16,
        attention: str | None = "embedded_dot",
        heads: int = 1,
        learn_mixing: bool = False,
    ):
        super().__init__(aggr="add")
        if attention is not None and attention not in ATTENTIONS:
            raise ValueError(
                f"attention={attention!r} is unknown; choose one of {tuple(ATTENTIONS)} or None."
            )
        if heads < 1:
            raise ValueError(
                f"heads={heads} must be 1 or more; attention=None leaves the attention graph out."
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.heads = heads if attention is not None else 1
        options = {"key_channels": key_channels} if attention == "embedded_dot" else {}
        self.attention = None if attention is None else ATTENTIONS[attention](in_channels, heads, **options)
        self.lin = nn.Linear(in_channels, self.heads * out_channels, bias=False)
        self.mixing = nn.Parameter(torch.empty(2)) if learn_mixing else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        super().reset_parameters()
        if self.attention is not None:
            self.attention.reset_parameters()
        for weight in self.lin.weight.split(self.out_channels):
            if self.in_channels == self.out_channels:
                nn.init.eye_(weight)
            else:
                nn.init.xavier_uniform_(weight)
        if self.mixing is not None:
            nn.init.constant_(self.mixing, SOFTPLUS_OF_THIS_IS_1)

    def mixing_weights(self) -> Tensor:
        r""":math:`\alpha` and :math:`\beta`, the weights of the individual and the global graph."""
        return self.lin.weight.new_ones(2) if self.mixing is None else F.softplus(self.mixing)

    def effective_mixing(self) -> Tensor:
        """The mixing weights; with one channel times W, one number then (the mean over graphs)."""
        weights = self.mixing_weights()
        return weights * self.lin.weight.mean() if self.in_channels == self.out_channels == 1 else weights

    def forward(
        self, x: Tensor, edge_index=None, edge_weight: Tensor | None = None, equal: EqualGenes | None = None
    ) -> Tensor:
        """Sum the genes that interact with each gene.

        Args:
            x: Features of the genes, of one cell or of a batch of cells.
            edge_index: The global graph, in any of the forms above; None leaves it out.
            edge_weight: Weights of the edges, by default 1; only with an `edge_index` of shape (2, E). They
                get a gradient if they require one.
            equal: Genes of equal features, when they are known (see :class:`GeneAttention`).

        Raises:
            ValueError: If there is no graph at all, or the shapes do not fit.
        """
        if isinstance(edge_index, EdgeIndex):
            edge_index = edge_index.as_tensor()
        self._check(x, edge_index, edge_weight)
        cells = x if x.dim() == 3 else x.unsqueeze(0)  # (B, N, C)
        weight = self.lin.weight.unflatten(0, (self.heads, -1)).transpose(1, 2)  # (H, C, C_out)
        individual, shared = (1, 1) if self.mixing is None else self.mixing_weights()
        out = None
        if self.attention is not None:
            out = self.attention(cells, weight * individual, equal)  # G X W
        if edge_index is not None:
            columns = cells.transpose(0, 1).flatten(1).contiguous()  # one product for all cells: (N, B·C)
            columns = self._propagate(columns, edge_index, edge_weight)
            neighbours = columns.unflatten(1, (len(cells), -1)).transpose(0, 1)
            out = _add_product(out, neighbours, weight.mean(0) * shared)  # A X W
        return out if x.dim() == 3 else out.squeeze(0)

    def _propagate(self, x: Tensor, edge_index, edge_weight: Tensor | None) -> Tensor:
        if isinstance(edge_index, Tensor) and not is_sparse(edge_index):
            # Learned weights, explanations and compiled code need the messages; sparse tensors know neither.
            learned = edge_weight is not None and edge_weight.requires_grad
            if learned or self.explain or torch.compiler.is_compiling():
                weight = x.new_ones(edge_index.size(1)) if edge_weight is None else edge_weight.to(x.dtype)
                return self.propagate(
                    edge_index, x=x, edge_weight=weight, adj=None, size=(x.size(0), x.size(0))
                )
            edge_index = GlobalGraph.from_edges(edge_index, edge_weight, x.size(0))
        elif not isinstance(edge_index, GlobalGraph):
            edge_index = GlobalGraph.from_sparse(edge_index)
        return self.propagate(edge_index.adj_t, x=x, edge_weight=None, adj=edge_index.adj)

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        return x_j * edge_weight.unsqueeze(1)

    def message_and_aggregate(self, adj_t, x: Tensor, adj: Tensor | None) -> Tensor:
        # Sparse products in half precision are not implemented everywhere.
        dtype = torch.float32 if x.dtype in (torch.bfloat16, torch.half) else x.dtype
        adj_t, adj = GlobalGraph(adj_t, adj).to(dtype)
        with torch.autocast(x.device.type, enabled=False):
            return product(adj_t, x.to(dtype), adj)

    def _check(self, x: Tensor, edge_index, edge_weight) -> None:
        if x.dim() not in (2, 3) or x.size(-1) != self.in_channels:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, expected (N, {self.in_channels}) or "
                f"(B, N, {self.in_channels})."
            )
        if edge_index is None:
            if self.attention is None:
                raise ValueError("edge_index=None with attention=None: there is no graph; pass one.")
            return
        n = x.size(-2)
        matrix = edge_index.adj_t if isinstance(edge_index, GlobalGraph) else edge_index
        if is_sparse(matrix):
            if isinstance(matrix, Tensor) and matrix.requires_grad:
                raise ValueError(
                    "edge_index is a sparse matrix that requires a gradient; pass its edges as "
                    "(2, E) and the weights as edge_weight, which gets one."
                )
            if edge_weight is not None:
                raise ValueError(
                    "edge_weight goes with an edge_index of shape (2, E); a sparse matrix has its "
                    "weights inside."
                )
            shape = matrix.sizes() if hasattr(matrix, "sizes") else matrix.shape
            if tuple(shape) != (n, n):
                raise ValueError(f"edge_index is a matrix of shape {tuple(shape)}, but x has {n} genes.")
        elif edge_index.dim() != 2 or edge_index.size(0) != 2:
            raise ValueError(f"edge_index has shape {tuple(edge_index.shape)}, expected (2, E).")
        elif edge_weight is not None and edge_weight.shape != edge_index.shape[1:]:
            raise ValueError(
                f"edge_weight has shape {tuple(edge_weight.shape)} for {edge_index.size(1)} edges."
            )
        elif not torch.compiler.is_compiling() and edge_index.numel():
            low, high = map(int, edge_index.aminmax())
            if not 0 <= low <= high < n:
                raise ValueError(f"edge_index holds {low} to {high}, but x has {n} genes, 0 to {n - 1}.")


def _add_product(out: Tensor | None, x: Tensor, weight: Tensor) -> Tensor:
    if weight.numel() == 1:
        return _AddScaled.apply(out, x, weight)
    x = (x.transpose(0, 1) @ weight).transpose(0, 1)  # (B, N, C), gene after gene in memory
    return x if out is None else out + x


class _AddScaled(torch.autograd.Function):
    """out + x · weight in place, for one number, whose gradient autograd would sum from a table as large as x."""

    @staticmethod
    def forward(ctx, out: Tensor | None, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        if out is None:
            return x * weight.view(())
        ctx.mark_dirty(out)
        out.addcmul_(x, weight.view(()))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor]:
        x, weight = ctx.saved_tensors
        by_x = grad * weight.view(()) if ctx.needs_input_grad[1] else None
        by_weight = torch.dot(grad.transpose(0, 1).flatten(), x.transpose(0, 1).flatten())
        return grad if ctx.needs_input_grad[0] else None, by_x, by_weight.view_as(weight)
