"""Metrics that compare true and predicted cell types, computed by scikit-learn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn import metrics

from gene_gcn.cells import to_same_kind
from gene_gcn.errors import ArgumentError
from gene_gcn.uncertainty import calibration_error

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["evaluate", "expected_calibration_error", "recall_per_type"]


def evaluate(y_true: ArrayLike, y_pred: ArrayLike) -> dict[str, float]:
    """Compare predicted with true cell types.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (B,)
        A label per cell, of any dtype.

    Returns
    -------
    dict of str to float
        ``accuracy``; ``macro_f1``, the unweighted mean F1 over all types that occur in either argument;
        ``weighted_f1``, the mean weighted by the number of true cells; ``balanced_accuracy``, the mean recall
        over the true types.

    Raises
    ------
    ArgumentError
        There are no cells, or the numbers of predictions and labels differ.
    """
    true, predicted = _as_labels(y_true, y_pred)
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        # scikit-learn warns of types that are predicted but never true, as they have no recall.
        balanced_accuracy = metrics.balanced_accuracy_score(true, predicted)
    return {
        "accuracy": float(metrics.accuracy_score(true, predicted)),
        "macro_f1": float(metrics.f1_score(true, predicted, average="macro", zero_division=0)),
        "weighted_f1": float(metrics.f1_score(true, predicted, average="weighted", zero_division=0)),
        "balanced_accuracy": float(balanced_accuracy),
    }


def recall_per_type(y_true: ArrayLike, y_pred: ArrayLike) -> pd.DataFrame:
    """Compute the recall of each true type.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (B,)
        A label per cell, of any dtype.

    Returns
    -------
    DataFrame
        Indexed by ``type``, largest type first: ``cells``, ``correct`` and ``recall`` = correct / cells.

    Raises
    ------
    ArgumentError
        There are no cells, or the numbers of predictions and labels differ.
    """
    true, predicted = _as_labels(y_true, y_pred)
    correct = pd.DataFrame({"type": true, "correct": true == predicted}).groupby("type")["correct"]
    table = correct.agg(cells="size", correct="sum")
    table["recall"] = table["correct"] / table["cells"]
    return table.sort_values("cells", ascending=False, kind="stable")


def expected_calibration_error(
    y_true: ArrayLike, y_pred: ArrayLike, confidence: ArrayLike, n_bins: int = 15
) -> float:
    r"""Compute the expected calibration error, over bins of equal width.

    .. math:: \sum_k \frac{n_k}{B} \, |\mathrm{accuracy}_k - \mathrm{confidence}_k|

    Bin k of K holds the n_k cells whose confidence is in (k / K, (k + 1) / K]; 0 is in the first bin.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (B,)
        A label per cell, of any dtype.
    confidence : array-like, shape (B,)
        Probability of the predicted type, in [0, 1].
    n_bins : int

    Returns
    -------
    float

    Raises
    ------
    ArgumentError
        There are no cells, or the numbers of predictions or confidences and labels differ.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, arXiv:1706.04599.
    """
    true, predicted = _as_labels(y_true, y_pred)
    confidence = np.asarray(confidence, dtype=np.float64)
    if confidence.shape != true.shape:
        raise ArgumentError(
            "confidence",
            f"confidence has shape {confidence.shape}; pass one value for each of the {len(true):,} cells.",
        )
    return calibration_error(true == predicted, confidence, n_bins)


def _as_labels(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    if true.ndim != 1 or true.shape != predicted.shape or not len(true):
        raise ArgumentError(
            "y_pred",
            f"y_true has shape {true.shape} and y_pred {predicted.shape}; both need one label per cell, for "
            "the same cells.",
        )
    true, predicted = to_same_kind(true, predicted)  # the classes 0, 1 and the labels "0", "1" or 0.0, 1.0
    return true, predicted
