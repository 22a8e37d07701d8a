"""Multinomial logistic regression by products alone."""

from __future__ import annotations

import torch
from torch import Tensor

from gene_gcn.training.operators import Dense, Features

MAX_ITERATIONS = 100


def fit_regression(
    features: Features | Dense, target: Tensor, cell_weight: Tensor, penalty: float
) -> tuple[Tensor, Tensor, float]:
    """Fit a multinomial logistic regression with an L2 penalty, by L-BFGS.

    Parameters
    ----------
    features : Features or Dense, shape (cells, width)
    target : Tensor, shape (cells, K)
        Probability of each type.
    cell_weight : Tensor, shape (cells,)
        Weight of each cell in the loss.
    penalty : float
        Of squared weights, where the features of a cell have length 1.

    Returns
    -------
    weight : Tensor, shape (width, K)
    bias : Tensor, shape (K,)
    loss : float
        Mean cross-entropy, without the penalty.
    """
    n, width = features.shape
    weight = torch.zeros(width, target.size(1), device=target.device, requires_grad=True)
    bias = torch.zeros(target.size(1), device=target.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=MAX_ITERATIONS,
        history_size=10,
        tolerance_grad=1e-5,
        tolerance_change=1e-7,
        line_search_fn="strong_wolfe",
    )
    cross_entropy = torch.zeros(())

    @torch.no_grad()
    def loss() -> Tensor:
        nonlocal cross_entropy
        logits = features.matmat(weight) + bias
        log_probability = logits.log_softmax(1)
        cross_entropy = -(log_probability * target).sum(1) @ cell_weight / n
        residual = (log_probability.exp() - target) * (cell_weight / n)[:, None]
        weight.grad = features.rmatmat(residual) + penalty / n * weight
        bias.grad = residual.sum(0)
        return cross_entropy + penalty / (2 * n) * weight.square().sum()

    optimizer.step(loss)
    return weight.detach(), bias.detach(), float(cross_entropy)
