from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from gene_gcn.training.components import principal_axes
from gene_gcn.training.operators import Dense, Features, SmoothedCells
from gene_gcn.training.regression import Spectrum, fit_regression

CPU = torch.device("cpu")


def one_hot(y):
    return torch.nn.functional.one_hot(torch.from_numpy(y)).float()


@pytest.mark.parametrize("rank", [3, 40])
def test_the_regression_is_that_of_scikit_learn(cells, rank):
    """However much of the spectrum is known."""
    X, y = cells
    features = Features(SmoothedCells(X, CPU))
    axes, variances, _ = principal_axes(features, rank, np.random.default_rng(0))
    weight = torch.rand(90, generator=torch.Generator().manual_seed(0)) + 0.5
    fitted = fit_regression(features, one_hot(y), weight, 3.0, Spectrum(variances * 90, axes), tolerance=1e-6)
    dense = X.toarray() - X.toarray().mean(0)
    reference = LogisticRegression(C=1 / 3.0, tol=1e-8, max_iter=5000)
    reference.fit(dense, y, sample_weight=weight.numpy())
    probability = (torch.from_numpy(dense) @ fitted.weight + fitted.bias).softmax(1)
    np.testing.assert_allclose(probability, reference.predict_proba(dense), atol=2e-3)
    assert fitted.converged


def test_several_regressions_at_once_are_those_one_by_one(cells):
    X, y = cells
    x = torch.from_numpy(X.toarray())
    matrices = torch.stack([x - x.mean(0), 0.1 * (x - x.mean(0)), torch.zeros_like(x)])
    weights = torch.rand(3, 90, generator=torch.Generator().manual_seed(0)) / 45
    penalty = torch.tensor([0.1, 1e-3, 1.0])
    variances = (weights[..., None] * matrices.square()).sum(1)
    together = fit_regression(
        Dense(matrices), one_hot(y), weights, penalty[:, None, None], Spectrum(variances), tolerance=1e-6
    )
    assert together.converged.all()
    for i in range(3):
        alone = fit_regression(
            Dense(matrices[i]), one_hot(y), weights[i], float(penalty[i]), Spectrum(variances[i]), 1e-6
        )
        several, one = (matrices[i] @ w + b for w, b in ((together.weight[i], together.bias[i]), alone[:2]))
        torch.testing.assert_close(several.softmax(1), one.softmax(1), atol=2e-3, rtol=0)
        torch.testing.assert_close(together.loss[i], alone.loss, atol=1e-4, rtol=1e-3)
