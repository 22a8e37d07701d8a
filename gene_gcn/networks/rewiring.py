"""Controls: genes permuted, and degree-preserving rewiring by batches of double-edge swaps."""

from __future__ import annotations

import numpy as np

from gene_gcn.errors import ArgumentError
from gene_gcn.networks.edge_arrays import Edges

# Each edge is swapped this many times on average. The usual rule for such chains is 10 or more.
SWAPS_PER_EDGE = 10
MAX_ROUNDS = 200


def permute_genes(
    edge_index: np.ndarray, weight: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Give the edges of each gene to another one of its group.

    Parameters
    ----------
    edge_index : numpy.ndarray of int64, shape (2, E)
    weight : numpy.ndarray, shape (E,)
    groups : numpy.ndarray, shape (N,)
        Group of each gene.
    rng : numpy.random.Generator

    Returns
    -------
    edge_index, weight : numpy.ndarray
        Sorted by (row, column).
    """
    _, labels = np.unique(groups, return_inverse=True)
    n = len(labels)
    moved_to = np.empty(n, dtype=np.int64)
    # Both sides list the genes group by group, one in the given order, the other shuffled.
    moved_to[np.argsort(labels, kind="stable")] = np.lexsort((rng.random(n), labels))
    edge_index = moved_to[edge_index]
    order = np.argsort(edge_index[0] * n + edge_index[1])
    return edge_index[:, order], weight[order]


def swap_edges(edges: Edges, num_genes: int, rng: np.random.Generator) -> Edges:
    r"""Rewire an undirected graph so that every node keeps its number of neighbors.

    A swap replaces the edges :math:`(u, v), (x, y)` by :math:`(u, y), (x, v)`. In each round, all edges are
    paired at random and each pair proposes one swap. Proposals that would create a self-loop, an existing
    edge, or an edge that another pair proposes too are rejected; the others are independent and are applied
    at once, without a loop over edges.

    Parameters
    ----------
    edges : Edges
        The E edges, without duplicates.
    num_genes : int
        Number of nodes.
    rng : numpy.random.Generator

    Returns
    -------
    Edges
        Edge k is what edge k became, with its weight.

    Raises
    ------
    ArgumentError
        If no swap is possible in any round, as in a complete graph, a star, or with fewer than two edges.

    References
    ----------
    Maslov & Sneppen (2002), Specificity and stability in topology of protein networks,
    doi:10.1126/science.1065103.
    """
    low, high = edges.low.astype(np.int64), edges.high.astype(np.int64)  # copies, changed in place below
    num_edges = len(low)
    half = num_edges // 2
    swapped = 0
    for _ in range(MAX_ROUNDS if half else 0):
        order = rng.permutation(num_edges)
        first, second = order[:half], order[half : 2 * half]
        u, v = low[first], high[first]
        flip = rng.random(half) < 0.5  # an undirected edge can be swapped by either end
        x = np.where(flip, high[second], low[second])
        y = np.where(flip, low[second], high[second])

        uy = np.minimum(u, y) * num_genes + np.maximum(u, y)
        xv = np.minimum(x, v) * num_genes + np.maximum(x, v)
        present = np.minimum(low, high) * num_genes + np.maximum(low, high)
        keys = np.sort(np.concatenate([present, uy, xv]))
        taken = np.unique(keys[1:][keys[1:] == keys[:-1]])  # present already, or proposed twice
        accepted = (u != y) & (x != v) & ~_in_sorted(uy, taken) & ~_in_sorted(xv, taken)

        first, second = first[accepted], second[accepted]
        low[first], high[first] = u[accepted], y[accepted]
        low[second], high[second] = x[accepted], v[accepted]
        swapped += 2 * len(first)
        if swapped >= SWAPS_PER_EDGE * num_edges:
            break
    if not swapped:
        raise ArgumentError(
            "network",
            f"a network of {num_edges:,} edges between {num_genes:,} genes cannot be rewired: no two of its "
            "edges can exchange ends (as in a complete graph, a star, or with fewer than two edges). Use "
            "permuted(seed) instead.",
        )
    return Edges(low, high, edges.weight)


def _in_sorted(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    if not len(table):
        return np.zeros(len(values), dtype=bool)
    at = np.searchsorted(table, values)
    return table[np.minimum(at, len(table) - 1)] == values
