"""Cells that a matrix holds twice, exactly or almost: joined files, barcodes that were read again."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import pairwise_distances_chunked
from sklearn.preprocessing import normalize

__all__ = ["near_duplicate_groups"]

LARGEST = 0.01  # cosine distance: different cells of ten public sets are 0.018 apart or more
SHARE = 0.05  # of the typical distance, where cells are closer than in these, as on small panels of genes
ROUNDING = 1e-6  # distance of identical rows in float32
NEIGHBOR, SAMPLE = 10, 500  # up to ten copies of all cells leave the typical distance that of different cells
FEWEST_GENES = 20  # cells that express one gene only are all identical
DIRECTIONS = 64
MEBIBYTES, PAIRS = 64, 2000  # distances, and pairs of cells, that are in memory at once


def near_duplicate_groups(X: sparse.csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """Assign numbers to the groups of cells that are identical or almost identical.

    Two cells are near duplicates if their cosine distance is below 0.01 and below a twentieth of the median
    distance of a cell to its tenth neighbor; measurements of two different cells, even of one type, differ
    more. Cells that express fewer than 20 genes have none, as they may be alike by chance. Groups are
    connected components. Candidates are found in 64 random directions, which keep distances
    (Johnson & Lindenstrauss 1984, doi:10.1090/conm/026/737400); their distances are then computed exactly.

    Parameters
    ----------
    X : csr_matrix of float32, shape (B, N)
        Normalized expression.
    rng : Generator

    Returns
    -------
    ndarray of int64, shape (B,)
        1, 2, … in the order of the cells; 0 for cells without a near duplicate.
    """
    groups = np.zeros(X.shape[0], np.int64)
    cells = np.flatnonzero(np.diff(X.indptr) >= FEWEST_GENES)
    if len(cells) < 2:
        return groups
    unit = normalize(X[cells])
    largest = _largest_distance(unit, rng)
    codes = unit @ (rng.standard_normal((X.shape[1], DIRECTIONS), np.float32) / DIRECTIONS**0.5)
    component = _connect(unit, codes, largest)
    is_copied = np.bincount(component)[component] > 1
    groups[cells[is_copied]] = pd.factorize(component[is_copied])[0] + 1
    return groups


def _largest_distance(unit: sparse.csr_matrix, rng: np.random.Generator) -> float:
    """Return the largest cosine distance of near duplicates."""
    cells = rng.choice(unit.shape[0], min(SAMPLE, unit.shape[0]), replace=False)
    similarity = (unit[cells] @ unit.T).toarray()
    neighbor = min(NEIGHBOR, similarity.shape[1] - 1)
    distance = 1 - np.partition(similarity, -1 - neighbor, axis=1)[:, -1 - neighbor]  # after the cell itself
    return max(ROUNDING, min(LARGEST, SHARE * float(np.median(distance))))


def _connect(unit: sparse.csr_matrix, codes: np.ndarray, largest: float) -> np.ndarray:
    """Return the connected component of each cell; cells are connected up to a cosine distance."""
    component = np.arange(unit.shape[0])
    # Distances of unit vectors are √(2 · cosine distance); √2 more for the projection.
    radius = 2 * largest**0.5
    start = 0
    for distances in pairwise_distances_chunked(codes, working_memory=MEBIBYTES):
        first, second = np.nonzero(np.triu(distances <= radius, start + 1))
        first += start
        start += len(distances)
        # n copies of a cell are n² / 2 pairs, of which n connect them: the others are never compared.
        while (is_apart := component[first] != component[second]).any():
            first, second = first[is_apart], second[is_apart]
            a, b = first[:PAIRS], second[:PAIRS]
            first, second = first[PAIRS:], second[PAIRS:]
            distance = 1 - np.asarray(unit[a].multiply(unit[b]).sum(axis=1)).ravel()
            is_near = distance <= largest
            component = _merge(component, a[is_near], b[is_near])
    return component


def _merge(component: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the components after cells were connected."""
    ones = np.ones(len(first), bool)
    pairs = (component[first], component[second])
    links = sparse.coo_matrix((ones, pairs), shape=(component.max() + 1,) * 2)
    return connected_components(links, directed=False)[1][component]
