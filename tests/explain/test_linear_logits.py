"""Logits with a network are those of the equation, and differences of types those of their logits."""

from __future__ import annotations

import numpy as np
from explained_cells import N, small_logits


def test_logits_are_those_of_the_equation():
    logits = small_logits()
    x = np.random.default_rng(1).random(N)
    smoothed = x + logits.adjacency.toarray() @ x
    np.testing.assert_allclose(logits.of(x), smoothed @ logits.weight + logits.bias)


def test_types_are_selected_and_compared():
    logits, x = small_logits(), np.random.default_rng(1).random((4, N))
    everything = logits.of(x)
    np.testing.assert_allclose(logits.select([2, 0], None).of(x), everything[:, [2, 0]])
    np.testing.assert_allclose(logits.select([2, 0], 1).of(x), everything[:, [2, 0]] - everything[:, [1]])
