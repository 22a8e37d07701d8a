"""The autoencoder whose encoder can initialize the head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP

from gene_gcn.errors import ArgumentError
from gene_gcn.nn.initialization import uniform_


class GeneAutoEncoder(nn.Module):
    r"""Fully connected layers down to a code and, mirrored, back up: :math:`\hat x = \psi(\phi(x))`.

    Trained with the mean squared error of :math:`\hat x` (Hinton & Zemel, 1994, Autoencoders, minimum
    description length and Helmholtz free energy, NIPS 6).

    Args:
        in_channels: Number of inputs, N·C for the head of :class:`GeneGCN`.
        hidden_channels: Widths of the encoder's layers.

    Shapes:
        - **x:** :math:`(B, \text{in\_channels})`
        - **output:** same as the input
    """

    def __init__(self, in_channels: int, hidden_channels: Sequence[int] = (128, 64)):
        super().__init__()
        widths = [in_channels, *hidden_channels]
        self.encoder = MLP(widths, norm=None, plain_last=False)
        self.decoder = MLP(widths[::-1], norm=None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialize all layers as those of the head, uniformly in ±1/√d_in."""
        uniform_(self.encoder)
        uniform_(self.decoder)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))

    @torch.no_grad()
    def initialize(self, head: MLP) -> None:
        """Copy the encoder into the hidden layers of a head with the same widths.

        Raises:
            ArgumentError: If the widths differ.
        """
        widths, head_widths = self.encoder.channel_list, head.channel_list[:-1]
        if widths != head_widths:
            raise ArgumentError(
                "head",
                f"head has inputs and hidden layers of widths {head_widths}, but the encoder has {widths}. "
                "Build both with the same widths.",
            )
        for source, target in zip(self.encoder.lins, head.lins, strict=False):
            target.load_state_dict(source.state_dict())
