"""Genes of two species that are most like each other, by vectors in one space."""

from __future__ import annotations

import numpy as np

__all__ = ["mutual_neighbors"]

ROWS = 1024  # of cosines at a time


def mutual_neighbors(
    first: np.ndarray, second: np.ndarray, min_cosine: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of which each is the nearest neighbor of the other.

    Parameters
    ----------
    first, second : ndarray, shapes (M, D) and (N, D)
        Vectors of length 1; those of length 0 have no neighbors.
    min_cosine : float
        Smallest cosine of a pair.

    Returns
    -------
    tuple of ndarray of int, shape (P,) each
        Positions in both.
    """
    if not len(first) or not len(second):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    nearest = np.empty(len(first), np.int64)
    best, best_of_second = np.full(len(second), -np.inf), np.full(len(second), -1)
    cosine = np.empty(len(first))
    for start in range(0, len(first), ROWS):
        block = first[start : start + ROWS] @ second.T
        rows = slice(start, start + len(block))
        nearest[rows] = block.argmax(axis=1)
        cosine[rows] = block.max(axis=1)
        largest = block.max(axis=0)
        closer = largest > best
        best[closer] = largest[closer]
        best_of_second[closer] = start + block.argmax(axis=0)[closer]
    own = np.arange(len(first))
    mutual = (best_of_second[nearest] == own) & (cosine >= min_cosine) & (cosine > 0)
    return own[mutual], nearest[mutual]
