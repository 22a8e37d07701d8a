"""Sums of cells: what they add up to, and what is drawn from them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from summed_cells import TYPES, moments_of

from gene_gcn.training.operators import CellsInMemory

N, RANK = 40, 4


def cells(n=120, seed=0):
    """Cells (n, N) that vary within types along four axes, with a little noise, and types and batches."""
    rng = np.random.default_rng(seed)
    y, batch = np.arange(n) % TYPES, np.arange(n) % 2
    axes = np.random.default_rng(9).normal(size=(RANK, N))
    means = np.random.default_rng(8).normal(3, 1, (TYPES, N))
    X = means[y] + rng.normal(size=(n, RANK)) @ axes + 0.01 * rng.normal(size=(n, N))
    return sparse.csr_matrix(X.astype(np.float32)), y, batch


def scatter_within(X, y):
    dense = X.toarray().astype(float)
    for k in np.unique(y):
        dense[y == k] -= dense[y == k].mean(0)
    return dense.T @ dense


@pytest.mark.parametrize("batched", [False, True])
def test_sums_are_those_of_the_cells(batched):
    X, y, batch = cells()
    moments = moments_of(X, y, batch if batched else None)
    dense = X.toarray()
    np.testing.assert_array_equal(moments.type_counts, np.bincount(y))
    np.testing.assert_allclose(moments.means(), [dense[y == k].mean(0) for k in range(TYPES)], rtol=1e-5)
    np.testing.assert_allclose(moments.squares.sum(0), (dense**2).sum(0), rtol=1e-5)


@pytest.mark.parametrize("batched", [False, True])
def test_scatter_of_low_rank_is_kept_whole(batched):
    X, y, batch = cells()
    factor, rest = moments_of(X, y, batch if batched else None).within()
    expected = scatter_within(X, y)
    np.testing.assert_allclose(factor.T @ factor + np.diag(rest), expected, atol=0.01 * expected.max())
    np.testing.assert_allclose((factor**2).sum(0) + rest, np.diag(expected), rtol=1e-3)  # exact for each gene


def test_sum_of_moments_is_that_of_all_cells():
    X, y, batch = cells()
    whole = moments_of(X, y, batch)
    first, second = (moments_of(X[batch == b], y[batch == b]) for b in (0, 1))
    merged = first + second
    for name in ("counts", "sums", "squares"):
        np.testing.assert_allclose(getattr(merged, name), getattr(whole, name), rtol=1e-5)
    one, other = (part.factor.T @ part.factor for part in (_Within(merged), _Within(whole)))
    np.testing.assert_allclose(one, other, atol=0.01 * np.abs(other).max())


class _Within:
    def __init__(self, moments):
        self.factor, self.rest = moments.within()


def test_some_genes_are_those_of_the_cells_in_these_genes():
    X, y, _ = cells()
    genes = np.arange(0, N, 3)
    part, alone = moments_of(X, y).take(genes), moments_of(sparse.csr_matrix(X[:, genes]), y)
    np.testing.assert_allclose(part.sums, alone.sums, rtol=1e-5)
    np.testing.assert_allclose(part.squares, alone.squares, rtol=1e-5)
    scaled = moments_of(X, y).rescaled(2.0)
    twice = moments_of(sparse.csr_matrix(2 * X), y)
    np.testing.assert_allclose(scaled.squares, twice.squares, rtol=1e-5)
    np.testing.assert_allclose(scaled.means(), twice.means(), rtol=1e-5)


def test_types_left_out_leave_the_means_of_others():
    X, y, _ = cells()
    kept = moments_of(X, y).of_types(np.array([1, -1, 0]), 2)
    dense = X.toarray()
    np.testing.assert_array_equal(kept.type_counts, [np.sum(y == 2), np.sum(y == 0)])
    np.testing.assert_allclose(kept.means(), [dense[y == 2].mean(0), dense[y == 0].mean(0)], rtol=1e-5)
    same = y != 1
    alone = scatter_within(X[same], y[same])
    factor, rest = kept.within()
    ratio = ((factor**2).sum(0) + rest) / np.diag(alone)  # types vary alike here
    assert 0.7 < np.median(ratio) < 1.4


def test_drawn_cells_have_the_moments():
    X, y, _ = cells()
    moments = moments_of(X, y)
    drawn, types = moments.draw(np.array([40, 40, 40]), seed=0)
    np.testing.assert_array_equal(np.bincount(types), [40, 40, 40])
    means = [drawn[types == k].mean(0) for k in range(TYPES)]
    np.testing.assert_allclose(means, moments.means(), atol=1e-4)
    expected = scatter_within(X, y)
    np.testing.assert_allclose(
        scatter_within(sparse.csr_matrix(drawn), types), expected, atol=0.02 * expected.max()
    )
    again, _ = moments.draw(np.array([40, 40, 40]), seed=0)
    np.testing.assert_array_equal(drawn, again)


def test_single_cells_are_drawn_as_they_are():
    X, y, _ = cells(3)
    drawn, _ = moments_of(X, y, rank=2).draw(np.array([1, 1, 1]), seed=0)
    np.testing.assert_allclose(drawn, X.toarray(), atol=1e-4)


def test_means_without_difference_are_drawn_together():
    rng = np.random.default_rng(0)
    y = np.arange(300) % TYPES
    X = rng.normal(5, 1, (300, N))
    X[:, 0] += 10 * y  # the only gene in which types differ
    likely = moments_of(sparse.csr_matrix(X.astype(np.float32)), y).shrunken()
    spread = likely.means().std(0)
    assert spread[0] > 8 and np.median(spread[1:]) < 0.05


def test_cells_are_summed_block_by_block(monkeypatch):
    X, y, batch = cells()
    whole = moments_of(X, y, batch)
    monkeypatch.setattr("gene_gcn.training.operators.PART_CELLS", 32)
    assert len(list(CellsInMemory(X).blocks())) == 4
    parts = moments_of(X, y, batch)
    for name in ("counts", "sums", "squares"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-5)
    one, other = (part.factor.T @ part.factor for part in (_Within(parts), _Within(whole)))
    np.testing.assert_allclose(one, other, atol=1e-3 * np.abs(other).max())


def test_many_batches_are_taken_together():
    X, y, _ = cells()
    assert len(moments_of(X, y, np.arange(len(y)) // 6).counts) == 1
