"""Fractions of types in a sample are estimated better than by counting names."""

import numpy as np
import pytest
from scipy.special import softmax

from gene_gcn.uncertainty import type_fractions

K = 3
PRIOR = np.full(K, 1 / K)


def posterior(y, rng):
    """Exact posterior of a Gaussian mixture with equal shares."""
    x = np.eye(K)[y] * 1.5 + rng.normal(size=(len(y), K))
    return softmax(1.5 * x, axis=1)


@pytest.mark.parametrize("shares", [(0.8, 0.15, 0.05), (0.98, 0.01, 0.01), (1 / 3, 1 / 3, 1 / 3)])
def test_error_is_smaller_than_that_of_counting(shares):
    rng = np.random.default_rng(0)
    y = rng.choice(K, 2000, p=shares)
    probability = posterior(y, rng)
    fractions, lower, upper = type_fractions(probability, PRIOR)
    true = np.bincount(y, minlength=K) / len(y)
    counted = np.bincount(probability.argmax(1), minlength=K) / len(y)
    assert fractions.sum() == pytest.approx(1)
    assert np.abs(fractions - true).sum() < max(0.5 * np.abs(counted - true).sum(), 0.06)
    assert np.all((lower <= fractions + 1e-3) & (fractions <= upper + 1e-3))


def test_intervals_cover():
    inside = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = rng.choice(K, 400, p=[0.6, 0.3, 0.1])
        _, lower, upper = type_fractions(posterior(y, rng), PRIOR, n_bootstraps=100, rng=rng)
        inside.append((lower <= [0.6, 0.3, 0.1]) & (upper >= [0.6, 0.3, 0.1]))
    assert np.mean(inside) > 0.88


def test_certain_cells_are_counted():
    fractions, _, _ = type_fractions(np.eye(K)[[0, 0, 1, 2]], PRIOR)
    np.testing.assert_allclose(fractions, [0.5, 0.25, 0.25], atol=1e-4)


def test_prior_of_the_probabilities_is_taken_out():
    rng = np.random.default_rng(1)
    y = rng.choice(K, 3000, p=[0.2, 0.3, 0.5])
    even = posterior(y, rng)
    skewed = even * [0.7, 0.2, 0.1]
    skewed /= skewed.sum(1, keepdims=True)
    np.testing.assert_allclose(
        type_fractions(even, PRIOR)[0], type_fractions(skewed, np.array([0.7, 0.2, 0.1]))[0], atol=1e-3
    )
