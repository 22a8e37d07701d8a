"""Labels judged by out-of-fold probabilities: how well they fit, which are suspicious, which types overlap.

References
----------
Northcutt, Jiang & Chuang (2021), Confident Learning, doi:10.1613/jair.1.12125.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["confusable_pairs", "label_quality", "suspicious_labels"]

TINY = 1e-12  # keeps the ratio defined where a model rules out two types at once


def label_quality(probability: np.ndarray, y: np.ndarray) -> np.ndarray:
    r"""Return the probability of each label against its strongest rival: below 0.5, the rival is ahead.

    .. math:: q_i = p_{i, y_i} / (p_{i, y_i} + \max_{k \ne y_i} p_{ik})

    It orders cells as the log odds of the two types do, but stays between 0 and 1.

    Parameters
    ----------
    probability : ndarray, shape (B, K)
        By a model that was not fitted to the cell.
    y : ndarray of int, shape (B,)
        Labels, 0 to K − 1.

    Returns
    -------
    ndarray of float64, shape (B,)
    """
    probability = np.clip(probability, TINY, 1).astype(np.float64)
    cells = np.arange(len(y))
    own = probability[cells, y]
    rivals = probability.copy()
    rivals[cells, y] = 0
    return own / (own + rivals.max(axis=1))


def suspicious_labels(probability: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which labels are probably wrong, by the thresholds of confident learning.

    The threshold of a type is its mean probability among the cells with that label. A label is suspicious if
    the most probable type is another one, and at least as probable as the threshold of that type. Types that
    are hard to tell apart thus have low thresholds, and types that are easy to tell apart high ones.

    Parameters
    ----------
    probability, y
        As for `label_quality`.

    Returns
    -------
    ndarray of bool, shape (B,)
    """
    counts = np.bincount(y, minlength=probability.shape[1])
    sums = np.bincount(y, probability[np.arange(len(y)), y], minlength=probability.shape[1])
    thresholds = sums / np.maximum(counts, 1)
    best = probability.argmax(axis=1)
    return (best != y) & (probability.max(axis=1) >= thresholds[best])


def confusable_pairs(y: np.ndarray, predicted: np.ndarray, num_classes: int) -> pd.DataFrame:
    """Count how often cells of each label are predicted as another type, in both directions.

    Parameters
    ----------
    y, predicted : ndarray of int, shape (B,)
        0 to K − 1.
    num_classes : int
        K.

    Returns
    -------
    DataFrame
        A row per ordered pair of types with such cells, the most frequent first: "label" and "predicted"
        (int); "cells" and "share", the number of these cells and their share of the cells with that label;
        "reverse_cells" and "reverse_share", the same for cells labeled `predicted` and predicted `label`.
    """
    counts = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(counts, (y, predicted), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(counts, 0)
    label, other = np.nonzero(counts)
    pairs = pd.DataFrame(
        {
            "label": label,
            "predicted": other,
            "cells": counts[label, other],
            "share": shares[label, other],
            "reverse_cells": counts[other, label],
            "reverse_share": shares[other, label],
        }
    )
    return pairs.sort_values(["cells", "share"], ascending=False, kind="stable", ignore_index=True)
