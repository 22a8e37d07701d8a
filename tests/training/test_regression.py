from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from gene_gcn.training import regression
from gene_gcn.training.operators import Features, SmoothedCells


def test_the_regression_is_that_of_scikit_learn(cells, monkeypatch):
    monkeypatch.setattr(regression, "MAX_ITERATIONS", 500)
    X, y = cells
    features = Features(SmoothedCells(X, torch.device("cpu")))
    target = torch.nn.functional.one_hot(torch.from_numpy(y)).float()
    weight = torch.rand(90, generator=torch.Generator().manual_seed(0)) + 0.5
    coefficients, bias, _ = regression.fit_regression(features, target, weight, penalty=3.0)
    dense = X.toarray() - X.toarray().mean(0)
    reference = LogisticRegression(C=1 / 3.0, tol=1e-8, max_iter=5000)
    reference.fit(dense, y, sample_weight=weight.numpy())
    probability = (torch.from_numpy(dense) @ coefficients + bias).softmax(1)
    np.testing.assert_allclose(probability, reference.predict_proba(dense), atol=2e-3)
