"""Drawing of gene graphs: genes are their names, in boxes that do not overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gene_gcn.plots.boxes import separate_boxes
from gene_gcn.plots.figure import FAINT, root_figure

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.axes import Axes

MAX_GENES = 200  # with more genes, their names would overlap
COMPONENT_GAP = 1.2  # between components, in units of the spring layout


class NodeStyle(NamedTuple):
    """How a gene is drawn; bold ones are larger, too, and on top."""

    face_color: str
    text_color: str
    edge_color: str = "white"
    is_bold: bool = False


def _layout(graph: nx.Graph, seed: int) -> np.ndarray:
    """Lay out each component by springs with its long side horizontal, and the components side by side.

    Returns
    -------
    array, shape (genes, 2)
    """
    import networkx as nx

    index = {gene: i for i, gene in enumerate(graph)}
    points = np.zeros((len(index), 2))
    right = 0.0
    for genes in sorted(nx.connected_components(graph), key=lambda genes: (-len(genes), min(genes))):
        component = nx.Graph()  # in a fixed order, which a set does not have
        component.add_nodes_from(sorted(genes))
        component.add_edges_from(sorted(tuple(sorted(edge)) for edge in graph.subgraph(genes).edges()))
        size = np.sqrt(len(genes))
        positions = nx.spring_layout(component, k=2 / size, iterations=300, seed=seed, scale=size)
        placed = np.array([positions[gene] for gene in component])
        placed = placed - placed.mean(axis=0)
        placed = placed @ np.linalg.svd(placed)[2].T
        placed[:, 0] += right - placed[:, 0].min()
        points[[index[gene] for gene in component]] = placed
        right = placed[:, 0].max() + COMPONENT_GAP
    return points


def new_axes(num_genes: int) -> Axes:
    """Return axes of a new figure with space for so many names."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = float(np.clip(1.15 * np.sqrt(num_genes) + 1.5, 4, 14))
    figure = Figure(figsize=(1.25 * side, side), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def draw_graph(ax: Axes, graph: nx.Graph, styles: Mapping[str, NodeStyle], seed: int = 0) -> None:
    """Draw genes by their names, and edges by their weights.

    Drawn in inches, so that the sizes of the names are known and none overlaps another.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    graph : networkx.Graph
        Its edges have "weight"; those with larger weights are wider and darker.
    styles : mapping of each gene to a NodeStyle
    seed : int
        Seed of the layout.
    """
    points = _layout(graph, seed)
    box = ax.get_position()
    inches = root_figure(ax).get_size_inches() * (box.width, box.height)
    font_size = np.array([10 if styles[gene].is_bold else 8 for gene in graph])
    width = 0.7 * np.array([len(gene) for gene in graph]) + 1.2  # of the names, in font sizes
    size = np.stack([width * font_size, 2.2 * font_size], axis=1) / 72
    span = np.maximum(np.ptp(points, axis=0), 1e-9)
    points = (points - points.min(axis=0)) / span * np.maximum(inches - size.max(axis=0), 0)
    points = separate_boxes(points, size)
    _draw_edges(ax, graph, points)
    _draw_genes(ax, graph, points, font_size, styles)
    (left, bottom), (right, top) = (points - size / 2).min(axis=0), (points + size / 2).max(axis=0)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.set_axis_off()


def _draw_edges(ax: Axes, graph: nx.Graph, points: np.ndarray) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    edges = sorted(graph.edges(data="weight"), key=lambda edge: edge[2])  # strong ones on top
    if not edges:
        return
    index = {gene: i for i, gene in enumerate(graph)}
    lines = [points[[index[u], index[v]]] for u, v, _ in edges]
    weight = np.array([edge[2] for edge in edges])
    low, high = weight.min(), weight.max()
    strength = (weight - low) / (high - low) if high > low else np.ones(len(weight))
    colors = [to_rgba(FAINT, 0.35 + 0.3 * s) for s in strength]
    ax.add_collection(LineCollection(lines, colors=colors, linewidths=0.7 + 2 * strength, zorder=1))


def _draw_genes(
    ax: Axes, graph: nx.Graph, points: np.ndarray, font_size: np.ndarray, styles: Mapping[str, NodeStyle]
) -> None:
    for gene, (x, y), size in zip(graph, points, font_size, strict=True):
        style = styles[gene]
        ax.text(
            x,
            y,
            gene,
            ha="center",
            va="center",
            fontsize=size,
            fontweight="bold" if style.is_bold else "normal",
            color=style.text_color,
            bbox={
                "boxstyle": "round,pad=0.28",
                "edgecolor": style.edge_color,
                "linewidth": 1,
                "facecolor": style.face_color,
            },
            zorder=3 if style.is_bold else 2,
        )
