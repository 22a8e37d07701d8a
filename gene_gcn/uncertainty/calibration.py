"""How far confidence is from accuracy."""

from __future__ import annotations

import numpy as np

__all__ = ["calibration_error"]


def calibration_error(correct: np.ndarray, confidence: np.ndarray, n_bins: int = 15) -> float:
    r"""Compute the expected calibration error, over bins of equal width.

    .. math:: \sum_k \frac{n_k}{B} \, |\mathrm{accuracy}_k - \mathrm{confidence}_k|

    Bin k of K holds the n_k cells whose confidence is in (k / K, (k + 1) / K]; 0 is in the first bin.

    Parameters
    ----------
    correct : ndarray of bool, shape (B,)
    confidence : ndarray of float, shape (B,)
        Probability of the predicted type, in [0, 1].
    n_bins : int

    Returns
    -------
    float

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, arXiv:1706.04599.
    """
    indexer = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    gap = np.bincount(indexer, correct - confidence, minlength=n_bins)
    return float(np.abs(gap).sum() / len(correct))
