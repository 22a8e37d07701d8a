"""The layer: an attention graph over all genes of a cell plus one network that all cells share."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch_geometric import EdgeIndex
from torch_geometric.nn import MessagePassing
from torch_geometric.typing import Adj
from torch_geometric.utils import is_sparse

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.nn.attention import HALF_PRECISION, GeneAttention
from gene_gcn.nn.attention_functions import ATTENTIONS, EmbeddedDotAttention
from gene_gcn.nn.equal_genes import EqualGenes
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.graph_batch import GraphBatch, check_batch_arguments, check_block_diagonal
from gene_gcn.nn.kernels import product

INVERSE_SOFTPLUS_OF_1 = math.log(math.e - 1)


class InteractionConv(MessagePassing):
    r"""Gene interactions from an individual and a global graph.

    .. math:: Z = (G + A) \, X W

    :math:`G` is the attention graph of each cell (:class:`GeneAttention`), and :math:`A` a gene network that
    all cells share. Its weights are used as given; ``GeneNetwork.normalized`` normalizes them. There is no
    activation; see :class:`GeneGCN`. With several attention graphs, each has its own :math:`W_h` and the
    outputs are averaged, :math:`Z = \frac{1}{H} \sum_h (G_h + A) X W_h`. With `learn_mixing`,
    :math:`\alpha G + \beta A` replaces :math:`G + A`.

    A square :math:`W` starts as the identity: expression is not negative, so with one channel a negative
    start would keep a following ReLU at zero for good.

    Args:
        in_channels: C, features of a gene.
        out_channels: Features of a gene in the output.
        key_channels: Size :math:`d_k` of the embeddings of "embedded_dot".
        attention: The attention function of :math:`G`, "embedded_dot", "dot" or "additive"; None leaves
            :math:`G` out.
        heads: H, number of parallel attention graphs.
        learn_mixing: Learn :math:`\alpha, \beta \ge 0`, which start at 1; see `mixing_weights`.

    Raises:
        ArgumentError: If `attention` is unknown or does not support this number of heads.

    Shapes:
        - **x:** :math:`(N, C)` or :math:`(B, N, C)`; or :math:`(\sum_b N_b, C)` with **batch**
          :math:`(\sum_b N_b)`
        - **edge_index:** :math:`(2, E)` with **edge_weight** :math:`(E)`, from gene ``edge_index[0]`` to gene
          ``edge_index[1]``; or the transposed adjacency matrix :math:`(N, N)` as a sparse torch tensor, a
          ``torch_sparse.SparseTensor`` or, fastest for repeated use, a :class:`GlobalGraph`
        - **output:** :math:`(N, C_{out})` or :math:`(B, N, C_{out})`; or :math:`(\sum_b N_b, C_{out})`
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
            choices = ", ".join(map(repr, ATTENTIONS))
            raise ArgumentError(
                "attention",
                Argument("attention", attention),
                f" is unknown; choose one of {choices} or None.",
            )
        if heads < 1:
            raise ArgumentError(
                "heads",
                Argument("heads", heads),
                " must be at least 1; to leave out the attention graph, use ",
                Argument("attention", None),
                ".",
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.heads = heads if attention is not None else 1
        self.attention: GeneAttention | None = None
        if attention == "embedded_dot":
            self.attention = EmbeddedDotAttention(in_channels, heads, key_channels)
        elif attention is not None:
            self.attention = ATTENTIONS[attention](in_channels, heads)
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
            nn.init.constant_(self.mixing, INVERSE_SOFTPLUS_OF_1)

    def mixing_weights(self) -> Tensor:
        r"""Return :math:`\alpha` and :math:`\beta`, the weights of the individual and the global graph."""
        return self.lin.weight.new_ones(2) if self.mixing is None else F.softplus(self.mixing)

    def effective_mixing(self) -> Tensor:
        """Return the mixing weights; with one channel, times W, then one number (mean over graphs)."""
        weights = self.mixing_weights()
        return weights * self.lin.weight.mean() if self.in_channels == self.out_channels == 1 else weights

    def forward(
        self,
        x: Tensor,
        edge_index: Adj | GlobalGraph | None = None,
        edge_weight: Tensor | None = None,
        equal: EqualGenes | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
    ) -> Tensor:
        """Sum over the genes that interact with each gene.

        Without `batch`, all genes of `x` (N, C) belong to one cell. A block-diagonal batch, which PyG's
        ``DataLoader`` makes, has this shape, too, and nothing in it tells whether its blocks are cells or
        parts of one cell: pass its `batch`, or attention mixes the genes of its cells.

        Args:
            x: Features of the genes, of one cell or of a batch of cells. Integers are converted. One NaN
                makes the attention of its whole cell NaN, but no other cell.
            edge_index: The global graph in any of the forms above; None leaves it out.
            edge_weight: Weights of the edges, by default 1; only with an `edge_index` of shape (2, E). They
                get a gradient if they require one.
            equal: Genes with equal features, if known (see :class:`GeneAttention`); not with `batch`.
            batch: Graph of each gene, sorted, (N,), as in a ``torch_geometric.data.Batch``. The result of
                each graph is then that of the graph alone.
            batch_size: Number of graphs; by default, `batch` tells. Only with `batch`.

        Raises:
            ArgumentError: If there is no graph at all, or the shapes do not match.
        """
        if isinstance(edge_index, EdgeIndex):
            edge_index = edge_index.as_tensor()
        self._check(x, edge_index, edge_weight)
        _check_batch_of(x, edge_index, equal, batch, batch_size)
        dtype = promoted_dtype(x, self.lin.weight)
        x = x.to(dtype)
        cells = x if x.dim() == 3 else x.unsqueeze(0)  # (B, N, C)
        weight = self._weight_by_graph()
        if not torch.is_autocast_enabled(x.device.type):
            weight = weight.to(dtype)
        alpha, beta = (1, 1) if self.mixing is None else self.mixing_weights().to(weight.dtype)
        out: Tensor | None = None
        if self.attention is not None and batch is not None:
            out = self.attention(x, weight * alpha, batch=batch, batch_size=batch_size).unsqueeze(0)
        elif self.attention is not None:
            out = self.attention(cells, weight * alpha, equal)  # α G X W
        if edge_index is not None:
            columns = cells.transpose(0, 1).flatten(1).contiguous()  # one product for all cells: (N, B·C)
            columns = self._propagate(columns, edge_index, edge_weight)
            neighbors = columns.unflatten(1, (len(cells), x.size(-1))).transpose(0, 1)
            out = _add_projected(out, neighbors, weight.mean(0) * beta)  # + β A X W
        assert out is not None  # `_check` raises if there is no graph at all
        if not torch.is_autocast_enabled(x.device.type):
            out = out.to(dtype)
        return out if x.dim() == 3 else out.squeeze(0)

    def _weight_by_graph(self) -> Tensor:
        return self.lin.weight.unflatten(0, (self.heads, -1)).transpose(1, 2)  # (H, C, C_out)

    def linear_parts(self, x: Tensor, equal: EqualGenes) -> tuple[Tensor, Tensor]:
        """Return the few numbers in which the output for expression is linear.

        Args:
            x: Expression, (B, N).
            equal: Genes with equal expression.

        Returns:
            Means of the attention graph for each group, times their weight, (B, M); and the weight of the
            sums over neighbors.
        """
        assert self.attention is not None
        weight, (alpha, beta) = self._weight_by_graph(), self.mixing_weights()
        means = self.attention.attend_groups(x.unsqueeze(-1), equal, weight * alpha).squeeze(-1)
        return means, weight.mean() * beta

    def _propagate(self, x: Tensor, edge_index: Adj | GlobalGraph, edge_weight: Tensor | None) -> Tensor:
        if x.dtype in HALF_PRECISION:  # sums lose digits, and not every sparse product is implemented
            x = x.float()
        if isinstance(edge_index, Tensor) and not is_sparse(edge_index):
            # Learned weights, explanations and compiled code need messages: sparse tensors support none.
            learned = edge_weight is not None and edge_weight.requires_grad
            if learned or self.explain or torch.compiler.is_compiling():
                weight = x.new_ones(edge_index.size(1)) if edge_weight is None else edge_weight.to(x.dtype)
                return self.propagate(
                    edge_index, x=x, edge_weight=weight, adj=None, size=(x.size(0), x.size(0))
                )
            graph = GlobalGraph.from_edges(edge_index, edge_weight, x.size(0))
        else:
            graph = _as_graph(edge_index)
        return self.propagate(graph.adj_t, x=x, edge_weight=None, adj=graph.adj)

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        return x_j * edge_weight.unsqueeze(1)

    def message_and_aggregate(self, adj_t: Tensor, x: Tensor, adj: Tensor | None) -> Tensor:
        adj_t, adj = GlobalGraph(adj_t, adj).to(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            return product(adj_t, x, adj)

    def _check(self, x: Tensor, edge_index: Adj | GlobalGraph | None, edge_weight: Tensor | None) -> None:
        c = self.in_channels
        if not isinstance(x, Tensor):
            raise ArgumentError(
                "x",
                f"x is a {type(x).__name__}, expected a tensor of shape (N, {c}) or (B, N, {c}). Of a "
                "torch_geometric.data.Batch, pass x, edge_index and ",
                Argument("batch"),
                ".",
            )
        if x.is_complex():
            raise ArgumentError("x", f"x has data type {x.dtype}, expected real numbers.")
        if x.dim() not in (2, 3) or x.size(-1) != c:
            raise ArgumentError("x", f"x has shape {tuple(x.shape)}, expected (N, {c}) or (B, N, {c}).")
        if edge_index is None:
            if self.attention is None:
                raise ArgumentError(
                    "edge_index",
                    Argument("edge_index", None),
                    " and ",
                    Argument("attention", None),
                    " leave no graph; pass at least one of them.",
                )
            return
        matrix = edge_index.adj_t if isinstance(edge_index, GlobalGraph) else edge_index
        for name, value in (("edge_index", matrix), ("edge_weight", edge_weight)):
            if not (value is None or isinstance(value, Tensor) or is_sparse(value)):
                raise ArgumentError(name, f"{name} is a {type(value).__name__}, expected a tensor.")
        if is_sparse(matrix):
            if self.explain:
                raise ArgumentError(
                    "edge_index",
                    "edge_index is a sparse matrix, whose edges the explainers of PyG cannot mask. "
                    "Pass edges of shape (2, E) and their weights.",
                )
            _check_matrix(matrix, edge_weight, x.size(-2))
        else:
            _check_edges(matrix, edge_weight, x.size(-2))


def promoted_dtype(x: Tensor, weight: Tensor) -> torch.dtype:
    """Return the data type for `x` and `weight`, as torch promotes them; autocast converts by itself."""
    if x.is_floating_point() and torch.is_autocast_enabled(x.device.type):
        return x.dtype
    return torch.promote_types(x.dtype, weight.dtype)


def _check_batch_of(
    x: Tensor,
    edge_index: Adj | GlobalGraph | None,
    equal: EqualGenes | None,
    batch: Tensor | None,
    batch_size: int | None,
) -> None:
    check_batch_arguments(equal, batch, batch_size)
    if batch is None:
        return
    if x.dim() == 3:
        raise ArgumentError(
            "batch",
            f"batch tells apart the graphs of x with shape (N, C), but x has shape {tuple(x.shape)}, whose "
            "cells are apart already. Leave batch out.",
        )
    GraphBatch.from_batch(x, batch, batch_size)  # checks `batch`, also where attention does not
    if edge_index is None:
        return
    if isinstance(edge_index, Tensor) and not is_sparse(edge_index):
        source, target = edge_index
    else:
        adj_t = _as_graph(edge_index).adj_t
        source, target = adj_t.col_indices(), torch.repeat_interleave(adj_t.crow_indices().diff())
    check_block_diagonal(source, target, batch)


def _as_graph(matrix: Adj | GlobalGraph) -> GlobalGraph:
    return matrix if isinstance(matrix, GlobalGraph) else GlobalGraph.from_sparse(matrix)


def _check_matrix(matrix: Adj, edge_weight: Tensor | None, num_genes: int) -> None:
    if isinstance(matrix, Tensor) and matrix.requires_grad:
        raise ArgumentError(
            "edge_index",
            "edge_index is a sparse matrix that requires a gradient, which only edge_weight can get. "
            "Pass edges of shape (2, E) and their weights.",
        )
    if edge_weight is not None:
        raise ArgumentError(
            "edge_weight",
            "edge_weight requires an edge_index of shape (2, E), but edge_index is a sparse matrix, "
            "which contains its weights. Leave edge_weight out.",
        )
    shape = matrix.sizes() if hasattr(matrix, "sizes") else matrix.shape
    if tuple(shape) != (num_genes, num_genes):
        # Possibly the network of one cell, with the genes of several.
        shared = shape[0] > 0 and num_genes % shape[0] == 0
        raise ArgumentError(
            "edge_index",
            f"edge_index is a matrix of shape {tuple(shape)}, but x has {num_genes} genes."
            + shared * " For cells that share one network, pass x of shape (B, N, C).",
        )


def _check_edges(edge_index: Tensor, edge_weight: Tensor | None, num_genes: int) -> None:
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ArgumentError("edge_index", f"edge_index has shape {tuple(edge_index.shape)}, expected (2, E).")
    if edge_index.dtype == torch.bool or edge_index.is_floating_point() or edge_index.is_complex():
        raise ArgumentError(
            "edge_index", f"edge_index has data type {edge_index.dtype}, expected integers, numbers of genes."
        )
    num_edges = edge_index.size(1)
    if edge_weight is not None and edge_weight.shape != (num_edges,):
        raise ArgumentError(
            "edge_weight",
            f"edge_weight has shape {tuple(edge_weight.shape)}, expected ({num_edges},), one per edge.",
        )
    # A compiler cannot follow choices that depend on the data.
    if not torch.compiler.is_compiling() and num_edges:
        low, high = map(int, edge_index.aminmax())
        if not 0 <= low <= high < num_genes:
            raise ArgumentError(
                "edge_index",
                f"edge_index contains genes {low} to {high}, but x has {num_genes} genes, "
                f"numbered 0 to {num_genes - 1}.",
            )


def _add_projected(out: Tensor | None, x: Tensor, weight: Tensor) -> Tensor:
    """Return out + x W, in place where W is one number."""
    if not torch.is_autocast_enabled(x.device.type):
        weight = weight.to(x.dtype)  # sums over neighbors of a layer in half precision are in single
    if weight.numel() == 1:
        return _AddScaled.apply(out, x, weight)
    x = (x.transpose(0, 1) @ weight).transpose(0, 1)  # (B, N, C), stored gene by gene
    return x if out is None else out + x


class _AddScaled(torch.autograd.Function):
    """The sum out + x · weight, in place, for a weight of one number.

    The gradient of the weight is a dot product; autograd would sum over a table as large as x.
    """

    @staticmethod
    def forward(ctx: Any, out: Tensor | None, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        if out is None:
            return x * weight.view(())
        ctx.mark_dirty(out)
        out.addcmul_(x, weight.view(()))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor]:
        x, weight = ctx.saved_tensors
        by_x = grad * weight.view(()) if ctx.needs_input_grad[1] else None
        by_weight = torch.dot(grad.to(x.dtype).transpose(0, 1).flatten(), x.transpose(0, 1).flatten())
        return grad if ctx.needs_input_grad[0] else None, by_x, by_weight.view_as(weight)
