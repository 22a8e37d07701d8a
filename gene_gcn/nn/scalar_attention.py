r"""Attention over genes with one channel and distinct values, in time linear in the number of genes.

With one channel a dot-product score is :math:`t_i x_j` with :math:`t_i = a x_i + c`, and the average

.. math:: g(t) = \frac{\sum_j x_j e^{t x_j}}{\sum_j e^{t x_j}} = \frac{d}{dt} \log \sum_j e^{t x_j}

is one smooth function per cell. So is each gene's contribution to it, :math:`e^{t x}` as a function of
:math:`x`. Both are interpolated by polynomials of degree 7 on one even grid over the values of the cell: the
mass of each gene is deposited on its 8 nearest grid points, these attend to each other, and each gene's
result is interpolated from the same 8 points. With :math:`I` the (N × points) interpolation matrix, that is
:math:`I \, g(I^\top 1)`: merged attention with interpolation in place of equality. docs/guide/attention.md
derives the error bound that chooses the grid.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

STENCIL = 8  # grid points that a value is interpolated from
MAX_INTERVALS = 1024  # of a grid; a finer one is slower than attention over all of 20,000 genes
CHUNK_ENTRIES = 2**20  # of the temporary tables of interpolation weights (4 MB)

# Interpolation error in the middle interval: |f - p| <= _REMAINDER * width**8 * max|f^(8)|.
_REMAINDER = math.prod((k - 0.5) ** 2 for k in range(1, STENCIL // 2 + 1)) / math.factorial(STENCIL)
# Cauchy's estimate in a strip β times as wide as the one in which g is analytic, for the best β.
_CAUCHY = min(
    1 / (beta**STENCIL * math.cos(beta * math.pi / 2)) for beta in (k / 100 for k in range(50, 100))
)


def grid_intervals(x: Tensor, scale: Tensor, offset: Tensor) -> int | None:
    """Return the fewest intervals, a power of two, for an error below rounding; None if too many are needed.

    Args:
        x: Values, (B, N).
        scale: a of each graph, (H,).
        offset: c of each graph, (H,).
    """
    low, high = x.detach().aminmax(dim=1)
    extent = (high - low).double()  # (B,)
    scale, offset = scale.detach().double().unsqueeze(1), offset.detach().double().unsqueeze(1)
    steepest = torch.maximum((scale * low + offset).abs(), (scale * high + offset).abs()).amax(0)
    scale = scale.abs().amax()
    intervals = 32
    while intervals <= min(MAX_INTERVALS, x.size(1) // 4):
        if (error_bound(extent, steepest, scale, intervals) <= torch.finfo(x.dtype).eps * extent).all():
            return intervals
        intervals *= 2
    return None


def error_bound(extent: Tensor, steepest: Tensor, scale: Tensor, intervals: int) -> Tensor:
    """Bound the error of the attention's output, in the unit of the values.

    Args:
        extent: Difference between the largest and the smallest value.
        steepest: Largest absolute t of the values.
        scale: Largest absolute a.
        intervals: Number of intervals of the grid.
    """
    width = extent / intervals
    grid = extent + (STENCIL - 2) * width  # the grid reaches beyond the values
    steepest = steepest + scale * (STENCIL // 2 - 1) * width
    step = steepest * width
    relative = _REMAINDER * step**STENCIL * (step * STENCIL / 2).exp()  # of Σ e^{tx}
    first = _REMAINDER * STENCIL * width * step ** (STENCIL - 1) * (step * STENCIL / 2).exp()
    deposition = first + 2 * relative * grid
    strip = scale * width * grid / math.pi  # a step, relative to half the width of the strip
    interpolation = _REMAINDER * math.factorial(STENCIL) * _CAUCHY * strip**STENCIL * grid / 2
    return deposition + interpolation


def scalar_attention(x: Tensor, scale: Tensor, offset: Tensor, intervals: int) -> Tensor:
    """Compute g(a x_i + c) for each cell and graph.

    Args:
        x: Values, (B, N).
        scale: a of each graph, (H,).
        offset: c of each graph, (H,).
        intervals: Number of intervals of the grid, from `grid_intervals`.

    Returns:
        (B, H, N), differentiable with respect to all three tensors.
    """
    cells = max(1, CHUNK_ENTRIES // (STENCIL * x.size(1)))
    parts = x.split(cells)
    if torch.is_grad_enabled() and (x.requires_grad or scale.requires_grad or offset.requires_grad):
        # The tables of a chunk are computed again in the backward pass instead of being kept.
        outs = [
            checkpoint(
                _attend_on_grid,
                part,
                scale,
                offset,
                intervals,
                use_reentrant=False,
                preserve_rng_state=False,
            )
            for part in parts
        ]
    else:
        outs = [_attend_on_grid(part, scale, offset, intervals) for part in parts]
    return torch.cat(outs)


def _attend_on_grid(x: Tensor, scale: Tensor, offset: Tensor, intervals: int) -> Tensor:
    low, high = x.detach().aminmax(dim=1, keepdim=True)  # (B, 1)
    width = (high - low) / intervals
    width = width.clamp(min=torch.finfo(x.dtype).tiny * intervals)  # any width will do for equal values
    point = torch.arange(1 - STENCIL // 2, intervals + STENCIL // 2, device=x.device)
    grid = low + width * point  # (B, Q)
    t = scale.view(-1, 1) * grid.unsqueeze(1) + offset.view(-1, 1)  # (B, H, Q)
    center = x.detach().mean(1, keepdim=True)  # close to most results, which keeps their digits
    grid = grid - center

    stencil = _stencil(x.detach(), low, width, intervals)
    mass, moved = _Deposit.apply(x, *stencil, grid.size(1))  # (B, Q) each
    weight = t.detach().unsqueeze(-1) * grid[:, None, None, :]
    weight = t.unsqueeze(-1) * grid[:, None, None, :] - weight.amax(-1, keepdim=True)
    terms = torch.stack([mass, mass * grid, moved, moved * grid, mass * grid**2], -1)
    sums = weight.exp() @ terms.unsqueeze(1)
    total, first, moved, moved_first, second = sums.unbind(-1)  # (B, H, Q)
    total = total + t * moved
    mean = (first + moved + t * moved_first) / total
    variance = (second / total - mean**2).detach()
    out = _Interpolate.apply(mean, scale.detach().view(-1, 1) * variance, x, *stencil)
    return out + center.unsqueeze(1)


def _stencil(x: Tensor, low: Tensor, width: Tensor, intervals: int) -> tuple[Tensor, Tensor]:
    """Return the grid points of each value, (B, N·8), and their weights, (B, N, 8)."""
    position = (x - low) / width
    first = position.floor().clamp_(max=intervals - 1)
    from_middle = position - first - 0.5
    powers = [torch.ones_like(from_middle)]
    for _ in range(1, STENCIL):
        powers.append(powers[-1] * from_middle)
    # Exact for polynomials: Σ_k weight_k node_k^p = from_middle^p for p = 0 … 7.
    power = torch.arange(STENCIL, device=x.device)
    vandermonde = (power.double() - (STENCIL - 1) / 2) ** power.unsqueeze(1)
    weights = torch.stack(powers, -1) @ torch.linalg.inv(vandermonde).T.to(x.dtype)
    return (first.long().unsqueeze(-1) + power).flatten(1), weights


class _Deposit(torch.autograd.Function):
    """The mass of each grid point, and a table of zeros that carries the gradient of the genes' positions.

    The gradient of the loss by a gene's value is that of moving the gene's mass. It is a smooth function of
    the value and known on the grid, so it is interpolated like everything else.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, at: Tensor, weights: Tensor, points: int) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(at, weights)
        mass = _to_grid(weights.new_ones(len(x), 1, x.size(1)), at, weights, points).squeeze(1)
        return mass, torch.zeros_like(mass)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: Tensor, moved: Tensor) -> tuple[Tensor, None, None, None]:
        return _from_grid(moved.unsqueeze(1), *ctx.saved_tensors).squeeze(1), None, None, None


class _Interpolate(torch.autograd.Function):
    """A function of the value at each gene, from its values on the grid; its slope gives the gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, slope: Tensor, x: Tensor, at: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(slope, at, weights)
        return _from_grid(rows, at, weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, Tensor, None, None]:
        slope, at, weights = ctx.saved_tensors
        rows = _to_grid(grad, at, weights, slope.size(-1))
        return rows, None, (grad * _from_grid(slope, at, weights)).sum(1), None, None


def _from_grid(rows: Tensor, at: Tensor, weights: Tensor) -> Tensor:
    """Interpolate at the genes: (B, H, Q) on the grid -> (B, H, N)."""
    values = rows.gather(2, at.unsqueeze(1).expand(-1, rows.size(1), -1))
    return (values.unflatten(2, (-1, STENCIL)) * weights.unsqueeze(1)).sum(-1)


def _to_grid(x: Tensor, at: Tensor, weights: Tensor, points: int) -> Tensor:
    """Deposit on the grid, the transpose of `_from_grid`: (B, H, N) at the genes -> (B, H, Q)."""
    # In double precision, because most genes fall into the same interval.
    shares = (x.unsqueeze(-1) * weights.unsqueeze(1)).flatten(2).double()
    sums = shares.new_zeros(*x.shape[:2], points)
    return sums.scatter_add_(2, at.unsqueeze(1).expand(-1, x.size(1), -1), shares).to(x.dtype)
