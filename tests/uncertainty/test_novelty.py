"""Cells of none of the types are found; those of known types are not called novel, also with a shift."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gene_gcn.uncertainty import HeldOutCells, covariance_within, novelty_p_values

K, R = 3, 8
CENTERS = np.random.default_rng(0).normal(0, 4, (K + 1, R))


def draw(n, seed, types):
    rng = np.random.default_rng(seed)
    y = rng.choice(types, n)
    components = CENTERS[y] + rng.normal(size=(n, R)) * np.linspace(2, 0.5, R)
    logits = components @ CENTERS[:K].T / 4 - (CENTERS[:K] ** 2).sum(1) / 8
    return components, logits, y


def held_out(n=300):
    components, logits, y = draw(n, 1, range(K))
    centers = np.stack([components[y == index].mean(0) for index in range(K)])
    counts = np.bincount(y)
    return HeldOutCells(logits, y, components, centers, counts, covariance_within(components, y, centers))


def test_covariance_within_is_that_of_residuals():
    components, _, y = draw(500, 2, range(K))
    centers = np.stack([components[y == index].mean(0) for index in range(K)])
    pooled = sum(np.cov(components[y == index].T) * (y == index).sum() for index in range(K)) / 500
    np.testing.assert_allclose(covariance_within(components, y, centers), pooled, rtol=1e-6)


def test_known_cells_are_seldom_called_novel():
    components, logits, _ = draw(5000, 3, range(K))
    p = novelty_p_values(logits, components, held_out())
    assert np.mean(p < 0.01) < 0.05
    assert np.all((p > 0) & (p <= 1))


def test_novel_type_is_found():
    components, logits, y = draw(600, 4, range(K + 1))
    p = novelty_p_values(logits, components, held_out())
    assert roc_auc_score(y == K, -p) > 0.95
    assert np.mean(p[y < K] < 0.01) < 0.05


def test_bulk_of_a_query_is_taken_as_known():
    components, logits, _ = draw(400, 5, range(K))
    p = novelty_p_values(logits, components + 1.5, held_out())
    assert np.mean(p < 0.01) < 0.2


@pytest.mark.parametrize("n", [1, 2, 20])
def test_few_cells_are_judged_one_by_one(n):
    components, logits, _ = draw(n, 6, range(K))
    p = novelty_p_values(logits, components, held_out())
    assert p.shape == (n,) and np.all(p > 0)
