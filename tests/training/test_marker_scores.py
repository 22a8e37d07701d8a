"""Scores by marker genes, without labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.stats import mannwhitneyu, norm

from gene_gcn.nn import GlobalGraph
from gene_gcn.training.marker_scores import (
    MarkerOptions,
    _agreement,
    _spread,
    _weighted_means,
    choose_seeds,
    neighbor_means,
    score_types,
)

N, K = 40, 4


def cells(n=120, seed=0):
    """Three types that express eight genes each, the last of four not being there, and their codes."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    rate = np.full((n, N), 0.3)
    for k in range(3):
        rate[y == k, 8 * k : 8 * k + 8] = 3.0
    X = sparse.csr_matrix(np.sqrt(rng.poisson(rate)).astype(np.float32))
    left, values, _ = np.linalg.svd(X.toarray() - X.toarray().mean(0), full_matrices=False)
    return X, y, (left * values)[:, :5]


def signs(per_type=3):
    found = np.zeros((N, K), np.int8)
    for k in range(K):
        found[8 * k : 8 * k + per_type, k] = 1
    return found


def graph(pairs):
    edges = torch.tensor([*pairs, *[(b, a) for a, b in pairs]]).T
    return GlobalGraph.from_edges(edges, None, N).prepare()


def test_cells_are_given_the_types_whose_markers_they_express():
    X, y, codes = cells()
    found = score_types(X, codes, signs(), None)
    assert (found.scores[:, :3].argmax(1) == y).mean() > 0.95
    assert found.damping == 0 and found.scores.shape == (120, K)
    assert found.evident(signs(), MarkerOptions().evidence).tolist() == [True, True, True, False]


def test_a_gene_that_a_type_does_not_express_counts_against_it():
    X, _, codes = cells()
    against = signs()
    against[8, 0] = -1
    plain, found = (score_types(X, codes, each, None).scores for each in (signs(), against))
    expression = neighbor_means(codes, MarkerOptions()) @ X[:, [8]].toarray()[:, 0]
    assert np.corrcoef(plain[:, 0] - found[:, 0], expression)[0, 1] > 0.999
    np.testing.assert_array_equal(plain[:, 1:], found[:, 1:])


def test_single_markers_cannot_be_tested():
    X, _, codes = cells()
    found = score_types(X, codes, signs(1), graph([(0, 5)]))
    assert np.isnan(found.agreement).all() and found.damping == 0
    assert found.evident(signs(1), 4.0)[:3].all()


def test_a_network_helps_only_if_it_leads_to_genes_of_the_type():
    X, _, codes = cells()
    weak = X.toarray()
    weak[:, [0, 8, 16]] = np.random.default_rng(0).permutation(weak[:, [0, 8, 16]])  # noise among markers
    X = sparse.csr_matrix(weak)
    right = graph([(8 * k + i, 8 * k + j) for k in range(3) for i in range(3) for j in range(3, 8)])
    wrong = graph(
        [(8 * k + i, (8 * k + 8 + j) % 24) for k in range(3) for i in range(3) for j in range(3, 8)]
    )
    assert score_types(X, codes, signs(), wrong).damping == 0
    helped, alone = score_types(X, codes, signs(), right), score_types(X, codes, signs(), None)
    kept = ~np.isnan(alone.agreement)
    assert helped.agreement[kept].mean() >= alone.agreement[kept].mean()


def test_spreading_is_personalized_page_rank():
    walk = graph([(0, 1), (1, 2), (2, 3)])
    start = np.zeros((N, 2), np.float32)
    start[0, 0] = start[2, 1] = 1
    adj = walk.adj_t.to_dense().numpy().astype(float) / 2.0
    expected = 0.7 * np.linalg.inv(np.eye(N) - 0.3 * adj) @ start
    scaled = GlobalGraph(torch.tensor(adj, dtype=torch.float32).to_sparse_csr())
    np.testing.assert_allclose(_spread(start, scaled, 0.3), expected, atol=2e-4)
    assert _spread(start, walk, 0.0) is start


def test_agreement_is_the_area_of_mann_and_whitney():
    X, y, _ = cells()
    scores = np.eye(3)[y].astype(np.float32)
    without = scores[:, [0]]
    (area,), (z,) = _agreement(X, np.array([[1, 0]]), scores, without)
    values = X[:, [1]].toarray()[:, 0]
    test = mannwhitneyu(values[y == 0], values[y != 0], method="asymptotic", use_continuity=False)
    assert area == pytest.approx(test.statistic / (40 * 80))
    assert 2 * norm.sf(abs(z)) == pytest.approx(test.pvalue, rel=1e-6)


def test_genes_are_averaged_in_parts(monkeypatch):
    X, _, codes = cells()
    means = neighbor_means(codes, MarkerOptions())
    weights = np.random.default_rng(0).random((N, 3)).astype(np.float32)
    whole = _weighted_means(X, means, weights, MarkerOptions())
    monkeypatch.setattr("gene_gcn.training.marker_scores.GENES_AT_ONCE", 7)
    np.testing.assert_allclose(_weighted_means(X, means, weights, MarkerOptions()), whole, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(means.sum(1)).ravel(), 1, rtol=1e-6)


def test_seeds_are_the_surest_half_of_each_type():
    scores = np.array([[3, 0], [2, 0], [1, 0], [0, 5], [0, 4]], float)
    assert choose_seeds(scores, 0.5).tolist() == [0, 0, -1, 1, -1]
