"""Class-conditional conformal prediction: sets of types that hold the true one with a stated probability.

References
----------
Vovk, Gammerman & Shafer (2005), Algorithmic Learning in a Random World, ch. 4 (Mondrian predictors);
Angelopoulos & Bates (2023), doi:10.1561/2200000101.
"""

from __future__ import annotations

import numpy as np

__all__ = ["class_p_values", "uncertified_types"]


def class_p_values(probability: np.ndarray, held_out: np.ndarray, held_out_types: np.ndarray) -> np.ndarray:
    """Return the conformal p-value of each type for each cell.

    A type's p-value is the share of held-out cells of that type whose probability of it is no larger. The
    set of types with ``p > alpha`` misses a cell's type with probability alpha at most, whichever type it is,
    if the cell is exchangeable with the held-out cells of its type.

    Parameters
    ----------
    probability : ndarray, shape (B, K)
    held_out : ndarray, shape (cells, K)
        Probabilities of cells that the model was not fitted to.
    held_out_types : ndarray of int, shape (cells,)
        Their types, 0 to K − 1.

    Returns
    -------
    ndarray of float64, shape (B, K)
        1 for types without held-out cells.
    """
    p = np.ones(probability.shape)
    for index in range(probability.shape[1]):
        own = np.sort(held_out[held_out_types == index, index])
        if len(own):
            p[:, index] = (1 + np.searchsorted(own, probability[:, index], side="right")) / (len(own) + 1)
    return p


def uncertified_types(held_out_types: np.ndarray, num_classes: int, alpha: float) -> np.ndarray:
    """Return the types with too few held-out cells ever to be left out of a set, with any ``p > alpha``."""
    counts = np.bincount(held_out_types, minlength=num_classes)
    return np.flatnonzero(1 / (counts + 1) > alpha)
