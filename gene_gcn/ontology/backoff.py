"""Back-off: the deepest node of a hierarchy that is sure enough, and how sure that must be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gene_gcn.ontology.hierarchy import Hierarchy

__all__ = ["back_off", "choose_threshold"]

BLOCK = 1 << 16  # cells whose summed probabilities are in memory at once
# Summed probabilities at which choose_threshold tries to back off.
THRESHOLDS = np.unique(np.concatenate([np.linspace(0, 0.99, 100), 1 - np.geomspace(1e-6, 1e-2, 41), [1.0]]))


def back_off(probability: np.ndarray, hierarchy: Hierarchy, threshold: float) -> np.ndarray:
    """Return the node of each cell: the deepest above its most probable type that is probable enough.

    Of the nodes above the most probable type, itself among them, whose probability, summed over the types
    under them, is `threshold` or more, it is the one with the fewest types under it; of several, the
    deepest, and of these the most probable. Thus 0 gives the most probable types themselves.

    Parameters
    ----------
    probability : ndarray, shape (B, K)
    hierarchy : Hierarchy
    threshold : float
        Between 0 and 1. The root is always probable enough.

    Returns
    -------
    ndarray of int, shape (B,)
        Positions in `hierarchy.nodes`.
    """
    blocks = (probability[start : start + BLOCK] for start in range(0, len(probability), BLOCK))
    found = [_Candidates.of(block, hierarchy).first(threshold) for block in blocks]
    return np.concatenate([np.empty(0, np.int64), *found])


def choose_threshold(
    probability: np.ndarray, types: np.ndarray, hierarchy: Hierarchy, accuracy: float = 0.95
) -> float:
    """Return the smallest threshold at which nodes hold the type of a cell with a stated probability.

    By conformal risk control: the error of a node is that the type of the cell is not under it. For cells
    drawn like the held-out ones, its expectation is ``1 − accuracy`` or less.

    Parameters
    ----------
    probability : ndarray, shape (cells, K)
        Of cells that the model was not fitted to.
    types : ndarray of int, shape (cells,)
        Their types, 0 to K − 1.
    hierarchy : Hierarchy
    accuracy : float
        Between 0 and 1.

    Returns
    -------
    float
        Infinite, such that only the root is sure enough, if there are too few cells.

    References
    ----------
    Angelopoulos et al. (2024), Conformal risk control, arXiv:2208.02814.
    """
    candidates = _Candidates.of(probability, hierarchy)
    wrong = np.zeros((len(THRESHOLDS), len(types)), bool)
    for row, threshold in enumerate(THRESHOLDS):
        wrong[row] = ~hierarchy.members[types, candidates.first(threshold)]
    # Where a type is under several nodes, a higher threshold can be wrong where a lower one was not.
    wrong = np.maximum.accumulate(wrong[::-1])[::-1]
    risk = (wrong.sum(1) + 1) / (len(types) + 1)
    enough = np.flatnonzero(risk <= 1 - accuracy)
    return float(THRESHOLDS[enough[0]]) if len(enough) else float(np.inf)


@dataclass(frozen=True, eq=False)
class _Candidates:
    """The nodes above the most probable type of each cell.

    Attributes
    ----------
    summed : ndarray, shape (B, M)
        Probabilities, infinite for the root.
    rank : ndarray, shape (B, M)
        The lower, the more a node says; infinite for nodes that are not above the type.
    """

    summed: np.ndarray
    rank: np.ndarray

    @classmethod
    def of(cls, probability: np.ndarray, hierarchy: Hierarchy) -> _Candidates:
        summed = hierarchy.sum_upwards(probability.astype(np.float64))
        # Depth and probability count less than one type: they decide between nodes with equally many.
        size = hierarchy.members.sum(0) - hierarchy.depth / (len(hierarchy.nodes) + 1)
        above = hierarchy.above[probability.argmax(1)]
        rank = np.where(above, size - summed * 1e-6, np.inf)
        summed[:, -1] = np.inf
        return cls(summed, rank)

    def first(self, threshold: float) -> np.ndarray:
        """Return the lowest of the nodes that are probable enough, shape (B,)."""
        return np.where(self.summed >= threshold, self.rank, np.inf).argmin(1)
