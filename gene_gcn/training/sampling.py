"""Samples of cells in which no type is lost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from gene_gcn.training.operators import CellSource

__all__ = ["Sample", "draw_sample", "rank_in_type", "sample_cells"]


class Sample(NamedTuple):
    """Some of the cells, in memory.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Their positions among the cells of all processes, sorted.
    X : csr_matrix of float32, shape (n, N)
    """

    rows: np.ndarray
    X: sparse.csr_matrix


def draw_sample(cells: CellSource, y: np.ndarray, size: int, seed: int) -> Sample | None:
    """Draw at most so many cells, evenly from all types as far as they last; None if there are no more.

    Parameters
    ----------
    cells : CellSource
    y : ndarray of int64, shape (cells of all processes,)
        Types, 0 to K − 1.
    """
    if len(y) <= size:
        return None
    rows = sample_cells(y, size, np.random.default_rng(seed))
    return Sample(rows, cells.take(rows))


def sample_cells(y: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return positions of at most so many cells, those of the rarest types first so that no type is lost."""
    order = rng.permutation(len(y))
    rank = rank_in_type(y[order])
    return np.sort(order[np.argsort(rank, kind="stable")][:size])


def rank_in_type(y: np.ndarray) -> np.ndarray:
    """Return 0 for the first cell of each type, 1 for the second, and so on."""
    order = np.argsort(y, kind="stable")
    counts = np.bincount(y)
    rank = np.empty(len(y), np.int64)
    rank[order] = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank
