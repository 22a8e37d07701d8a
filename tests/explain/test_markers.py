"""Markers are genes that are up in a type and add to its logit, against all others and the nearest type.

With cells, their stability is how often they stay among the first when the cells are drawn again.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from explained_cells import GENES, TYPES, N, small_logits
from scipy import sparse

from gene_gcn.errors import ArgumentError
from gene_gcn.explain import LinearLogits, stable_markers, type_markers


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


# ---- with cells ----


def draw_cells(counts=(30, 40, 20), seed=0):
    """Cells of three types in which gene k is expressed by type k alone, and the others by chance."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(3), counts)
    X = rng.poisson(0.5, (len(y), N)).astype(np.float32)
    X[:, :3] = 0
    X[np.arange(len(y)), y] = 3 + rng.random(len(y))
    mean = np.stack([X[y == k].mean(axis=0, dtype=np.float64) for k in range(3)])
    logits = LinearLogits((mean - mean.mean(axis=0)).T, np.zeros(3), sparse.csr_matrix((N, N)))
    order = rng.permutation(len(y))
    return logits, sparse.csr_matrix(X[order]), y[order], mean


def test_cells_give_the_markers_of_their_means():
    logits, X, y, mean = draw_cells()
    logits = LinearLogits(logits.weight, logits.bias, small_logits().adjacency)
    table = stable_markers(logits, X, y, GENES, TYPES, 5, n_bootstraps=7)
    plain = type_markers(logits, mean, GENES, TYPES, 5)
    pd.testing.assert_frame_equal(table[plain.columns], plain, rtol=1e-6)
    expressed = X.toarray() > 0
    for row in table.itertuples():
        k, gene = TYPES.index(row.type), GENES.index(row.gene)
        compared = [j for j in range(3) if j != k] if row.against == "others" else [TYPES.index(row.against)]
        assert row.fraction_in_type == pytest.approx(expressed[y == k, gene].mean())
        by_type = [expressed[y == j, gene].mean() for j in compared]
        assert row.fraction_in_others == pytest.approx(np.mean(by_type))
    assert table["stability"].between(0, 1).all()


def test_stability_is_that_of_markers_computed_one_sample_at_a_time():
    logits, X, y, _ = draw_cells()
    rng, samples = np.random.default_rng(5), []
    for _ in range(20):
        drawn = [np.flatnonzero(y == k) for k in range(3)]
        drawn = [cells[rng.integers(len(cells), size=len(cells))] for cells in drawn]
        mean = np.stack([X[cells].mean(axis=0).A1 for cells in drawn])
        samples.append(type_markers(logits, mean, GENES, TYPES, 3))
    table = stable_markers(logits, X, y, GENES, TYPES, 3, n_bootstraps=20, seed=5)
    for row in table[table["against"] == "others"].itertuples():
        among = [
            (
                (sample["type"] == row.type) & (sample["against"] == "others") & (sample["gene"] == row.gene)
            ).any()
            for sample in samples
        ]
        assert row.stability == pytest.approx(np.mean(among))
    assert (table["stability"] < 1).any()  # genes expressed by chance


def test_a_gene_that_separates_a_type_is_always_first():
    logits, X, y, _ = draw_cells()
    table = stable_markers(logits, X, y, GENES, TYPES, 1)
    assert table["gene"].tolist() == np.repeat(GENES[:3], 2).tolist()
    assert (table["stability"] == 1).all()
    assert (table["fraction_in_type"] == 1).all() and (table["fraction_in_others"] == 0).all()


def test_samples_do_not_depend_on_how_many_are_computed_at_a_time(monkeypatch):
    arguments = (*draw_cells()[:3], GENES, TYPES, 3)
    table = stable_markers(*arguments, seed=1)
    pd.testing.assert_frame_equal(stable_markers(*arguments, seed=1), table)
    assert not stable_markers(*arguments, seed=2)["stability"].equals(table["stability"])
    monkeypatch.setattr(sys.modules[stable_markers.__module__], "_VALUES_AT_A_TIME", 3 * 3 * N)
    pd.testing.assert_frame_equal(stable_markers(*arguments, seed=1), table)


def test_types_without_cells_and_cells_without_types_are_left_out():
    logits, X, y, _ = draw_cells((30, 1, 20))
    table = stable_markers(logits, X, y, GENES, TYPES, 2)
    assert table.loc[table["type"] == "NK", "stability"].isna().all()
    assert table.loc[table["type"] != "NK", "stability"].notna().all()
    left = stable_markers(logits, X, np.where(y == 1, -1, y), GENES, TYPES, 2)
    assert set(left["type"]) == {"B", "T"} and set(left["against"]) == {"others", "B", "T"}
    with pytest.raises(ArgumentError, match="X has cells of 1 of the 3 types; markers need two"):
        stable_markers(logits, X, np.where(y == 0, 0, -1), GENES, TYPES)
    with pytest.raises(ArgumentError, match="X has cells of none of the types"):
        stable_markers(logits, X, np.full(len(y), -1), GENES, TYPES)


@pytest.mark.parametrize("n_bootstraps", [0, 2.5, True])
def test_number_of_samples_is_checked(n_bootstraps):
    with pytest.raises(ArgumentError, match="n_bootstraps=.* must be a whole number of at least 1"):
        stable_markers(*draw_cells()[:3], GENES, TYPES, n_bootstraps=n_bootstraps)
