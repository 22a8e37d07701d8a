"""Whether confidence can be trusted, where the true types are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gene_gcn.errors import ArgumentError
from gene_gcn.plots.figure import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

BLUE = "#1d6a8c"
MAX_BINS = 10
CELLS_PER_BIN = 20  # at least, so that an interval says something
SUM_TOLERANCE = 1e-3  # of the probabilities of a cell, from 1


def calibration(
    y_true: ArrayLike,
    probability: ArrayLike,
    classes: ArrayLike,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many cells are right against how sure the classifier was: a reliability diagram.

    Cells are sorted by confidence, the largest probability, and divided into bins of equally many cells. Each
    point is a bin, with the 95 % interval of its accuracy (Wilson). On the diagonal, confidence is accuracy;
    below it the classifier is overconfident. The bars at the bottom show how confidence is distributed.

    Parameters
    ----------
    y_true : array-like, shape (B,)
        True types. Cells of a type that is not in `classes` count as wrong.
    probability : array-like, shape (B, K)
        Such as `clf.predict_proba(X)` or `adata.obsm["gene_gcn_proba"]`.
    classes : array-like, shape (K,)
        Types of the columns: `clf.classes_`.
    title : str, optional
        By default the mean confidence and the accuracy.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If shapes do not match, there are no cells, or `probability` does not hold probabilities.

    See Also
    --------
    risk_coverage : which errors are avoided by annotating only the cells that are most certain.
    """
    sure, right = _confidence_and_hits(y_true, probability, classes)
    ax = _new_axes() if ax is None else ax
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--", zorder=1)
    ax.text(0.03, 0.05, "confidence = accuracy", color=FAINT, fontsize=8, rotation=45, rotation_mode="anchor")
    _draw_histogram(ax, sure)
    bins = np.array_split(np.argsort(sure, kind="stable"), min(MAX_BINS, max(1, len(sure) // CELLS_PER_BIN)))
    mean, accuracy = (np.array([values[cells].mean() for cells in bins]) for values in (sure, right))
    low, high = _wilson(accuracy, np.array([len(cells) for cells in bins]))
    ax.vlines(mean, low, high, color=BLUE, linewidth=1.2, zorder=2)
    ax.plot(mean, accuracy, color=BLUE, linewidth=1.5, marker="o", markersize=5, zorder=3)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    _label(ax, "Confidence", "Fraction of cells classified correctly")
    if title is None:
        title = f"Mean confidence {sure.mean():.1%}, accuracy {right.mean():.1%}"
    ax.set_title(title, loc="left", fontsize=10.5, color=INK)
    return ax


def risk_coverage(
    y_true: ArrayLike,
    probability: ArrayLike,
    classes: ArrayLike,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many errors remain if only the cells with the highest confidence are annotated.

    The risk–coverage curve of selective classification (El-Yaniv & Wiener 2010, JMLR 11:1605): the better
    confidence sorts right from wrong, the lower it starts. Confidence that sorts cells no better than chance
    gives the dashed line.

    Parameters
    ----------
    y_true, probability, classes, title, ax
        As for `calibration`; by default the title has the errors of all cells and of the more confident half.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        As for `calibration`.
    """
    from matplotlib.ticker import PercentFormatter

    sure, right = _confidence_and_hits(y_true, probability, classes)
    ax = _new_axes() if ax is None else ax
    values, counts = np.unique(-sure, return_counts=True)  # cells with the same confidence come together
    covered = np.cumsum(counts)
    wrong = np.cumsum(np.bincount(np.searchsorted(values, -sure), weights=~right))
    coverage, risk = covered / len(sure), wrong / covered
    ax.axhline(risk[-1], color=FAINT, linewidth=1, linestyle="--", zorder=1)
    ax.plot(coverage, risk, color=BLUE, linewidth=1.8, drawstyle="steps-mid", zorder=2)
    ax.fill_between(coverage, risk, step="mid", color=BLUE, alpha=0.12, linewidth=0)
    ax.set(xlim=(0, 1), ylim=(0, max(1.15 * risk.max(), 0.01)))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    _label(ax, "Cells annotated, the most confident first", "Errors among them")
    if title is None:
        half = risk[np.searchsorted(coverage, 0.5)]
        title = f"Errors: {risk[-1]:.1%}; more confident half {half:.1%}"
    ax.set_title(title, loc="left", fontsize=10.5, color=INK)
    return ax


def _confidence_and_hits(
    y_true: ArrayLike, probability: ArrayLike, classes: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest probability of each cell (B,), and whether its type is the true one (B,)."""
    true = np.array([str(label) for label in np.asarray(y_true)], dtype=object)
    names = np.array([str(label) for label in np.asarray(classes)], dtype=object)
    p = np.asarray(probability, dtype=float)
    if p.shape != (len(true), len(names)) or not p.size:
        text = f"probability has the shape {p.shape}; for {len(true):,} labels in y_true and {len(names):,} "
        raise ArgumentError("probability", text, "classes, it needs a row per label and a column per class.")
    if not (p >= 0).all() or np.abs(p.sum(axis=1) - 1).max() > SUM_TOLERANCE:
        text = "probability has rows that are not probabilities: they must be at least 0 and sum to 1. Pass "
        raise ArgumentError("probability", text, "clf.predict_proba(X), not logits.")
    return p.max(axis=1), names[p.argmax(axis=1)] == true


def _wilson(accuracy: np.ndarray, n: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of Wilson's interval (1927, doi:10.1080/01621459.1927.10502953) of a fraction."""
    center = (accuracy + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(accuracy * (1 - accuracy) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return center - half, center + half


def _draw_histogram(ax: Axes, sure: np.ndarray) -> None:
    counts, edges = np.histogram(sure, np.linspace(0, 1, 41))
    height = 0.18 * counts / counts.max()
    ax.bar(edges[:-1], height, np.diff(edges), align="edge", color="#d9dee3", linewidth=0, zorder=0)


def _new_axes() -> Axes:
    from matplotlib.figure import Figure

    return Figure(figsize=(4.6, 4.4), layout="constrained").add_subplot()


def _label(ax: Axes, x: str, y: str) -> None:
    ax.set_xlabel(x, fontsize=9.5, color=FAINT)
    ax.set_ylabel(y, fontsize=9.5, color=FAINT)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#c3c9d0")
    ax.tick_params(length=0, labelsize=9, labelcolor=INK)
