"""Markers are genes that are up in a type and add to its logit, against all others and the nearest type."""

from __future__ import annotations

import numpy as np
import pytest
from explained_cells import GENES, TYPES, N, small_logits
from scipy import sparse

from gene_gcn.errors import ArgumentError
from gene_gcn.explain import LinearLogits, type_markers


def test_planted_markers_are_found():
    mean = np.full((3, N), 0.5)
    for k in range(3):
        mean[k, 3 * k : 3 * k + 3] = [3.0, 2.0, 1.0]
    logits = LinearLogits((mean - mean.mean(axis=0)).T, np.zeros(3), sparse.csr_matrix((N, N)))
    markers = type_markers(logits, mean, GENES, TYPES)
    for k, name in enumerate(TYPES):
        own = markers[markers["type"] == name]
        for _, table in own.groupby("against"):
            assert table["gene"].tolist() == GENES[3 * k : 3 * k + 3]
            assert table["contribution"].is_monotonic_decreasing
            assert table["mean_in_type"].tolist() == [3.0, 2.0, 1.0]
            assert table["mean_in_others"].tolist() == [0.5] * 3


def test_contributions_sum_to_the_difference_of_the_logits():
    """Shown with weights and means under which every gene is a marker of the first type."""
    rng = np.random.default_rng(0)
    mean = np.stack([2 + rng.random(N), rng.random(N), rng.random(N)])
    weight = np.stack([1 + rng.random(N), -rng.random(N), -rng.random(N)], axis=1)
    logits = LinearLogits(weight, rng.normal(size=3), abs(small_logits().adjacency))
    markers = type_markers(logits, mean, GENES, TYPES, N)
    first = markers[markers["type"] == "B"]
    of_means = logits.of(mean)  # [cell, type]
    nearest = 1 + int(of_means[0, 1:].argmax())
    assert list(first["against"].unique()) == ["others", TYPES[nearest]]
    for against, compared in (("others", [1, 2]), (TYPES[nearest], [nearest])):
        margin = of_means[:, 0] - of_means[:, compared].mean(axis=1)
        table = first[first["against"] == against]
        assert len(table) == N
        assert table["contribution"].sum() == pytest.approx(margin[0] - margin[compared].mean())


def test_number_of_markers_is_checked():
    mean = np.random.default_rng(0).random((3, N))
    assert type_markers(small_logits(), mean, GENES, TYPES, 1).groupby(["type", "against"]).size().max() == 1
    with pytest.raises(ArgumentError, match="top=0"):
        type_markers(small_logits(), mean, GENES, TYPES, 0)
