"""The shift of a query is found, removed where there is one, and left alone where it cannot be told."""

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import spearmanr

from gene_gcn.uncertainty.query_shift import (
    TypeProfiles,
    _Centroids,
    adapt_to_query,
    find_markers,
    rank_correlation,
)

N, K = 300, 4
RNG = np.random.default_rng(0)
MEANS = RNG.gamma(0.6, 1.0, (K, N))
WEIGHT = (MEANS - MEANS.mean(0)).T / 5
SHIFT = np.abs(RNG.normal(0, 0.6, N))


def draw(n, seed, shift=None, types=None):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, K, n) if types is None else rng.choice(types, n)
    counts = rng.poisson(MEANS[y] ** 2 * 0.5)
    X = np.sqrt(counts) + (0 if shift is None else shift)
    return sparse.csr_matrix(np.maximum(X, 0).astype(np.float32)), y


REFERENCE, LABELS = draw(800, 1)
PROFILES = TypeProfiles.of(REFERENCE, LABELS, K)
BIAS = -(PROFILES.mean @ WEIGHT).diagonal()


def test_profiles_are_means():
    for index in range(K):
        expected = REFERENCE[index == LABELS].mean(0)
        np.testing.assert_allclose(PROFILES.mean[index], np.asarray(expected).ravel(), rtol=1e-4)
    np.testing.assert_array_equal(PROFILES.counts, np.bincount(LABELS))


def test_query_of_the_same_set_is_left_alone():
    X, _ = draw(600, 2)
    probability, shift = adapt_to_query(X, WEIGHT, BIAS, PROFILES)
    assert "one data set" in shift.reason and not shift.is_removed and not shift.genes.any()
    logits = X @ WEIGHT + BIAS
    np.testing.assert_array_equal(probability.argmax(1), logits.argmax(1))


def test_shift_is_found_and_removed():
    X, y = draw(600, 3, shift=SHIFT)
    plain = (X @ WEIGHT + BIAS).argmax(1)
    probability, shift = adapt_to_query(X, WEIGHT, BIAS, PROFILES)
    assert shift.is_removed and shift.size > 0.03
    assert np.corrcoef(shift.genes, SHIFT)[0, 1] > 0.8
    assert np.mean(probability.argmax(1) == y) > max(0.95, np.mean(plain == y) - 0.01)
    np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize(("n", "types", "reason"), [(30, None, "too few"), (300, [2], "one type")])
def test_shift_that_cannot_be_told_is_left(n, types, reason):
    X, _ = draw(n, 4, shift=SHIFT, types=types)
    _, shift = adapt_to_query(X, WEIGHT, BIAS, PROFILES)
    assert reason in shift.reason


def test_chance_between_few_cells_of_one_set_is_no_shift():
    """With ten cells of each type, their means differ from those of the query by more than 0.03."""
    sizes = []
    for seed in range(10):
        X, y = draw(10 * K, 20 + seed, types=None)
        profiles = TypeProfiles.of(X, y, K)
        _, shift = adapt_to_query(draw(600, 40 + seed)[0], WEIGHT * 0.05, BIAS * 0.05, profiles)
        sizes.append(shift.size)
        assert not shift.is_removed
    assert max(sizes) > 0.03


def test_profiles_of_batches_are_those_of_an_average_batch():
    """A type that is mostly in the shifted batch does not take the shift for its own."""
    rng = np.random.default_rng(7)
    y = np.repeat(np.arange(K), 200)
    batch = np.where(y == 0, rng.random(len(y)) < 0.9, rng.random(len(y)) < 0.2).astype(int)
    X = sparse.csr_matrix(
        np.sqrt(rng.poisson(MEANS[y] ** 2 * 0.5)) + batch[:, None] * SHIFT, dtype=np.float32
    )
    expected = PROFILES.mean + batch.mean() * SHIFT
    plain, balanced = TypeProfiles.of(X, y, K), TypeProfiles.of(X, y, K, batch)
    errors = [np.sqrt(np.mean((found.mean[0] - expected[0]) ** 2)) for found in (plain, balanced)]
    assert errors[1] < 0.3 * errors[0]
    np.testing.assert_array_equal(balanced.counts, plain.counts)
    one = TypeProfiles.of(X, y, K, np.zeros(len(y), int))
    np.testing.assert_array_equal(one.mean, plain.mean)


def test_order_of_cells_and_genes_does_not_matter():
    X, _ = draw(300, 5, shift=SHIFT)
    probability, _ = adapt_to_query(X, WEIGHT, BIAS, PROFILES)
    cells, genes = np.random.default_rng(0).permutation(300), np.random.default_rng(1).permutation(N)
    other, _ = adapt_to_query(
        X[cells][:, genes].tocsr(),
        WEIGHT[genes],
        BIAS,
        TypeProfiles(PROFILES.mean[:, genes], PROFILES.counts),
    )
    np.testing.assert_allclose(other, probability[cells], atol=1e-4)


def test_rank_correlation_is_spearmans():
    X = REFERENCE[:20]
    X = sparse.vstack([X[:3], sparse.csr_matrix((1, N)), X[4:]], "csr")  # a cell without expression: no ranks
    found = rank_correlation(X, PROFILES.mean)
    for cell in range(20):
        for index in range(K):
            if cell != 3:
                expected = spearmanr(X[cell].toarray().ravel(), PROFILES.mean[index]).statistic
                assert found[cell, index] == pytest.approx(expected, abs=1e-6)
    assert not found[3].any()


def test_correlation_with_centroids_is_that_of_dense_cells():
    markers = find_markers(PROFILES.mean)
    centroids = _Centroids.of(REFERENCE[:15], PROFILES.mean, markers)
    found = centroids.correlate(SHIFT)
    scale, center = centroids.scale, PROFILES.mean[:, markers].mean(0)
    cells = (REFERENCE[:15].toarray()[:, markers] - SHIFT[markers] - center) / scale
    types = (PROFILES.mean[:, markers] - center) / scale
    norms = np.linalg.norm(cells, axis=1)[:, None] * np.linalg.norm(types, axis=1)
    np.testing.assert_allclose(found, cells @ types.T / norms, rtol=1e-5, atol=1e-7)


def test_markers_are_the_genes_in_which_types_differ():
    mean = np.zeros((2, 500), np.float32)
    mean[0, :3], mean[1, 10:12] = 1, 2
    np.testing.assert_array_equal(find_markers(mean), [0, 1, 2, 10, 11])
