"""The autoencoder whose encoder can initialise the head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP


class GeneAutoEncoder(nn.Module):
    r"""Fully connected layers down to a code and, in mirror image, up again: :math:`\hat x = \psi(\phi(x))`.

    Trained with the mean squared error of :math:`\hat x` (Hinton & Zemel, 1994, Autoencoders, minimum
    description length and Helmholtz free energy, NIPS 6).

    Args:
        in_channels: Number of inputs, N·C for the head of :class:`GeneGCN`.
        hidden_channels: Widths of the encoder's layers.

    Shapes:
        - **input:** :math:`(B, \text{in\_channels})`
        - **output:** the same
    """

    def __init__(self, in_channels: int, hidden_channels: Sequence[int] = (128, 64)):
        super().__init__()
        widths = [in_channels, *hidden_channels]
        self.encoder = MLP(widths, norm=None, plain_last=False)
        self.decoder = MLP(widths[::-1], norm=None)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))

    @torch.no_grad()
    def initialize(self, head: MLP) -> None:
        """Copy the encoder into the hidden layers of a head of the same widths.

        Raises:
            ValueError: If the widths differ.
        """
        ours, theirs = self.encoder.channel_list, head.channel_list[:-1]
        if ours != theirs:
            raise ValueError(f"The encoder has layers of {ours}, the head {theirs}; build them alike.")
        for source, target in zip(self.encoder.lins, head.lins, strict=False):
            target.load_state_dict(source.state_dict())
