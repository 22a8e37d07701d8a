from __future__ import annotations

import torch

from gene_gcn.training.gene_weights import VARIANCE_FLOOR, WEIGHTINGS, gene_weights


def test_weights_follow_their_formulas(cells):
    X, y = cells
    x, target = torch.from_numpy(X.toarray()), torch.nn.functional.one_hot(torch.from_numpy(y)).float()
    groups = [x[y == k] for k in range(3)]
    between = sum(len(g) * (g.mean(0) - x.mean(0)) ** 2 for g in groups) / 2
    within = sum(((g - g.mean(0)) ** 2).sum(0) for g in groups) / (len(x) - 3)
    ratio = ((between / within - 1) * 3 / len(x)).clamp(min=0)
    root = (ratio / (1 + ratio)) ** 0.25
    variance = x.var(0, correction=0)
    deviation = (variance + VARIANCE_FLOOR * variance.mean()).sqrt()
    expected = {"shrunken": root * (1 - within / between), "standardized": root / deviation**0.75}
    weights = gene_weights(x.T @ target, x.square().sum(0), target.sum(0))
    assert tuple(weights) == WEIGHTINGS
    for name, weight in expected.items():
        weight = weight / (x * weight).square().sum(1).mean().sqrt()
        torch.testing.assert_close(weights[name], weight, atol=1e-5, rtol=1e-4)


def test_all_genes_count_the_same_where_none_differs():
    x, target = torch.ones(6, 8), torch.eye(3).repeat(2, 1)
    weights = gene_weights(x.T @ target, x.square().sum(0), target.sum(0))
    for weight in weights.values():
        torch.testing.assert_close(weight, torch.full((8,), 8**-0.5))
