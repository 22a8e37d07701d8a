"""Cells in two dimensions, colored by their type or by a number such as the confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.plots.figure import FAINT, INK, root_figure
from gene_gcn.plots.types import (
    NO_TYPE,
    NO_TYPE_COLOR,
    as_types,
    legible,
    obs_column,
    ordered_types,
    type_colors,
)

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

INK_PER_CELL = 60_000  # points² for all cells together, on axes of 5 × 5 inches; half of scanpy's
LARGEST_CELL = 30  # points²
MANY_TYPES = 15  # from which on their names are smaller


def embedding(
    adata: AnnData,
    color: str = "gene_gcn",
    *,
    basis: str = "X_umap",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw cells at two-dimensional coordinates, colored by type or by a number.

    Names of types are written at their cells, and moved apart where they would overlap. Cells that are
    "unknown", "unassigned" or without a label are gray, below the others. Of cells with numbers, those far
    from the median are on top. Colors of types are those of `adata.uns[f"{color}_colors"]`, where scanpy
    keeps them, or ones that can be told apart with color vision deficiencies.

    Parameters
    ----------
    adata : AnnData, shape (B, N)
        Never changed.
    color : str
        The column of `adata.obs`: types, or numbers such as `"gene_gcn_confidence"`. Numbers that all lie
        between 0 and 1 are drawn on that scale.
    basis : str
        The key of `adata.obsm` with the coordinates, with or without `"X_"`; the first two columns are shown.
        Cells without coordinates (NaN) are left out.
    title : str, optional
        By default the name of the column, and the number of cells.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If `adata` lacks the column or the coordinates.
    """
    values = obs_column(adata, color, "color")
    basis, points = _coordinates(adata, basis)
    placed = np.isfinite(points).all(axis=1)
    points, values = points[placed], values[placed]
    ax = _new_axes() if ax is None else ax
    _prepare(ax, points, basis)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        _draw_numbers(ax, points, values.to_numpy(float, na_value=np.nan), color)
    else:
        _draw_types(ax, points, values, adata.uns.get(f"{color}_colors"))
    title = f"{color}, {len(points):,} cells" if title is None else title
    ax.set_title(title, loc="left", fontsize=11, color=INK)
    return ax


def _coordinates(adata: AnnData, basis: str) -> tuple[str, np.ndarray]:
    """Return the key and the first two columns (B, 2)."""
    known = [key for key in adata.obsm if np.ndim(adata.obsm[key]) == 2 and adata.obsm[key].shape[1] >= 2]
    for key in (basis, f"X_{basis}"):
        if key in known:
            return key, np.asarray(adata.obsm[key], dtype=float)[:, :2]
    there = f"pass one of {', '.join(map(repr, known))}, or " if known else ""
    raise ArgumentError(
        "basis",
        Argument("basis", basis),
        f" is not a key of adata.obsm with coordinates; {there}compute them with sc.pp.pca(adata), "
        "sc.pp.neighbors(adata) and sc.tl.umap(adata).",
    )


def _new_axes() -> Axes:
    from matplotlib.figure import Figure

    return Figure(figsize=(6, 5.4), layout="constrained").add_subplot()


def _prepare(ax: Axes, points: np.ndarray, basis: str) -> None:
    """Set limits, so that labels can be placed, and name the axes, whose numbers have no meaning."""
    if len(points):
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.04 * np.maximum(high - low, 1e-9)
        ax.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_color(FAINT)
    ax.spines[["top", "right"]].set_visible(False)
    name = basis.removeprefix("X_").upper()
    ax.set_xlabel(f"{name} 1", loc="left", fontsize=9, color=FAINT)
    ax.set_ylabel(f"{name} 2", loc="bottom", fontsize=9, color=FAINT)


def _cell_area(ax: Axes, n_cells: int) -> float:
    """Return the area of a cell in points², so that all of them cover about the same part of the axes."""
    box = ax.get_position()
    area = np.prod(root_figure(ax).get_size_inches() * (box.width, box.height))
    return float(min(INK_PER_CELL / max(n_cells, 1), LARGEST_CELL) * area / 25)


def _scatter(ax: Axes, points: np.ndarray, area: float, **colors: Any) -> PathCollection:
    return ax.scatter(points[:, 0], points[:, 1], s=area, linewidths=0, rasterized=True, **colors)


def _draw_types(ax: Axes, points: np.ndarray, labels: pd.Series, own_colors: Sequence[str] | None) -> None:
    types, names = as_types(labels), ordered_types(labels)
    colors = type_colors(names)
    if own_colors is not None and isinstance(labels.dtype, pd.CategoricalDtype):
        categories = map(str, labels.cat.categories)
        colors |= {name: c for name, c in zip(categories, own_colors, strict=False) if name not in NO_TYPE}
    order = np.random.default_rng(0).permutation(len(points))  # so that no type hides another
    order = order[np.argsort(~np.isin(types[order], NO_TYPE), kind="stable")]
    area = _cell_area(ax, len(points))
    _scatter(ax, points[order], area, c=[colors[name] for name in types[order]])
    _name_types(ax, points, types, {name: colors[name] for name in names if name not in NO_TYPE})
    for name in (name for name in names if name in NO_TYPE):
        count = np.count_nonzero(types == name)
        ax.scatter([], [], s=25, color=NO_TYPE_COLOR, linewidths=0, label=f"{name} ({count:,})")
    if ax.get_legend_handles_labels()[0]:
        ax.legend(
            loc="upper right",
            bbox_to_anchor=(1, 0),
            borderaxespad=0.2,
            handletextpad=0.1,
            ncols=2,
            frameon=False,
            fontsize=9,
            labelcolor=INK,
        )


def _name_types(ax: Axes, points: np.ndarray, types: np.ndarray, colors: dict[str, str]) -> None:
    """Write the name of each type, in its color, at the cell nearest to the median of its cells."""
    from matplotlib.patheffects import withStroke

    from gene_gcn.plots.labels import LabelPlacer

    labels = []
    for name, color in colors.items():
        dark = legible(color)
        cells = points[types == name]
        nearest = cells[((cells - np.median(cells, axis=0)) ** 2).sum(axis=1).argmin()]
        label = ax.annotate(
            name,
            nearest,
            xytext=(0, 0),
            textcoords="offset pixels",
            ha="center",
            va="center",
            fontsize=9.5 if len(colors) < MANY_TYPES else 7.5,
            fontweight="bold",
            color=dark,
            zorder=4,
            path_effects=[withStroke(linewidth=3, foreground="white")],
            arrowprops={"arrowstyle": "-", "color": dark, "linewidth": 0.9, "shrinkA": 0, "shrinkB": 0},
        )
        label.set_in_layout(False)  # it stays inside the axes
        labels.append(label)
    if labels:
        ax.add_artist(LabelPlacer(labels))


def _draw_numbers(ax: Axes, points: np.ndarray, values: np.ndarray, name: str) -> None:
    known = np.isfinite(values)
    area = _cell_area(ax, len(points))
    if not known.all():
        _scatter(ax, points[~known], area, color=NO_TYPE_COLOR)
    points, values = points[known], values[known]
    order = np.argsort(np.abs(values - np.median(values)), kind="stable") if len(values) else slice(0)
    is_fraction = len(values) and values.min() >= 0 and values.max() <= 1
    low, high = (0, 1) if is_fraction else (None, None)
    drawn = _scatter(ax, points[order], area, c=values[order], cmap="cividis", vmin=low, vmax=high)
    inset = ax.inset_axes((1.02, 0.25, 0.03, 0.5))
    bar = root_figure(ax).colorbar(drawn, cax=inset)
    bar.set_label(name, fontsize=9, color=FAINT)
    bar.outline.set_visible(False)
    inset.tick_params(length=0, labelsize=9, labelcolor=INK)
