"""How sure the annotation is, type by type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gene_gcn.errors import ArgumentError
from gene_gcn.plots.figure import FAINT, INK
from gene_gcn.plots.types import NO_TYPE, as_types, obs_column, ordered_types

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

BLUE, GRAY = "#1d6a8c", "#7b8794"
BANDS = ((5, 95, 0.25), (25, 75, 0.65))  # percentiles, and how opaque the bar between them is
FEWEST_CELLS = 10  # for quantiles; with fewer, each cell is shown


def confidence(
    adata: AnnData, key: str = "gene_gcn", *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how the confidence is distributed in each type: the middle 90 %, the middle half, and the median.

    The type with the highest median is on top; cells that are "unknown" or "unassigned" are below, in gray.
    Of types with fewer than ten cells, each cell is a point.

    Parameters
    ----------
    adata : AnnData
        Cells that `GeneGCNClassifier.annotate` annotated.
    key : str
        What its `key_added` was.
    title : str, optional
        By default the number of cells and their median confidence.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure of suitable size.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If `adata` lacks the types or their confidence, or has no cells.
    """
    labels = obs_column(adata, key, "key")
    values = obs_column(adata, f"{key}_confidence", "key").to_numpy(float)
    if not len(values):
        raise ArgumentError("adata", "adata has no cells; pass annotated ones.")
    types = as_types(labels)
    cells = {name: values[types == name] for name in ordered_types(labels)}
    names = sorted(cells, key=lambda name: (name in NO_TYPE, -np.median(cells[name])))
    ax = _new_axes(names) if ax is None else ax
    for row, name in enumerate(names):
        _draw_type(ax, row, cells[name], GRAY if name in NO_TYPE else BLUE)
    rows = [f"{name}  ({len(cells[name]):,})" for name in names]
    ax.set_yticks(np.arange(len(rows)), rows, fontsize=9.5 if len(rows) <= 20 else 8, color=INK)
    ax.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.4, -0.6))
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.tick_params(length=0, labelcolor=INK)
    ax.spines[:].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(axis="x", color="#e4e7eb", linewidth=0.8)
    ax.set_xlabel("Confidence (median, middle half and middle 90% of the cells)", fontsize=9, color=FAINT)
    if title is None:
        title = f"{len(values):,} cells, median confidence {np.median(values):.2f}"
    ax.set_title(title, loc="left", fontsize=11, color=INK)
    return ax


def _new_axes(names: list[str]) -> Axes:
    from matplotlib.figure import Figure

    size = (4.6 + 0.08 * max(map(len, names)), 0.26 * len(names) + 1.1)
    return Figure(figsize=size, layout="constrained").add_subplot()


def _draw_type(ax: Axes, row: int, values: np.ndarray, color: str) -> None:
    if len(values) < FEWEST_CELLS:
        ax.scatter(values, np.full(len(values), row), s=16, color=color, alpha=0.65, linewidths=0, zorder=2)
        return
    for low, high, alpha in BANDS:
        left, right = np.percentile(values, (low, high))
        ax.barh(row, right - left, left=left, height=0.62, color=color, alpha=alpha, linewidth=0)
    median = np.median(values)
    ax.vlines(median, row - 0.38, row + 0.38, color=INK, linewidth=2, zorder=3)
