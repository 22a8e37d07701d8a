"""Clusters and neighbors decide about cells of which the model is unsure, and merge no types."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.special import softmax

from gene_gcn.uncertainty import cluster_consensus, cluster_votes, neighbor_consensus, neighbor_shares

K = 4


def cells(y, sharpness, seed=0):
    """Probabilities of a Gaussian mixture with equally frequent types; exact for any sharpness."""
    x = np.eye(K)[y] * sharpness + np.random.default_rng(seed).normal(size=(len(y), K))
    return softmax(sharpness * x, axis=1)


def majority(probability, cluster):
    counts = np.zeros((cluster.max() + 1, K))
    np.add.at(counts, (cluster, probability.argmax(1)), 1)
    return counts.argmax(1)[cluster]


def test_pure_clusters_pull_unsure_cells():
    y = np.repeat(np.arange(K), 100)
    probability = cells(y, 1.2)
    cluster = np.arange(len(y)) // 25
    after = cluster_consensus(probability, cluster)
    np.testing.assert_allclose(after.sum(1), 1, atol=1e-6)
    assert np.mean(after.argmax(1) == y) > np.mean(probability.argmax(1) == y) + 0.05


@pytest.mark.parametrize("fraction", [0.3, 0.1, 0.03])
def test_a_cluster_of_two_types_is_not_merged(fraction):
    """As a majority vote would, and as is done where one of the types is rare among all cells, too."""
    n = 300
    y = np.where(np.arange(n) < fraction * n, 1, 0)
    y = np.append(y, np.repeat([2, 3], n))
    cluster = np.repeat([0, 1, 2], n)
    probability = cells(y, 3.0)
    name = cluster_consensus(probability, cluster).argmax(1)
    minority = y == 1
    assert np.mean(name[minority] == 1) >= np.mean(probability.argmax(1)[minority] == 1)
    assert np.mean(name[minority] == 1) > 0.9
    assert not np.any(majority(probability, cluster)[minority] == 1)
    assert np.mean(name == y) >= np.mean(probability.argmax(1) == y)


def test_sure_cells_keep_their_type_whatever_the_cluster():
    probability = np.full((50, 2), [0.99, 0.01])
    probability[0] = [0.001, 0.999]
    assert cluster_consensus(probability, np.zeros(50, int)).argmax(1)[0] == 1


def test_a_cell_does_not_vote_for_itself():
    probability = cells(np.arange(40) % K, 1.0)
    alone = cluster_consensus(probability, np.arange(40))
    np.testing.assert_allclose(alone, probability, atol=1e-6)


def test_one_cluster_of_all_cells_changes_no_name():
    """There every type is as frequent as in all cells."""
    probability = cells(np.random.default_rng(0).choice(K, 2000, p=[0.7, 0.2, 0.07, 0.03]), 1.5)
    after = cluster_consensus(probability, np.zeros(2000, int))
    np.testing.assert_allclose(after, probability, atol=2e-3)


def test_neighbors_of_a_cluster_are_the_cluster():
    y = np.repeat(np.arange(K), 10)
    probability, cluster = cells(y, 1.0), np.arange(40) // 10
    graph = (cluster[:, None] == cluster) & ~np.eye(40, dtype=bool)
    np.testing.assert_allclose(
        neighbor_consensus(probability, sparse.csr_matrix(graph.astype(float))),
        cluster_consensus(probability, cluster),
        atol=1e-6,
    )


def test_cells_without_cluster_or_neighbors_keep_their_probabilities():
    probability = cells(np.zeros(20, int), 1.0)
    cluster = np.where(np.arange(20) < 10, 0, -1)
    np.testing.assert_allclose(cluster_consensus(probability, cluster)[10:], probability[10:], atol=1e-6)
    without = neighbor_consensus(probability, sparse.csr_matrix((20, 20)))
    np.testing.assert_allclose(without, probability, atol=1e-6)


def test_order_of_cells_is_of_no_matter():
    probability, cluster = cells(np.arange(60) % K, 1.0), np.random.default_rng(1).integers(0, 5, 60)
    order = np.random.default_rng(2).permutation(60)
    np.testing.assert_allclose(
        cluster_consensus(probability[order], cluster[order]),
        cluster_consensus(probability, cluster)[order],
        atol=1e-6,
    )


def test_votes_are_counted():
    name = np.array([0, 0, 0, 1, 2, 2, 3])
    before = np.array([0, 1, 0, 1, 2, 2, 3])
    votes = cluster_votes(name, before, np.array([0, 0, 0, 0, 1, 1, -1]))
    assert votes.cells.tolist() == [4, 2] and votes.name.tolist() == [0, 2]
    assert votes.share.tolist() == [0.75, 1] and votes.share_before.tolist() == [0.5, 1]
    np.testing.assert_allclose(votes.entropy, [0.75 * np.log2(4 / 3) + 0.25 * 2, 0])
    np.testing.assert_array_equal(votes.share_of_cell, [0.75, 0.75, 0.75, 0.25, 1, 1, np.nan])
    assert votes.heterogeneous.tolist() == [False, False]
    half = cluster_votes(np.array([0, 1]), np.array([0, 1]), np.array([0, 0]))
    assert half.entropy.tolist() == [1] and half.heterogeneous.tolist() == [True]


def test_neighbors_are_counted_by_their_weight():
    graph = sparse.csr_matrix([[0, 1, 0.5], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(neighbor_shares(np.array([0, 1, 0]), graph), [1 / 3, 0, np.nan])


def test_no_cells():
    nothing = np.empty((0, K))
    assert cluster_consensus(nothing, np.empty(0, int)).shape == (0, K)
    assert neighbor_consensus(nothing, sparse.csr_matrix((0, 0))).shape == (0, K)
    assert len(cluster_votes(np.empty(0, int), np.empty(0, int), np.empty(0, int)).cells) == 0
