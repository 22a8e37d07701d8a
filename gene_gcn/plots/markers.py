"""Markers of types as a dot plot: how many cells of each type express them, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells import Normalizer, read_expression
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.explain.markers import OTHERS
from gene_gcn.plots.figure import FAINT, INK, WHITE_TO_BLUE, root_figure
from gene_gcn.plots.types import as_types, obs_column, ordered_types

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

CELL = 0.24  # inches, of a dot
FRACTIONS = (0.2, 0.4, 0.6, 0.8, 1.0)  # of the legend
CHARACTER = 0.085  # inches, mean width in the names of types


class _Dots(NamedTuple):
    """K types in rows, G genes in columns, grouped by the type that they mark."""

    types: list[str]
    cells: np.ndarray  # (K,) numbers
    genes: list[str]
    marked: list[str]  # (G,) types
    fraction: np.ndarray  # (K, G) of cells that express the gene
    mean: np.ndarray  # (K, G) expression, 0 to 1 for each gene


def markers(
    adata: AnnData,
    table: pd.DataFrame,
    groupby: str = "gene_gcn",
    *,
    top: int = 3,
    layer: str | None = None,
    use_raw: bool = False,
    gene_column: str | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw markers of types as dots: their size says how many cells express a gene, their color how much.

    Cells are normalized as the classifier does it (square roots of counts of equal depth). Colors compare the
    means of a gene among the types: from 0 in the type with the lowest to 1 in that with the highest.

    Parameters
    ----------
    adata : AnnData, shape (B, N)
        Cells with types, on any scale that the classifier reads. Never changed.
    table : DataFrame
        What `GeneGCNClassifier.explain_types` returns, or any table with "type" and "gene", the best genes
        first. Where it has "against", only markers against all others are drawn.
    groupby : str
        The column of `adata.obs` with the types. Types that no cell has are left out; types without markers,
        such as "unknown", come last.
    top : int
        Number of genes for each type. Genes that the cells lack are left out.
    layer, use_raw, gene_column
        Where expression and names of genes are, as for `GeneGCNClassifier`.
    title : str, optional
        By default none.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure of suitable size.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If `adata` lacks the column, `table` has no markers of its types and genes, `top` is not a positive
        number, or the expression cannot be read.
    """
    if isinstance(top, bool) or top != int(top) or top < 1:
        raise ArgumentError("top", Argument("top", top), " must be a whole number of at least 1.")
    if missing := [name for name in ("type", "gene") if name not in table]:
        text = f"table lacks the column {missing[0]!r}; pass the one that clf.explain_types() returns."
        raise ArgumentError("table", text)
    labels = obs_column(adata, groupby, "groupby")
    expr = read_expression(adata, layer, use_raw, gene_column)
    dots = _dots(expr.genes or (), Normalizer.fit(expr).transform(expr), labels, table, top)
    ax = _new_axes(dots) if ax is None else ax
    drawn = _draw_dots(ax, dots)
    _name_rows_and_columns(ax, dots)
    height = _draw_brackets(ax, dots)
    _add_legends(ax, dots, drawn)
    if title is not None:
        ax.set_title(title, loc="left", fontsize=11, color=INK, pad=height)
    return ax


def _dots(
    names: tuple[str, ...], X: sparse.csr_matrix, labels: pd.Series, table: pd.DataFrame, top: int
) -> _Dots:
    present = ordered_types(labels)
    if "against" in table:
        table = table[table["against"] == OTHERS]
    table = table.assign(type=table["type"].astype(str))
    column = {name: i for i, name in enumerate(names)}
    chosen = table[table["type"].isin(present) & table["gene"].isin(column)].groupby("type", sort=False)
    chosen = chosen.head(top)
    if chosen.empty:
        raise ArgumentError(
            "table",
            "No marker of the table is of a type and a gene of these cells, which have the types "
            f"{', '.join(present[:5])} and the genes {', '.join(names[:3])}. If names are in another "
            "column of adata.var, pass it as ",
            Argument("gene_column"),
            ".",
        )
    marked = [name for name in table["type"].unique() if name in set(chosen["type"])]
    types = [*marked, *(name for name in present if name not in marked)]
    chosen = chosen.sort_values("type", key=lambda column: column.map(marked.index), kind="stable")
    of_type = sparse.csr_matrix(as_types(labels)[None] == np.array(types, dtype=object)[:, None], dtype=float)
    values = X[:, [column[gene] for gene in chosen["gene"]]]
    cells = of_type.sum(axis=1).A1 if isinstance(of_type, sparse.spmatrix) else of_type.sum(axis=1)
    mean = (of_type @ values).toarray() / cells[:, None]
    fraction = (of_type @ (values > 0)).toarray() / cells[:, None]
    low, high = mean.min(axis=0), mean.max(axis=0)
    scaled = (mean - low) / np.where(high > low, high - low, 1)
    return _Dots(types, cells, chosen["gene"].tolist(), chosen["type"].tolist(), fraction, scaled)


def _new_axes(dots: _Dots) -> Axes:
    from matplotlib.figure import Figure

    rows, columns = dots.fraction.shape
    longest = CHARACTER * max(map(len, dots.types))
    width, height = CELL * columns + longest + 2.6, CELL * max(rows, 8) + 0.8 * longest + 1.2
    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def _draw_dots(ax: Axes, dots: _Dots) -> PathCollection:
    from matplotlib.colors import LinearSegmentedColormap

    rows, columns = dots.fraction.shape
    row, column = np.indices((rows, columns))
    ax.set(xlim=(-0.6, columns - 0.4), ylim=(rows - 0.4, -0.6))
    return ax.scatter(
        column.ravel(),
        row.ravel(),
        s=_area(ax, dots) * dots.fraction.ravel(),
        c=dots.mean.ravel(),
        cmap=LinearSegmentedColormap.from_list("gene_gcn", WHITE_TO_BLUE),
        vmin=0,
        vmax=1,
        edgecolors="#8fa3b0",
        linewidths=0.4,
        zorder=2,
    )


def _area(ax: Axes, dots: _Dots) -> float:
    """Return the area in points² of the largest dot that stays apart from its neighbors."""
    box = ax.get_position()
    inches = root_figure(ax).get_size_inches() * (box.width, box.height)
    rows, columns = dots.fraction.shape
    return float((0.92 * 72 * min(inches[0] / columns, inches[1] / rows, CELL)) ** 2)


def _name_rows_and_columns(ax: Axes, dots: _Dots) -> None:
    rows = [f"{name}  ({n:,.0f})" for name, n in zip(dots.types, dots.cells, strict=True)]
    ax.set_yticks(np.arange(len(rows)), rows, fontsize=9, color=INK)
    ax.set_xticks(np.arange(len(dots.genes)), dots.genes, fontsize=8.5, color=INK, rotation=90)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(color="#eceff2", linewidth=0.8)


def _draw_brackets(ax: Axes, dots: _Dots) -> float:
    """Join the markers of each type by a bracket above them, with its name; return their height in points."""
    marked = np.array(dots.marked, dtype=object)
    groups = {name: np.flatnonzero(marked == name) for name in dict.fromkeys(dots.marked)}
    fits = all(CHARACTER * len(name) < CELL * len(columns) for name, columns in groups.items())
    for name, columns in groups.items():
        left, right = columns[0] - 0.35, columns[-1] + 0.35
        corners = [left, left, right, right], [-0.7, -0.9, -0.9, -0.7]
        ax.plot(*corners, color=FAINT, linewidth=1, clip_on=False)
        text = ax.text((left + right) / 2, -1.1, name, ha="center", va="bottom", fontsize=9, color=INK)
        if not fits:
            text.set(rotation=45, rotation_mode="anchor", ha="left")
    longest = CHARACTER * max(map(len, groups))  # inches
    return 72 * (0.4 if fits else 0.4 + 0.71 * longest)


def _add_legends(ax: Axes, dots: _Dots, drawn: PathCollection) -> None:
    """Say to the right what size and color of the dots mean."""
    from matplotlib.lines import Line2D

    columns = len(dots.genes)
    diameter = np.sqrt(_area(ax, dots))
    handles = [
        Line2D([], [], linestyle="", marker="o", color=FAINT, markersize=diameter * np.sqrt(fraction))
        for fraction in FRACTIONS
    ]
    legend = ax.legend(
        handles,
        [f"{fraction:.0%}" for fraction in FRACTIONS],
        title="Cells with\nthe gene",
        loc="upper left",
        bbox_to_anchor=(columns - 0.2, -0.6),
        bbox_transform=ax.transData,
        frameon=False,
        fontsize=8.5,
        title_fontsize=9,
        labelcolor=INK,
        borderpad=0,
        labelspacing=0.8,
    )
    legend.get_title().set_color(FAINT)
    inset = ax.inset_axes(((columns + 0.85) / (columns + 0.2), 0, 0.5 / (columns + 0.2), 0.25))
    bar = root_figure(ax).colorbar(drawn, cax=inset, ticks=[0, 1])
    bar.ax.set_yticklabels(["lowest", "highest"])
    bar.ax.set_title("Mean", fontsize=9, color=FAINT, loc="left")
    bar.outline.set_visible(False)
    inset.tick_params(length=0, labelsize=8.5, labelcolor=INK)
