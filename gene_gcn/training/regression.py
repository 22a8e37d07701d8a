"""Multinomial logistic regression by products alone, several at once if they have the same shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gene_gcn.training.lbfgs import Iterate, minimize
from gene_gcn.training.operators import Dense, Features, OneHot

CURVATURE = 0.5  # the largest eigenvalue of the Hessian of a softmax's loss in the logits (Böhning 1992)
TOLERANCE = 1e-4  # of the minimum; closer, probabilities change by 0.002 in the mean


class Regression(NamedTuple):
    """A fitted regression, or several.

    Attributes
    ----------
    weight : Tensor, shape (..., width, K)
    bias : Tensor, shape (..., K)
    loss : Tensor, shape (...)
        Weighted cross-entropy, without the penalty.
    converged : Tensor of bool, shape (...)
    """

    weight: Tensor
    bias: Tensor
    loss: Tensor
    converged: Tensor


@dataclass(frozen=True)
class Spectrum:
    """What is known of the covariance of features.

    Attributes
    ----------
    variances : Tensor, shape (..., R)
        The largest first.
    axes : Tensor, shape (..., width, R), optional
        Orthonormal axes of these variances; that along all other directions is taken to be the smallest of
        them. By default features are uncorrelated, and each has its own.
    """

    variances: Tensor
    axes: Tensor | None = None

    def solve(self, gradient: Tensor, penalty: Tensor | float) -> Tensor:
        """Multiply (..., width, K) by the inverse of an upper bound of the Hessian."""
        inverse = 1 / (CURVATURE * self.variances[..., None] + penalty)  # (..., R, 1)
        if self.axes is None:
            return inverse * gradient
        others = inverse[..., -1:, :]
        return others * gradient + self.axes @ ((inverse - others) * (self.axes.mT @ gradient))


def fit_regression(
    features: Features | Dense,
    target: Tensor | OneHot,
    cell_weight: Tensor,
    penalty: Tensor | float,
    spectrum: Spectrum,
    tolerance: float = TOLERANCE,
    start: Tensor | Iterate | None = None,
    after_step: Callable[[Iterate], None] | None = None,
) -> Regression:
    r"""Fit multinomial logistic regressions with an L2 penalty.

    .. math:: \min_{W, b} \; -\sum_i c_i \sum_k t_{ik} \log \mathrm{softmax}(x_i W + b)_k
        + \frac{\lambda}{2} \lVert W \rVert^2

    L-BFGS starts from the inverse of Böhning's bound of the Hessian, ½ Σᵢ cᵢ xᵢ xᵢᵀ + λ, as far as the
    spectrum knows it (Böhning 1992, doi:10.1007/BF00048682).

    Parameters
    ----------
    features : Features or Dense, shape (..., cells, width)
        x.
    target : Tensor or OneHot, shape (cells, K)
        t, the probability of each type.
    cell_weight : Tensor, shape (..., cells)
        c, the weight of each cell; they sum to about 1.
    penalty : Tensor, shape (..., 1, 1), or float
        λ.
    spectrum : Spectrum
        Of the features.
    tolerance : float
        Part of the minimum that may be left to gain.
    start : Tensor, shape (..., width + 1, K), or Iterate, optional
        Weights to start at, the biases last, by default zeros; or where the same fit was stopped.
    after_step : callable, optional
        Is given what is known after each step.
    """
    # The last row is the bias.
    if start is None:
        shape = *features.shape[:-2], features.shape[-1] + 1, target.shape[1]
        start = torch.zeros(shape, device=cell_weight.device)

    def objective(x: Tensor) -> tuple[Tensor, Tensor]:
        weight, bias = x[..., :-1, :], x[..., -1:, :]
        # By the cells of this process: cross-entropies, and the gradients of the biases.
        value = x.new_zeros(x.shape[:-2], dtype=torch.float64)
        slope = torch.zeros_like(bias, dtype=torch.float64)

        def residual(rows: slice, products: Tensor) -> Tensor:
            log_probability = (products + bias).log_softmax(-1)
            own_target, own_weight = target[rows], cell_weight[..., rows]
            losses = (log_probability * own_target).sum(-1) * own_weight
            value.sub_(losses.sum(-1, dtype=torch.float64))
            found = log_probability.exp_().sub_(own_target).mul_(own_weight[..., None])
            slope.add_(found.sum(-2, keepdim=True, dtype=torch.float64))
            return found

        gradient = torch.empty_like(x)
        gradient[..., :-1, :] = features.round_trip(weight, residual) + penalty * weight
        gradient[..., -1:, :] = features.over_processes(slope)
        return features.over_processes(value).to(x.dtype) + _ridge(weight, penalty), gradient

    def precondition(gradient: Tensor) -> Tensor:
        bias = gradient[..., -1:, :] / CURVATURE
        return torch.cat([spectrum.solve(gradient[..., :-1, :], penalty), bias], -2)

    found = minimize(objective, start.to(cell_weight.device), precondition, tolerance, after_step)
    weight = found.x[..., :-1, :]
    return Regression(weight, found.x[..., -1, :], found.value - _ridge(weight, penalty), found.converged)


def _ridge(weight: Tensor, penalty: Tensor | float) -> Tensor:
    return (penalty * weight.square()).sum((-2, -1)) / 2
