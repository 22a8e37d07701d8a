"""Multinomial logistic regression by products alone, several at once if they have the same shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gene_gcn.training.lbfgs import minimize
from gene_gcn.training.operators import Dense, Features

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
    axes : Tensor, shape (width, R), optional
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
        others = inverse[-1]
        return others * gradient + self.axes @ ((inverse - others) * (self.axes.T @ gradient))


def fit_regression(
    features: Features | Dense,
    target: Tensor,
    cell_weight: Tensor,
    penalty: Tensor | float,
    spectrum: Spectrum,
    tolerance: float = TOLERANCE,
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
    target : Tensor, shape (cells, K)
        t, the probability of each type.
    cell_weight : Tensor, shape (..., cells)
        c, the weight of each cell; they sum to about 1.
    penalty : Tensor, shape (..., 1, 1), or float
        λ.
    spectrum : Spectrum
        Of the features.
    tolerance : float
        Part of the minimum that may be left to gain.
    """
    # The last row is the bias.
    start = torch.zeros(*features.shape[:-2], features.shape[-1] + 1, target.size(1), device=target.device)

    def losses(x: Tensor) -> tuple[Tensor, Tensor]:
        log_probability = (features.matmat(x[..., :-1, :]) + x[..., -1:, :]).log_softmax(-1)
        residual = (log_probability.exp() - target) * cell_weight[..., None]
        cross_entropy = -((log_probability * target).sum(-1) * cell_weight).sum(-1)
        return cross_entropy, residual

    def objective(x: Tensor) -> tuple[Tensor, Tensor]:
        cross_entropy, residual = losses(x)
        weight = x[..., :-1, :]
        gradient = torch.empty_like(x)
        torch.add(features.rmatmat(residual), penalty * weight, out=gradient[..., :-1, :])
        torch.sum(residual, -2, keepdim=True, out=gradient[..., -1:, :])
        return cross_entropy + (penalty * weight.square()).sum((-2, -1)) / 2, gradient

    def precondition(gradient: Tensor) -> Tensor:
        bias = gradient[..., -1:, :] / CURVATURE
        return torch.cat([spectrum.solve(gradient[..., :-1, :], penalty), bias], -2)

    x, converged = minimize(objective, start, precondition, tolerance)
    return Regression(x[..., :-1, :], x[..., -1, :], losses(x)[0], converged)
