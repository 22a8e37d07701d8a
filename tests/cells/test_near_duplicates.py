"""Copies of cells are found, exact or not; cells of one type are not copies."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from gene_gcn.cells import near_duplicate_groups, near_duplicates, read_cells, read_expression
from gene_gcn.cells.normalizer import Normalizer

RNG = np.random.default_rng


def make_counts(n=80, genes=300, seed=0):
    rng = RNG(seed)
    profile = rng.gamma(0.5, 4.0, (2, genes))
    return rng.poisson(profile[np.arange(n) % 2]).astype(np.float32)


def groups_of(X, seed=0):
    return near_duplicate_groups(sparse.csr_matrix(X), RNG(seed)).tolist()


def test_cells_of_one_type_are_not_duplicates():
    assert not any(groups_of(np.sqrt(make_counts())))


def test_copies_are_numbered_in_the_order_of_the_cells():
    X = make_counts(6)
    assert groups_of(X[[0, 1, 2, 1, 3, 2, 1, 4, 5]]) == [0, 1, 2, 1, 0, 2, 1, 0, 0]


def test_copies_at_another_depth_or_with_a_few_other_counts():
    X = make_counts()
    almost = X[4].copy()
    almost[:3] += 1
    assert groups_of(np.vstack([X, 3 * X[7], almost]))[-2:] == [2, 1]
    assert np.count_nonzero(groups_of(np.vstack([X, 3 * X[7], almost]))) == 4


def test_all_cells_twice_and_many_copies_of_one():
    X = make_counts(40)
    assert groups_of(np.vstack([X, X])) == [*range(1, 41)] * 2
    assert groups_of(np.vstack([X, *[X[:1]] * 30])) == [1] + [0] * 39 + [1] * 30


def test_cells_without_expression_are_not_duplicates():
    X = make_counts(10)
    X[[2, 5]] = 0
    assert not any(groups_of(X))
    assert groups_of(np.zeros((3, 5), np.float32)) == [0, 0, 0]
    assert groups_of(X[:1]) == [0]


def test_shallow_cells_are_not_duplicates():
    """Cells that express one gene are all identical."""
    X = np.vstack([make_counts(40), np.zeros((6, 300))]).astype(np.float32)
    X[40:44, 7] = 1
    X[44:, :19] = 1
    assert not any(groups_of(X))
    X[44:, 19] = 1
    assert groups_of(X)[40:] == [0] * 4 + [1] * 2


def test_groups_of_thousands_take_little_memory():
    """All pairs of 4,000 copies would take 8 million rows of 30 genes, 3 GB."""
    X = sparse.csr_matrix(make_counts(40, genes=60))
    copies = sparse.vstack([X, *[X[:1]] * 4000], "csr")
    tracemalloc.start()
    groups = near_duplicate_groups(copies, RNG(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert groups.tolist() == [1] + [0] * 39 + [1] * 4000
    assert peak < 500e6


def test_chains_are_one_group_across_blocks(monkeypatch):
    """Each cell is a near duplicate of the next only, and blocks hold a few cells."""
    X = make_counts(60, genes=2000)
    step = 0.1 * np.linalg.norm(X[0]) / np.sqrt(2000)
    noise = RNG(1).normal(0, step, (30, 2000)).cumsum(axis=0)
    chain = (X[0] + noise).astype(np.float32)
    mixed = np.vstack([X, chain])[RNG(2).permutation(90)]
    whole = groups_of(mixed)
    assert np.count_nonzero(whole) == 31 and max(whole) == 1
    monkeypatch.setattr(near_duplicates, "MEBIBYTES", 1e-3)
    monkeypatch.setattr(near_duplicates, "PAIRS", 3)
    assert groups_of(mixed) == whole


def normalized(file):
    expression = read_expression(read_cells(file))
    return Normalizer.fit(expression).transform(expression)


def test_real_cells_have_no_duplicates_until_they_are_copied(shared_data):
    X = normalized(shared_data / "cells" / "xin_pancreas_scclassify.h5ad")
    assert not near_duplicate_groups(X, RNG(0)).any()
    assert np.count_nonzero(near_duplicate_groups(sparse.vstack([X, X[:5]], "csr"), RNG(0))) == 10


@pytest.mark.parametrize("seed", [0, 1])
def test_two_measurements_of_a_cell_are_duplicates(shared_data, seed):
    """In the set of Wang et al. (doi:10.2337/db16-0405), pairs of consecutive rows are almost the same."""
    groups = near_duplicate_groups(
        normalized(shared_data / "cells" / "wang_pancreas_scclassify.h5ad"), RNG(seed)
    )
    pairs = [np.flatnonzero(groups == number) for number in range(1, groups.max() + 1)]
    assert len(pairs) == 169 and all(first + 1 == second for first, second in pairs)
