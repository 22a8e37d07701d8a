"""The confusion matrix: which types are mistaken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gene_gcn.errors import ArgumentError
from gene_gcn.plots.figure import FAINT, INK, WHITE_TO_BLUE, root_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from numpy.typing import ArrayLike

WHITE_TEXT_ABOVE = 0.65  # fraction from which white is easier to read on its color than dark text
MAX_TYPES_WITH_COUNTS = 30  # with more types, counts do not fit into the squares
MAX_LEVEL_NAME = 4  # characters; longer names of columns are slanted


def confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw which types are mistaken for which: one row per true type, colored by the fraction of its cells.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (B,)
        True and predicted type of each cell.
    labels : array-like, optional
        The types to show, in this order. By default all are shown, those mistaken for each other side by
        side.
    title : str, optional
        By default the number of cells and the accuracy.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure of suitable size.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If there are no cells, or not as many predictions as true types.
    """
    true, pred = _as_strings(y_true), _as_strings(y_pred)
    if true.shape != pred.shape or not len(true):
        raise ArgumentError(
            "y_pred",
            f"y_true has {len(true):,} labels and y_pred has {len(pred):,}; both need one label per cell, "
            "for the same cells.",
        )
    names = _order_by_confusion(true, pred) if labels is None else _as_strings(labels)
    counts = _count_pairs(true, pred, names)  # (K, K)
    total = counts.sum(axis=1, keepdims=True)
    fraction = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    if ax is None:
        ax = _new_axes(names)
    image = _draw_matrix(ax, fraction)
    if len(names) <= MAX_TYPES_WITH_COUNTS:
        _write_counts(ax, counts, fraction)
    _label_axes(ax, names, total.ravel())
    if title is None:
        title = f"{len(true):,} cells, {np.mean(true == pred):.1%} classified correctly"
    ax.set_title(title, loc="left", fontsize=12, color=INK, pad=12)
    _add_colorbar(ax, image)
    return ax


def _as_strings(labels: ArrayLike) -> np.ndarray:
    return np.asarray([str(label) for label in np.asarray(labels)], dtype=object)


def _count_pairs(y_true: np.ndarray, y_pred: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Count the cells of each true (row) and predicted type, (K, K), leaving out other types."""
    rows, columns = (pd.Index(names).get_indexer(labels) for labels in (y_true, y_pred))
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    shown = (rows >= 0) & (columns >= 0)
    np.add.at(counts, (rows[shown], columns[shown]), 1)
    return counts


def _order_by_confusion(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Order the types by hierarchical clustering of their confusion; without any mistakes, by size."""
    sizes = pd.Series(np.concatenate([y_true, y_pred])).value_counts(sort=False).sort_index()
    names = sizes.sort_values(ascending=False, kind="stable").index.to_numpy(dtype=object)
    if len(names) < 3:
        return names
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    counts = _count_pairs(y_true, y_pred, names).astype(float)
    fraction = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    confused = fraction + fraction.T  # (K, K), at most 2
    if not (confused - np.diag(np.diag(confused))).any():
        return names
    distance = 2 - confused
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    return names[leaves_list(tree)]


def _new_axes(names: np.ndarray) -> Axes:
    from matplotlib.figure import Figure

    longest = max(map(len, names))
    side = min(max(0.42 * len(names), 2.4), 16)  # inches, without the names
    margin = 0.08 * longest + 1
    figure = Figure(figsize=(side + margin + 1.4, side + 0.8 * margin + 0.4), layout="constrained")
    return figure.add_subplot()


def _draw_matrix(ax: Axes, fraction: np.ndarray) -> AxesImage:
    from matplotlib.colors import LinearSegmentedColormap

    colors = LinearSegmentedColormap.from_list("gene_gcn", WHITE_TO_BLUE)
    image = ax.imshow(fraction, cmap=colors, vmin=0, vmax=1)
    ax.set_xticks(np.arange(len(fraction) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(fraction) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="#e4e7eb", linewidth=0.8)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    return image


def _write_counts(ax: Axes, counts: np.ndarray, fraction: np.ndarray) -> None:
    size = 9 if counts.max() < 1000 else 7
    for row, column in zip(*np.nonzero(counts), strict=True):
        color = "white" if fraction[row, column] > WHITE_TEXT_ABOVE else INK
        text = f"{counts[row, column]:,}"
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=color)


def _label_axes(ax: Axes, names: np.ndarray, total: np.ndarray) -> None:
    positions = np.arange(len(names))
    size = 9.5 if len(names) <= 20 else 8
    rows = [f"{name}  ({n:,})" for name, n in zip(names, total, strict=True)]
    ax.set_yticks(positions, rows, fontsize=size, color=INK)
    ax.set_xticks(positions, names, fontsize=size, color=INK)
    if max(map(len, names)) > MAX_LEVEL_NAME:
        for label in ax.get_xticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")
    ax.set_ylabel("True type (number of cells)", fontsize=10, color=FAINT)
    ax.set_xlabel("Predicted type", fontsize=10, color=FAINT)


def _add_colorbar(ax: Axes, image: AxesImage) -> None:
    inset = ax.inset_axes((1.03, 0, 0.035, 1))  # so that it is as high as the matrix
    bar = root_figure(ax).colorbar(image, cax=inset, format="{x:.0%}", ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.set_label("Fraction of the cells of the true type", fontsize=9, color=FAINT)
    bar.outline.set_visible(False)
    inset.tick_params(length=0, labelsize=9, labelcolor=INK)
