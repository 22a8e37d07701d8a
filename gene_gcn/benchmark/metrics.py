"""Figures that compare true and predicted cell types, by scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn import metrics

__all__ = ["evaluate", "expected_calibration_error", "recall_per_type"]


def evaluate(y_true: Sequence[Any], y_pred: Sequence[Any]) -> dict[str, float]:
    """Compare predicted with true cell types.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (B,)
        A label per cell, of any dtype.

    Returns
    -------
    dict
        ``accuracy``; ``macro_f1``, the mean F1 over all types that are true or predicted anywhere, whatever
        their size; ``weighted_f1``, their mean weighted by true cells; ``balanced_accuracy``, the mean recall
        over the true types.

    Raises
    ------
    ValueError
        No cells, or not as many predictions as labels.
    """
    y_true, y_pred = _as_labels(y_true, y_pred)
    with warnings.catch_warnings():
        # A type that is predicted and nowhere true has no recall; there is nothing to do about it.
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        return {
            "accuracy": float(metrics.accuracy_score(y_true, y_pred)),
            "macro_f1": float(metrics.f1_score(y_true, y_pred, average="macro", zero_division=0)),
            "weighted_f1": float(metrics.f1_score(y_true, y_pred, average="weighted", zero_division=0)),
            "balanced_accuracy": float(metrics.balanced_accuracy_score(y_true, y_pred)),
        }


def recall_per_type(y_true: Sequence[Any], y_pred: Sequence[Any]) -> pd.DataFrame:
    """Count, for each true type, the cells that were recognised.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (B,)
        A label per cell, of any dtype.

    Returns
    -------
    DataFrame
        Indexed by ``type``, the largest type first: ``cells``, ``correct`` and ``recall`` = correct / cells.

    Raises
    ------
    ValueError
        No cells, or not as many predictions as labels.
    """
    y_true, y_pred = _as_labels(y_true, y_pred)
    right = pd.DataFrame({"type": y_true, "correct": y_true == y_pred}).groupby("type")["correct"]
    table = right.agg(cells="size", correct="sum")
    table["recall"] = table["correct"] / table["cells"]
    return table.sort_values("cells", ascending=False, kind="stable")


def expected_calibration_error(
    y_true: Sequence[Any], y_pred: Sequence[Any], confidence: Sequence[float], n_bins: int = 15
) -> float:
    r"""How far confidence is from the share of right predictions, over bins of equal width.

    .. math:: \sum_k \frac{n_k}{B} \, |\mathrm{accuracy}_k - \mathrm{confidence}_k|

    Bin k of K holds the n_k cells of a confidence in (k / K, (k + 1) / K]; that of 0 is in the first.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (B,)
        A label per cell, of any dtype.
    confidence : array-like, shape (B,)
        Probability of the predicted type, in [0, 1].
    n_bins : int

    Raises
    ------
    ValueError
        No cells, or not as many predictions or confidences as labels.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, arXiv:1706.04599.
    """
    y_true, y_pred = _as_labels(y_true, y_pred)
    confidence = np.asarray(confidence, dtype=np.float64)
    if confidence.shape != y_true.shape:
        raise ValueError(
            f"confidence has shape {confidence.shape}, but there is one label per cell for "
            f"{len(y_true):,} cells."
        )
    place = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    gap = np.bincount(place, (y_true == y_pred) - confidence, minlength=n_bins)
    return float(np.abs(gap).sum() / len(y_true))


def _as_labels(y_true, y_pred) -> tuple[np.ndarray, np.ndarray]:
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim != 1 or y_true.shape != y_pred.shape or not len(y_true):
        raise ValueError(
            f"y_true has shape {y_true.shape} and y_pred {y_pred.shape}; both need one label "
            "per cell, for the same cells."
        )
    kinds = {"number" if y.dtype.kind in "biuf" else "text" for y in (y_true, y_pred)}
    if len(kinds) == 2:  # the classes 0, 1 and the labels "0", "1"
        return y_true.astype(str), y_pred.astype(str)
    return y_true, y_pred
