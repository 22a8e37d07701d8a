"""Which types are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn.plots.figure import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADES = ["#ffffff", "#d9ebf2", "#9ccadb", "#4a9bb8", "#1d6a8c", "#0b3c5d"]
MOST_WITH_COUNTS = 30  # types; with more, counts no longer fit into the squares


def confusion_matrix(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    *,
    types: Sequence[Any] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw which types are taken for which: a row per true type, shaded by the share of its cells.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (B,)
        A label per cell.
    types : sequence, optional
        Types and their order; by default all, those that are mistaken for each other side by side.
    title : str, optional
        By default the number of cells and the accuracy.
    ax : Axes, optional
        Where to draw; by default on a new figure of a size that fits, ``ax.figure`` of the result.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        No cells, or not as many predictions as labels.
    """
    y_true, y_pred = _as_text(y_true), _as_text(y_pred)
    if y_true.shape != y_pred.shape or not len(y_true):
        raise ValueError(
            f"y_true has shape {y_true.shape} and y_pred {y_pred.shape}; both need one label "
            "per cell, for the same cells."
        )
    names = _side_by_side(y_true, y_pred) if types is None else _as_text(types)
    counts = _count_pairs(y_true, y_pred, names)  # (K, K)
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    if ax is None:
        ax = _new_axes(names)
    image = _draw_squares(ax, share)
    if len(names) <= MOST_WITH_COUNTS:
        _write_counts(ax, counts, share)
    _name_types(ax, names, total.ravel())
    if title is None:
        title = f"{len(y_true):,} cells, {100 * np.mean(y_true == y_pred):.1f} % named correctly"
    ax.set_title(title, loc="left", fontsize=12, color=INK, pad=12)
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.035, pad=0.03, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.ax.set_yticklabels(["0 %", "25 %", "50 %", "75 %", "100 %"], fontsize=9, color=INK)
    bar.set_label("share of the cells of the true type", fontsize=9, color=FAINT)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    return ax


def _as_text(labels) -> np.ndarray:
    return np.asarray([str(label) for label in np.asarray(labels)], dtype=object)


def _count_pairs(y_true: np.ndarray, y_pred: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Cells of each true (row) and predicted type, (K, K); cells of other types are not counted."""
    rows, columns = (pd.Index(names).get_indexer(labels) for labels in (y_true, y_pred))
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    known = (rows >= 0) & (columns >= 0)
    np.add.at(counts, (rows[known], columns[known]), 1)
    return counts


def _side_by_side(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Order the types so that those confused with each other are neighbours, else by size."""
    names = pd.Series(np.concatenate([y_true, y_pred])).value_counts(sort=False).sort_index()
    names = names.sort_values(ascending=False, kind="stable").index.to_numpy(dtype=object)
    if len(names) < 3:
        return names
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    counts = _count_pairs(y_true, y_pred, names).astype(float)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    confused = share + share.T  # (K, K), at most 2
    if not (confused - np.diag(np.diag(confused))).any():
        return names
    distance = 2 - confused
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    return names[leaves_list(tree)]


def _new_axes(names: np.ndarray) -> Axes:
    from matplotlib.figure import Figure

    longest = max(map(len, names))
    side = min(max(0.42 * len(names), 2.4), 16)  # inches; the names come on top
    margin = 0.08 * longest + 1
    figure = Figure(figsize=(side + margin + 1.4, side + 0.8 * margin + 0.4), layout="constrained")
    return figure.add_subplot()


def _draw_squares(ax: Axes, share: np.ndarray):
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("gene_gcn", SHADES)
    image = ax.imshow(share, cmap=shades, vmin=0, vmax=1)
    ax.set_xticks(np.arange(len(share) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(share) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="#e4e7eb", linewidth=0.8)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    return image


def _write_counts(ax: Axes, counts: np.ndarray, share: np.ndarray) -> None:
    size = 9 if counts.max() < 1000 else 7
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if share[row, column] > 0.5 else INK
        text = f"{counts[row, column]:,}"
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _name_types(ax: Axes, names: np.ndarray, total: np.ndarray) -> None:
    places = np.arange(len(names))
    size = 9.5 if len(names) <= 20 else 8
    rows = [f"{name}  ({n:,})" for name, n in zip(names, total, strict=True)]
    ax.set_yticks(places, rows, fontsize=size, color=INK)
    ax.set_xticks(places, names, fontsize=size, color=INK, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_ylabel("true type (cells)", fontsize=10, color=FAINT)
    ax.set_xlabel("predicted type", fontsize=10, color=FAINT)
