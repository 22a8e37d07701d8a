r"""Consensus: what the cluster or the neighbors of a cell say about its type, as a second observation.

Given the type k of a cell c, let its expression and its cluster g be independent. The probability of the type
is then multiplied by how much more frequent the type is among the other cells of the cluster than in all:

.. math:: q_{ck} \propto p_{ck} \left( \frac{\pi_{ck}}{\pi_k} \right)^s, \qquad
    \pi_{ck} = \frac{\sum_{j \in g, j \ne c} q_{jk} + m \, \pi_k}{|g| - 1 + m}

The frequencies are estimated from the probabilities, in a few rounds, as in expectation maximization
(Saerens et al. 2002, doi:10.1162/089976602753284446). A cluster of one type pulls the cells of which the
model is unsure. A type to which part of the cluster surely belongs is frequent there, too, so its cells keep
it; and a rare type is not outvoted by a common one, since what counts is the ratio to its own frequency. The
exponent s < 1 allows for clusters that were made from the expression itself, which are no independent
observation; m cells of the composition of all cells steady small clusters.

With a graph of neighbors, such as spatial ones, the weighted sum over these takes the place of that over the
cluster.

Letters: B cells, K types, L clusters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = [
    "ClusterVotes",
    "cluster_consensus",
    "cluster_votes",
    "neighbor_consensus",
    "neighbor_shares",
]

# Chosen on the four public sets of docs/guide/confidence.md.
STRENGTH = 0.3  # s
PRIOR_CELLS = 10.0  # m
ROUNDS = 3  # later ones change nothing that is measured
HETEROGENEOUS_BELOW = 0.7  # fraction of the cells of a cluster that have its most frequent name


def cluster_consensus(probability: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Return the probabilities of the types given each cell and the other cells of its cluster.

    Parameters
    ----------
    probability : ndarray, shape (B, K)
        For equally frequent types.
    cluster : ndarray of int, shape (B,)
        0 to L − 1, or −1 for cells of no cluster, which keep their probabilities and do not vote.

    Returns
    -------
    ndarray of float32, shape (B, K)
    """
    inside = np.flatnonzero(cluster >= 0)
    group = cluster[inside]
    members = _members(group)
    others = np.bincount(group)[group] - 1.0

    def sum_of_others(q: np.ndarray) -> np.ndarray:
        return (members @ q)[group] - q

    result = probability.astype(np.float32)
    result[inside] = _posterior(probability[inside], sum_of_others, others)
    return result


def neighbor_consensus(probability: np.ndarray, graph: sparse.csr_matrix) -> np.ndarray:
    """Return the probabilities of the types given each cell and its neighbors.

    Parameters
    ----------
    probability : ndarray, shape (B, K)
        For equally frequent types.
    graph : csr_matrix, shape (B, B)
        Weights of the neighbors (columns) of each cell (rows), from 0 to 1, as which part of a cell they
        count; zero on the diagonal. Cells without neighbors keep their probabilities.

    Returns
    -------
    ndarray of float32, shape (B, K)
    """
    weight = np.asarray(graph.sum(axis=1), np.float64).ravel()
    return _posterior(probability, lambda q: graph @ q, weight)


def _posterior(
    probability: np.ndarray, sum_of_others: Callable[[np.ndarray], np.ndarray], others: np.ndarray
) -> np.ndarray:
    """Return the posterior (B, K), given how to sum over the other cells, and their weights (B,)."""
    n_cells, n_types = probability.shape
    q = probability.astype(np.float64)
    for _ in range(ROUNDS):
        frequency = (q.sum(axis=0) + 1) / (n_cells + n_types)
        nearby = (sum_of_others(q) + PRIOR_CELLS * frequency) / (others + PRIOR_CELLS)[:, None]
        q = probability * (np.maximum(nearby, 0) / frequency) ** STRENGTH
        q /= q.sum(axis=1, keepdims=True)
    return q.astype(np.float32)


@dataclass(frozen=True, eq=False)
class ClusterVotes:
    """How far the cells of each cluster agree.

    Attributes
    ----------
    cells : ndarray of int, shape (L,)
    name : ndarray of int, shape (L,)
        The most frequent name.
    share : ndarray, shape (L,)
        Fraction of the cells that have it.
    share_before : ndarray, shape (L,)
        Fraction of the cells that had it before the consensus.
    entropy : ndarray, shape (L,)
        Of the names, in bits: 0 for one name, 1 for two that are equally frequent.
    share_of_cell : ndarray, shape (B,)
        Fraction of the cells of its cluster that have the name of the cell; NaN without a cluster.
    """

    cells: np.ndarray
    name: np.ndarray
    share: np.ndarray
    share_before: np.ndarray
    entropy: np.ndarray
    share_of_cell: np.ndarray

    @property
    def heterogeneous(self) -> np.ndarray:
        """Which clusters hold several types: a mask (L,)."""
        return self.share < HETEROGENEOUS_BELOW


def cluster_votes(name: np.ndarray, name_before: np.ndarray, cluster: np.ndarray) -> ClusterVotes:
    """Count the names in each cluster.

    Parameters
    ----------
    name, name_before : ndarray of int, shape (B,)
        Names after and before the consensus, 0 or more.
    cluster : ndarray of int, shape (B,)
        0 to L − 1, each of some cell, or −1 for cells of no cluster.

    Returns
    -------
    ClusterVotes
        Of the L clusters.
    """
    inside = cluster >= 0
    group = cluster[inside]
    width = int(max(name.max(initial=0), name_before.max(initial=0))) + 1
    members = _members(group)
    counts, before = ((members @ _one_hot(names[inside], width)).toarray() for names in (name, name_before))
    cells = np.bincount(group)
    fractions = counts / cells[:, None]
    best = fractions.argmax(axis=1)
    rows = np.arange(len(cells))
    entropy = -(fractions * np.log2(np.where(fractions > 0, fractions, 1))).sum(axis=1)
    share_of_cell = np.full(len(name), np.nan)
    share_of_cell[inside] = fractions[group, name[inside]]
    return ClusterVotes(
        cells, best, fractions[rows, best], before[rows, best] / cells, entropy + 0.0, share_of_cell
    )


def neighbor_shares(name: np.ndarray, graph: sparse.csr_matrix) -> np.ndarray:
    """Return the weighted fraction (B,) of the neighbors of each cell with its name (B,), or NaN.

    The graph is that of `neighbor_consensus`.
    """
    edges = graph.tocoo()
    agree = np.bincount(edges.row, edges.data * (name[edges.row] == name[edges.col]), minlength=len(name))
    total = np.asarray(graph.sum(axis=1), np.float64).ravel()
    return np.where(total > 0, agree / np.where(total > 0, total, 1), np.nan)


def _members(group: np.ndarray) -> sparse.csr_matrix:
    """Return the indicators (L, cells) of clusters, given that of each cell."""
    n_groups = int(group.max(initial=-1)) + 1
    return sparse.csr_matrix((np.ones(len(group)), (group, np.arange(len(group)))), (n_groups, len(group)))


def _one_hot(names: np.ndarray, width: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(len(names)), (np.arange(len(names)), names)), (len(names), width))
