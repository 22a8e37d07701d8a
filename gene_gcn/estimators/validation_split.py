"""Cells that are set aside to stop training early."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import train_test_split

CELLS_PER_TYPE = 5  # on average; with fewer, early stopping follows noise
CELLS = 10  # without types


def split_by_type(y: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of training and of validation cells, drawn evenly from all types.

    There are no validation cells where they would be fewer than five per type. A type's only cell is for
    training.
    """
    cells, counts = np.arange(len(y)), np.bincount(y)
    divisible = counts[y] >= 2
    n_validation = int(fraction * divisible.sum())
    if n_validation < CELLS_PER_TYPE * len(counts):
        return cells, cells[:0]
    train, validation = train_test_split(
        cells[divisible], test_size=n_validation, random_state=seed, stratify=y[divisible]
    )
    return np.concatenate([train, cells[~divisible]]), validation


def split(n_cells: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of training and of validation cells.

    There are no validation cells where they would be fewer than ten.
    """
    cells = np.arange(n_cells)
    n_validation = int(fraction * n_cells)
    if n_validation < CELLS:
        return cells, cells[:0]
    train, validation = train_test_split(cells, test_size=n_validation, random_state=seed)
    return train, validation
