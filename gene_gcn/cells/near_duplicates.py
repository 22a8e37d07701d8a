"""Cells that a matrix holds twice, exactly or almost: joined files, barcodes that were read again."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

__all__ = ["near_duplicate_groups"]

LARGEST = 0.01  # cosine distance: different cells of ten public sets are 0.018 apart or more
SHARE = 0.05  # of the typical distance, where cells are closer than in these, as on small panels of genes
ROUNDING = 1e-6  # distance of identical rows in float32
NEIGHBOR, SAMPLE = 10, 500  # up to ten copies of all cells leave the typical distance that of different cells
DIRECTIONS = 64


def near_duplicate_groups(X: sparse.csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """Assign numbers to the groups of cells that are identical or almost identical.

    Two cells are near duplicates if their cosine distance is below 0.01 and below a twentieth of the median
    distance of a cell to its tenth neighbor; measurements of two different cells, even of one type, differ
    more. Groups are connected components. Candidates are found in 64 random directions, which keep distances
    (Johnson & Lindenstrauss 1984, doi:10.1090/conm/026/737400); their distances are then computed exactly.

    Parameters
    ----------
    X : csr_matrix of float32, shape (B, N)
        Normalized expression.
    rng : Generator

    Returns
    -------
    ndarray of int64, shape (B,)
        1, 2, … in the order of the cells; 0 for cells without a near duplicate, and for those without any
        expression, which are alike for another reason.
    """
    groups = np.zeros(X.shape[0], np.int64)
    expressed = np.flatnonzero(np.diff(X.indptr))
    if len(expressed) < 2:
        return groups
    unit = normalize(X[expressed])
    largest = _largest_distance(unit, rng)
    codes = unit @ (rng.standard_normal((X.shape[1], DIRECTIONS), np.float32) / DIRECTIONS**0.5)
    radius = (
        2 * largest**0.5
    )  # distances of unit vectors are √(2 · cosine distance); √2 more for the projection
    near = NearestNeighbors(radius=radius, algorithm="brute").fit(codes).radius_neighbors_graph()
    first, second = sparse.triu(near, 1).nonzero()
    distance = 1 - np.asarray(unit[first].multiply(unit[second]).sum(axis=1)).ravel()
    first, second = first[distance <= largest], second[distance <= largest]
    pairs = sparse.coo_matrix((np.ones(len(first)), (first, second)), shape=(len(expressed),) * 2)
    _, component = connected_components(pairs, directed=False)
    sizes = np.bincount(component)
    is_copied = sizes[component] > 1
    numbers, order = np.unique(component[is_copied], return_index=True)
    rank = np.empty(len(sizes), np.int64)
    rank[numbers[np.argsort(order)]] = np.arange(1, len(numbers) + 1)
    groups[expressed[is_copied]] = rank[component[is_copied]]
    return groups


def _largest_distance(unit: sparse.csr_matrix, rng: np.random.Generator) -> float:
    """Return the largest cosine distance of near duplicates."""
    cells = rng.choice(unit.shape[0], min(SAMPLE, unit.shape[0]), replace=False)
    similarity = (unit[cells] @ unit.T).toarray()
    neighbor = min(NEIGHBOR, similarity.shape[1] - 1)
    distance = 1 - np.partition(similarity, -1 - neighbor, axis=1)[:, -1 - neighbor]  # after the cell itself
    return max(ROUNDING, min(LARGEST, SHARE * float(np.median(distance))))
