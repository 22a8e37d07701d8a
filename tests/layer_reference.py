"""The equations of the layer with every matrix written out in double precision, from the weights alone.

And a recorder of the largest tensor, for tests that no such matrix is made elsewhere.
"""

from __future__ import annotations

import copy
import math

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gene_gcn.nn import AdditiveAttention, DotAttention, EmbeddedDotAttention


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def random_matrix(n=30, density=0.2, symmetric=False, dtype=torch.float64):
    """Return a dense matrix (n, n) with few entries, one empty row and one empty column."""
    dense = torch.rand(n, n, generator=rng(), dtype=dtype)
    dense = dense * (torch.rand(n, n, generator=rng(1)) < density)
    dense[3] = dense[:, 5] = 0
    return dense + dense.T if symmetric else dense


def attention_of(function, channels, heads=1, key_channels=4, seed=0, dtype=torch.float64):
    """Return an attention with random weights that are exact in single precision."""
    attentions = {
        "embedded_dot": lambda: EmbeddedDotAttention(channels, heads, key_channels),
        "dot": lambda: DotAttention(channels, heads),
        "additive": lambda: AdditiveAttention(channels, heads),
    }
    attention = attentions[function]()
    with torch.no_grad():
        for i, parameter in enumerate(attention.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=rng(seed + i)) / 2)
    return attention.to(dtype)


def double(module):
    return copy.deepcopy(module).double()


def graphs(attention, x):
    """Compute G of each head, (B, H, N, N)."""
    heads = attention.heads
    if isinstance(attention, DotAttention):
        parts = x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, H, N, C / H)
        return (parts @ parts.transpose(-1, -2) / math.sqrt(parts.size(-1))).softmax(-1)
    theta = x @ attention.theta.weight.T + attention.theta.bias
    phi = x @ attention.phi.weight.T
    theta, phi = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (theta, phi))
    if isinstance(attention, AdditiveAttention):
        return (theta + phi.transpose(-1, -2)).clamp(min=0).softmax(-1)
    return (theta @ phi.transpose(-1, -2) / math.sqrt(theta.size(-1))).softmax(-1)


def average(attention, x, weight=None):
    """Compute (1/H) Σ_h G_h X W_h."""
    out = graphs(attention, x) @ x.unsqueeze(1)
    return (out if weight is None else out @ weight).mean(1)


def convolution(conv, x, adj_t=0):
    """Compute (1/H) Σ_h (α G_h + β A) X W_h."""
    alpha, beta = conv.mixing_weights()
    weight = conv.lin.weight.unflatten(0, (conv.heads, -1)).transpose(1, 2)  # (H, C, C_out)
    graph = beta * adj_t if conv.attention is None else alpha * graphs(conv.attention, x) + beta * adj_t
    out = graph @ x.unsqueeze(1) if graph.dim() == 4 else (graph @ x).unsqueeze(1)
    return (out @ weight).mean(1)


def relative_error(tensors, expected):
    """Norm of the difference over the norm of the expected tensors, joined to one vector; NaN stays NaN."""
    pairs = [(a.double().flatten(), b.flatten()) for a, b in zip(tensors, expected, strict=True)]
    difference = torch.cat([a - b for a, b in pairs]).norm()
    return (difference / torch.cat([b for _, b in pairs]).norm().clamp(min=1e-30)).item()


class LargestTensor(TorchDispatchMode):
    """Record the number of entries of the largest dense tensor that any operation returns."""

    entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided:
                self.entries = max(self.entries, tensor.numel())
        return out
