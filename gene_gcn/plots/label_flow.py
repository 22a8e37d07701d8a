"""What became of labels: flows from the old ones to the new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.plots.figure import FAINT, INK, root_figure
from gene_gcn.plots.types import NO_TYPE, NO_TYPE_COLOR, as_types, type_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

SMALLEST_TYPE = 0.004  # fraction of all cells; smaller types of a side are drawn together, as "other"
SMALLEST_FLOW = 0.03  # fraction of the smaller of its two types; lesser flows are gray
GAP = 0.012  # between types, in heights of the figure
BAR = 0.03  # width of the bars, in distances between the sides
ROUNDS = 8  # of ordering; it does not change any more after a few
LINE = 1.5  # distance of names, in font sizes
SAME, SMALL = "#dfe3e8", "#eceef1"  # colors of flows: unchanged, small


def label_flow(
    old: ArrayLike,
    new: ArrayLike,
    *,
    names: tuple[str, str] = ("old", "new"),
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw which new labels the cells of each old label have: an alluvial diagram.

    Heights are numbers of cells. Flows have the color of the old label. Where both sides share names, cells
    that keep their label are gray, so that changes stand out. Small flows are gray, too, and types with less
    than 0.4 % of the cells are drawn together. Labels are ordered so that few flows cross.

    Parameters
    ----------
    old, new : array-like, shape (B,)
        Labels of the same cells, such as clusters and types, or types of two annotations. Missing ones are
        "unassigned".
    names : pair of str
        What the sides are called.
    title : str, optional
        By default the number of cells and, where names are shared, how many changed.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure of suitable size.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If there are no cells, or not as many new labels as old ones.
    """
    left, right = (as_types(np.asarray(labels, dtype=object)) for labels in (old, new))
    if left.shape != right.shape or not len(left):
        numbers = f"old has {len(left):,} labels and new has {len(right):,}"
        raise ArgumentError("new", f"{numbers}; both need one label per cell, for the same cells.")
    if len(names) != 2:
        raise ArgumentError("names", Argument("names", names), " must be two: of the old and the new labels.")
    shared = (set(left) & set(right)) - set(NO_TYPE)
    changed = np.mean(left != right)
    flows = _ordered(pd.crosstab(_grouped(left), _grouped(right)))
    ax = _new_axes(flows) if ax is None else ax
    sides = [_bars(flows.sum(axis=1)), _bars(flows.sum(axis=0))]
    colors = type_colors(sorted(flows.index))
    _draw_flows(ax, flows, sides, colors, bool(shared))
    _draw_bars(ax, flows, sides, colors, names)
    ax.set(xlim=(-BAR, 1 + BAR), ylim=(1 + GAP, -GAP))
    ax.set_axis_off()
    if title is None:
        title = f"{len(left):,} cells" + (f", {changed:.1%} with another label" if shared else "")
    ax.set_title(title, loc="left", fontsize=11, color=INK, pad=24)
    return ax


def _grouped(labels: np.ndarray) -> np.ndarray:
    """Call types with few cells "other", if there are several."""
    counts = pd.Series(labels).value_counts()
    small = counts.index[counts < SMALLEST_TYPE * len(labels)]
    if len(small) < 2:
        return labels
    return np.where(np.isin(labels, list(small)), f"other ({len(small)} types)", labels)


def _ordered(counts: pd.DataFrame) -> pd.DataFrame:
    """Order both sides so that few flows cross, by the mean position of what each is joined to."""
    flows = counts.loc[
        counts.sum(axis=1).sort_values(ascending=False, kind="stable").index,
        counts.sum(axis=0).sort_values(ascending=False, kind="stable").index,
    ]
    for _ in range(ROUNDS):
        for _ in range(2):  # the right side by the left one, then the left by the right
            position = np.arange(len(flows)) / len(flows)
            mean = (flows.T.to_numpy() @ position) / flows.sum(axis=0).to_numpy()
            flows = flows.iloc[:, np.argsort(mean, kind="stable")].T
    return flows


def _bars(cells: pd.Series) -> pd.DataFrame:
    """Return the "top" and the "height" of the bar of each type, in heights of the figure."""
    scale = (1 - GAP * (len(cells) - 1)) / cells.sum()
    height = cells * max(scale, 0.3 / cells.sum())
    top = height.cumsum() - height + GAP * np.arange(len(cells))
    return pd.DataFrame({"top": top, "height": height}) / max(1.0, top.iloc[-1] + height.iloc[-1])


def _draw_flows(
    ax: Axes, flows: pd.DataFrame, sides: list[pd.DataFrame], colors: dict[str, str], is_relabeled: bool
) -> None:
    from matplotlib.collections import PolyCollection

    counts = flows.to_numpy()
    rows, columns = counts.sum(axis=1, keepdims=True), counts.sum(axis=0, keepdims=True)
    before = (counts.cumsum(axis=1) - counts) / rows, (counts.cumsum(axis=0) - counts) / columns
    start, end = sides
    x = np.linspace(0, 1, 40)
    ease = x * x * (3 - 2 * x)
    drawn = []
    for i, j in zip(*np.nonzero(counts), strict=True):
        old, new = flows.index[i], flows.columns[j]
        ends = []
        for bars, k, offset, total in ((start, i, before[0], rows[i, 0]), (end, j, before[1], columns[0, j])):
            top, height = bars.iloc[k]
            ends.append((top + offset[i, j] * height, counts[i, j] / total * height))
        (y0, height0), (y1, height1) = ends
        top, height = y0 + (y1 - y0) * ease, height0 + (height1 - height0) * ease
        is_small = counts[i, j] < SMALLEST_FLOW * min(rows[i, 0], columns[0, j])
        color = SAME if is_relabeled and old == new else SMALL if is_small else colors[old]
        edge = np.concatenate([np.stack([x, top], 1), np.stack([x[::-1], (top + height)[::-1]], 1)])
        drawn.append((color not in (SAME, SMALL), counts[i, j], color, edge))
    drawn.sort(key=lambda flow: (flow[0], -flow[1]))  # gray ones below, thin ones above
    edges, faces = [edge for *_, edge in drawn], [color for *_, color, _ in drawn]
    ax.add_collection(PolyCollection(edges, facecolors=faces, alpha=0.75, linewidths=0))


def _draw_bars(
    ax: Axes,
    flows: pd.DataFrame,
    sides: list[pd.DataFrame],
    colors: dict[str, str],
    names: tuple[str, str],
) -> None:
    """Draw the types of both sides, with their names and numbers of cells beside them."""
    inches = ax.get_position().height * root_figure(ax).get_size_inches()[1]
    for x, align, bars, cells, name in (
        (0.0, "right", sides[0], flows.sum(axis=1), names[0]),
        (1.0, "left", sides[1], flows.sum(axis=0), names[1]),
    ):
        outward = -1 if x == 0 else 1
        size = 9 if len(bars) <= 20 else 7.5
        middle = (bars["top"] + bars["height"] / 2).to_numpy()
        places = _apart(middle, min(LINE * size / 72 / inches, 1 / len(bars)))
        for (label, (top, height)), y, place in zip(bars.iterrows(), middle, places, strict=True):
            color = colors.get(label, NO_TYPE_COLOR if label in NO_TYPE else FAINT)
            ax.bar(x + outward * BAR / 2, height, BAR, bottom=top, color=color, linewidth=0)
            corner, end = x + outward * BAR, x + outward * (BAR + 0.03)
            ax.plot([corner, end], [y, place], color=FAINT, linewidth=0.6, clip_on=False)
            text = f"{label}  ({cells[label]:,})"
            ax.text(end + outward * 0.01, place, text, ha=align, va="center", fontsize=size, color=INK)
        ax.annotate(
            name, (x, 1), (0, 8), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha=align, fontsize=9.5, color=FAINT,
        )  # fmt: skip


def _apart(places: np.ndarray, distance: float) -> np.ndarray:
    """Move sorted places (n,) until neighbors are this far apart, the least squares of moves, within 0 and 1.

    Isotonic regression (Barlow et al. 1972) of what is left after the distances are taken away.
    """
    from sklearn.isotonic import isotonic_regression

    steps = distance * np.arange(len(places))
    return isotonic_regression(places - steps, y_min=0.0, y_max=max(1 - steps[-1], 0.0)) + steps


def _new_axes(flows: pd.DataFrame) -> Axes:
    from matplotlib.figure import Figure

    longest = 0.08 * (max(map(len, flows.index)) + max(map(len, flows.columns)) + 14)
    height = max(3.2, 0.22 * max(flows.shape) + 0.8)
    return Figure(figsize=(3.6 + longest, height), layout="constrained").add_subplot()
