"""The whole model: interaction layers with residual fusion, then a fully connected head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP

from gene_gcn.nn.equal_genes import EqualGenes
from gene_gcn.nn.initialization import uniform_
from gene_gcn.nn.interaction_conv import InteractionConv


class GeneGCN(nn.Module):
    r"""A graph network over the genes of a cell that names the cell's type.

    .. math::
        X_0 &= x_i e_i \quad (e_i = 1 \text{ with one channel}) \\
        X_{l+1} &= X_l + \mathrm{ReLU}\left((G_l + A) X_l W_l\right) \\
        \hat y &= \mathrm{MLP}(X_L)

    With one channel the individual graph sees values, not genes: equal expression is equal treatment. With
    more, every gene has a learned vector that its expression scales.

    Args:
        num_genes: N.
        num_classes: K.
        channels: C, features of a gene.
        num_layers: Interaction layers in a line; 0 is the fully connected classifier alone.
        hidden_channels: Widths of the hidden layers of the head.
        key_channels: Size of the embedding of "embedded_dot".
        attention: The function of the attention graph of each cell, "embedded_dot", "dot" or "additive"; None
            leaves that graph out.
        heads: H, attention graphs in parallel in each layer.
        learn_mixing: Learn how much of each of the two graphs a layer takes.
        residual: Whether a layer's input is added to its output.
        dropout: Probability of dropping a hidden unit of the head in training.

    Shapes:
        - **x:** expression :math:`(B, N)` or :math:`(N)`, or features :math:`(B, N, C)` or :math:`(N, C)`
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
        """Layers of the head start uniform in ±1/√d_in, gene vectors normal with unit expected length."""
        if self.gene_vectors is not None:
            nn.init.normal_(self.gene_vectors, std=self.channels**-0.5)
        for conv in self.convs:
            conv.reset_parameters()
        uniform_(self.head)

    def forward(
        self, x: Tensor, edge_index=None, edge_weight: Tensor | None = None, equal: EqualGenes | None = None
    ) -> Tensor:
        """Logits of the types.

        Args:
            x: Expression of the genes.
            edge_index, edge_weight: The global graph, as :class:`InteractionConv` takes it; None without one.
            equal: Genes of equal expression, when they are known (see :class:`EmbeddedDotAttention`).
        """
        features = self.fuse(x, edge_index, edge_weight, equal)
        if len(self.head.lins) > 1 or features.dim() == 1:
            return self.head(features)
        layer = self.head.lins[0]  # genes lie one after another in memory: 25 times faster so
        return torch.addmm(layer.bias[:, None], layer.weight, features.t()).t()

    def fuse(
        self, x: Tensor, edge_index=None, edge_weight: Tensor | None = None, equal: EqualGenes | None = None
    ) -> Tensor:
        """What the head sees: features fused with those of interacting genes, (B, N·C) or (N·C)."""
        x = self.embed(x)  # (B, N) -> (B, N, C)
        for conv in self.convs:
            z = conv(x, edge_index, edge_weight, equal).relu_()
            x = x + z if self.residual else z
            if edge_index is not None:
                equal = None  # neighbours tell equal genes apart
        return x.flatten(-2)

    def embed(self, x: Tensor) -> Tensor:
        """Expression (B, N) as features (B, N, C)."""
        ambiguous = x.dim() == 2 and self.num_genes == self.channels  # then it is expression
        if tuple(x.shape[-2:]) == (self.num_genes, self.channels) and not ambiguous:
            return x
        if x.dim() not in (1, 2) or x.size(-1) != self.num_genes:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, expected (B, {self.num_genes}) or "
                f"(B, {self.num_genes}, {self.channels})."
            )
        if self.gene_vectors is None:
            return x.unsqueeze(-1)
        x = x.unsqueeze(-1).movedim(-2, 0) * self.gene_vectors.view(-1, *[1] * (x.dim() - 1), self.channels)
        return x.movedim(0, -2)  # gene after gene in memory
