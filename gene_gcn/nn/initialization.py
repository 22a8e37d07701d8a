"""Initialization of fully connected layers."""

from __future__ import annotations

from torch import nn
from torch_geometric.nn import MLP


def uniform_(mlp: MLP) -> None:
    r"""Draw weights and biases of every layer from :math:`U[-\sqrt{1/d_{in}}, \sqrt{1/d_{in}}]`, in place."""
    for layer in mlp.lins:
        bound = layer.in_channels**-0.5
        nn.init.uniform_(layer.weight, -bound, bound)
        nn.init.uniform_(layer.bias, -bound, bound)
