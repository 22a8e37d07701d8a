"""The whole model: interaction layers with residual fusion, then a fully connected head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import MLP
from torch_geometric.nn.inits import reset
from torch_geometric.typing import Adj

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.nn.attention import MAX_MERGED_ROWS
from gene_gcn.nn.equal_genes import EqualGenes
from gene_gcn.nn.expression_layer import FEWEST_CELLS, Expression, expression_layer
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.graph_batch import GraphBatch, check_batch_arguments
from gene_gcn.nn.initialization import uniform_
from gene_gcn.nn.interaction_conv import InteractionConv, promoted_dtype
from gene_gcn.nn.kernels import product


class GeneGCN(nn.Module):
    r"""A graph network over the genes of a cell that classifies the cell.

    .. math::
        X_0 &= x_i e_i \quad (e_i = 1 \text{ with one channel}) \\
        X_{l+1} &= X_l + \mathrm{ReLU}\left((G_l + A) X_l W_l\right) \\
        \hat y &= \mathrm{MLP}(X_L)

    With one channel, the individual graph sees values but not genes: genes with equal expression are treated
    equally. With more, every gene has a learned vector :math:`e_i` that is scaled by its expression.

    Args:
        num_genes: N.
        num_classes: K.
        channels: C, features of a gene.
        num_layers: Number of interaction layers; 0 leaves only the fully connected classifier.
        hidden_channels: Widths of the hidden layers of the head.
        key_channels: Size of the embeddings of "embedded_dot".
        attention: Attention function of the individual graph, "embedded_dot", "dot" or "additive"; None
            leaves this graph out.
        heads: H, number of parallel attention graphs in each layer.
        learn_mixing: Learn the weights of the individual and the global graph in each layer.
        residual: Add the input of each layer to its output.
        dropout: Probability of dropping a hidden unit of the head during training.

    Shapes:
        - **x:** expression :math:`(B, N)` or :math:`(N)`, or features :math:`(B, N, C)` or :math:`(N, C)`;
          with **batch** :math:`(B N)`, expression :math:`(B N)` or :math:`(B N, 1)`, or features
          :math:`(B N, C)`
        - **output:** logits :math:`(B, K)` or :math:`(K)`
    """

    def __init__(
        self,
        num_genes: int,
        num_classes: int,
        channels: int = 1,
        num_layers: int = 1,
        hidden_channels: Sequence[int] = (128, 64),
        key_channels: int = 16,
        attention: str | None = "embedded_dot",
        heads: int = 1,
        learn_mixing: bool = False,
        residual: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.num_genes = num_genes
        self.channels = channels
        self.residual = residual
        self.gene_vectors = nn.Parameter(torch.empty(num_genes, channels)) if channels > 1 else None
        self.convs = nn.ModuleList(
            InteractionConv(channels, channels, key_channels, attention, heads, learn_mixing)
            for _ in range(num_layers)
        )
        self.head = MLP([num_genes * channels, *hidden_channels, num_classes], norm=None, dropout=dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the head uniformly in ±1/√d_in, and gene vectors normally with a mean squared length of 1."""
        if self.gene_vectors is not None:
            nn.init.normal_(self.gene_vectors, std=self.channels**-0.5)
        reset(self.convs)
        uniform_(self.head)

    def forward(
        self,
        x: Tensor,
        edge_index: Adj | GlobalGraph | None = None,
        edge_weight: Tensor | None = None,
        equal: EqualGenes | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
    ) -> Tensor:
        """Return the logits of the types.

        Args:
            x: Expression of the genes.
            edge_index: The global graph in any form that :class:`InteractionConv` takes; None leaves it out.
            edge_weight: Weights of its edges, only with an `edge_index` of shape (2, E).
            equal: Genes with equal features, if known (see :class:`GeneAttention`).
            batch: Cell of each gene in a block-diagonal batch, as in a ``torch_geometric.data.Batch``. Every
                cell must have all N genes in the same order; `edge_index` then has the edges of all cells.
            batch_size: B; by default, `batch` tells. Only with `batch`.

        Raises:
            ArgumentError: If `x` has another shape or a cell has another number of genes.
        """
        if edge_weight is batch is None and isinstance(edge_index, GlobalGraph | None) and equal is not None:
            logits = self._one_step(x, edge_index, equal)
            if logits is not None:
                return logits
        features = self.fuse(x, edge_index, edge_weight, equal, batch, batch_size)
        if len(self.head.lins) > 1 or features.dim() == 1:
            return self.head(features)
        layer = self.head.lins[0]  # as features are stored gene by gene, this product is 25 times faster
        return torch.addmm(layer.bias[:, None], layer.weight, features.t()).t()

    @property
    def has_one_step(self) -> bool:
        """Whether layer and head can be one step in training: with one channel, one layer and attention."""
        first = next(iter(self.convs), None)
        return len(self.convs) == self.channels == 1 and getattr(first, "attention", None) is not None

    def _has_one_step(self, x: Tensor, graph: GlobalGraph | None, equal: EqualGenes) -> bool:
        """Return whether `expression_layer` is for this input; elsewhere it was not measured to be faster."""
        n = self.num_genes
        return (
            self.has_one_step
            and torch.is_grad_enabled()
            and not torch.compiler.is_compiling()
            and not torch.is_autocast_enabled(x.device.type)
            and (graph is None or (graph.adj_t.shape == (n, n) and graph.adj_t.dtype == torch.float32))
            and equal.size.size(1) <= MAX_MERGED_ROWS
            and len(x) >= FEWEST_CELLS
            and x.shape == (len(equal.size), n)
            and not x.requires_grad
            and x.device.type == "cpu"
            and x.dtype == self.head.lins[0].weight.dtype == torch.float32
        )

    def _one_step(self, x: Tensor, graph: GlobalGraph | None, equal: EqualGenes) -> Tensor | None:
        """Return the logits, or None where it does not apply or the ReLU of the layer takes part."""
        if not self._has_one_step(x, graph, equal):
            return None
        (conv,), (first, *others) = self.convs, self.head.lins
        assert isinstance(conv, InteractionConv)
        means, scale = conv.linear_parts(x, equal)
        expression, neighbors = Expression(x, equal), None
        if not expression.is_linear(means, scale, graph):
            return None
        if graph is not None:
            neighbors = product(graph.adj_t, x.t().contiguous(), graph.adj)
        x = expression_layer(expression, means, neighbors, scale, first.weight, first.bias, self.residual)
        for layer, dropout in zip(others, self.head.dropout, strict=False):
            x = layer(F.dropout(x.relu(), dropout, self.training))
        return x

    def fuse(
        self,
        x: Tensor,
        edge_index: Adj | GlobalGraph | None = None,
        edge_weight: Tensor | None = None,
        equal: EqualGenes | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
    ) -> Tensor:
        """Return the input of the head: features fused with those of interacting genes, (B, N·C) or (N·C)."""
        check_batch_arguments(equal, batch, batch_size)
        if batch is not None:
            x = self._separate(x, batch, batch_size)  # (B·N, …) -> (B, N, …)
        x = self.embed(x)  # (B, N) -> (B, N, C)
        for conv in self.convs:
            if batch is None:
                z = conv(x, edge_index, edge_weight, equal).relu_()
            else:
                genes = x.flatten(0, 1)  # (B·N, C), as `edge_index` numbers them
                z = conv(genes, edge_index, edge_weight, batch=batch, batch_size=batch_size).relu_()
                z = z.reshape(x.shape)
            x = x + z if self.residual else z
            if edge_index is not None:
                equal = None  # neighbors make equal genes unequal
        return x.flatten(-2)

    def attention_rows(self, x: Tensor, index: Tensor) -> Tensor:
        """Return rows of the attention graphs of the first layer, (B, H, Q, N); see `GeneAttention.rows`.

        Args:
            x: Expression of the genes, (B, N).
            index: Numbers of Q genes, (Q,).

        Raises:
            ArgumentError: If the model has no attention, or `x` has another shape.
        """
        conv = next(iter(self.convs), None)
        if not isinstance(conv, InteractionConv) or conv.attention is None:
            raise ArgumentError(
                "attention",
                "The model has no attention graphs; build it with ",
                Argument("attention", "embedded_dot"),
                ".",
            )
        return conv.attention.rows(self.embed(x), index)

    def _separate(self, x: Tensor, batch: Tensor, batch_size: int | None) -> Tensor:
        """Separate the cells of a batch: (B·N) or (B·N, 1) -> (B, N), and (B·N, C) -> (B, N, C)."""
        if x.dim() not in (1, 2) or (x.dim() == 2 and x.size(1) not in (1, self.channels)):
            raise ArgumentError(
                "x",
                f"x has shape {tuple(x.shape)}, expected (B·{self.num_genes}, 1) or "
                f"(B·{self.num_genes}, {self.channels}) with ",
                Argument("batch"),
                ".",
            )
        graphs = GraphBatch.from_batch(x, batch, batch_size)
        graphs.check_sizes(self.num_genes)
        if x.dim() == 2 and x.size(1) == 1:
            x = x.squeeze(1)
        return x.unflatten(0, (graphs.batch_size, self.num_genes))

    def embed(self, x: Tensor) -> Tensor:
        """Turn expression (B, N) into features (B, N, C); features are returned as they are.

        Raises:
            ArgumentError: If `x` has another shape.
        """
        x = self._converted(x)
        ambiguous = x.dim() == 2 and self.num_genes == self.channels  # then it is expression
        if tuple(x.shape[-2:]) == (self.num_genes, self.channels) and not ambiguous:
            return x
        if x.dim() not in (1, 2) or x.size(-1) != self.num_genes:
            raise ArgumentError(
                "x",
                f"x has shape {tuple(x.shape)}, expected (B, {self.num_genes}) or "
                f"(B, {self.num_genes}, {self.channels}). For a block-diagonal batch, pass ",
                Argument("batch"),
                ".",
            )
        if self.gene_vectors is None:
            return x.unsqueeze(-1)
        x = x.unsqueeze(-1).movedim(-2, 0) * self.gene_vectors.view(-1, *[1] * (x.dim() - 1), self.channels)
        return x.movedim(0, -2)  # stored gene by gene

    def _converted(self, x: Tensor) -> Tensor:
        """Convert integers and lower precision to the data type of the model."""
        dtype = self.head.lins[0].weight.dtype
        promoted = promoted_dtype(x, self.head.lins[0].weight)
        if promoted != dtype and not torch.is_autocast_enabled(x.device.type):
            raise ArgumentError(
                "x",
                f"x has data type {x.dtype}, but the model has {dtype}. Pass x.to({dtype}), or convert the "
                f"model with model.to({x.dtype}).",
            )
        return x.to(promoted)
