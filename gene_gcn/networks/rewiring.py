"""Degree-preserving rewiring by batches of double-edge swaps."""

from __future__ import annotations

import numpy as np

# Each edge is moved this many times on average. The usual rule for such chains is 10 or more.
MOVES_PER_EDGE = 10
MAX_ROUNDS = 200


def swap_edges(
    low: np.ndarray, high: np.ndarray, num_genes: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    r"""Rewire an undirected graph; every node keeps its number of neighbours.

    A swap turns the edges :math:`(u, v), (x, y)` into :math:`(u, y), (x, v)`. In each round all edges are
    paired at random, every pair proposes one swap, and the proposals that would make a self-loop, an edge
    that is there already or an edge that another pair proposes too are refused. What is left can be done at
    once, without a loop over edges.

    Parameters
    ----------
    low, high
        Ends of the M edges, each edge once, no self-loops, no duplicates; shape (M,) each.
    num_genes
        Number of nodes.
    rng
        Source of randomness.

    Returns
    -------
    tuple of numpy.ndarray
        The new ends, shape (M,) each, edge by edge: position k holds the edge that edge k became.

    Raises
    ------
    ValueError
        If no swap was possible in any round, as in a complete graph, a star, or with fewer than two edges.

    References
    ----------
    Maslov & Sneppen (2002), Specificity and stability in topology of protein networks,
    doi:10.1126/science.1065103.
    """
    low, high = low.astype(np.int64), high.astype(np.int64)  # copies: changed in place below
    num_edges = len(low)
    half = num_edges // 2
    moved = 0
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
        good = (u != y) & (x != v) & ~_in_sorted(uy, taken) & ~_in_sorted(xv, taken)

        first, second = first[good], second[good]
        low[first], high[first] = u[good], y[good]
        low[second], high[second] = x[good], v[good]
        moved += 2 * len(first)
        if moved >= MOVES_PER_EDGE * num_edges:
            break
    if not moved:
        raise ValueError(
            f"a network of {num_edges:,} edges between {num_genes:,} genes cannot be rewired: no two of its "
            "edges can exchange ends (as in a complete graph, a star, or with fewer than two edges). Use "
            "permuted(seed) instead."
        )
    return low, high


def _in_sorted(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    if not len(table):
        return np.zeros(len(values), dtype=bool)
    at = np.searchsorted(table, values)
    return table[np.minimum(at, len(table) - 1)] == values
