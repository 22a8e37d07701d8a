"""The neighborhood of given genes in a gene network."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.plots.boxes import separate_boxes
from gene_gcn.plots.figure import FAINT, INK, root_figure

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.axes import Axes

    from gene_gcn.networks import GeneNetwork

GENE_COLOR, NEIGHBOR_COLOR = "#1d6a8c", "#d9ebf2"
MAX_GENES = 200  # with more genes, their names would overlap
COMPONENT_GAP = 1.2  # between components, in units of the spring layout


def network(
    net: GeneNetwork,
    genes: str | Sequence[str],
    *,
    max_neighbors: int = 15,
    title: str | None = None,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the neighborhood of given genes: their strongest neighbors and all edges between these genes.

    Edges with larger weights are wider and darker. The layout is a spring layout (Fruchterman & Reingold
    1991, doi:10.1002/spe.4380211102), the same at every call.

    Parameters
    ----------
    net : GeneNetwork
        The network.
    genes : str or sequence of str
        One or several of its genes, which are highlighted.
    max_neighbors : int
        Maximum number of neighbors drawn for each of `genes`; those with the largest weights are drawn.
    title : str, optional
        By default the names of the genes and the source of the network.
    seed : int
        Seed of the layout.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure of suitable size.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If one of `genes` is not in the network, if there are none or too many genes to draw, or if
        `max_neighbors` is not a whole number of at least 0.
    """
    genes = _check_genes(net, genes)
    if isinstance(max_neighbors, bool) or max_neighbors != int(max_neighbors) or max_neighbors < 0:
        raise ArgumentError(
            "max_neighbors",
            Argument("max_neighbors", max_neighbors),
            " must be a whole number of at least 0.",
        )
    graph = _neighborhood(net, genes, int(max_neighbors))
    if len(graph) > MAX_GENES:
        raise ArgumentError(
            "max_neighbors",
            f"{len(graph):,} genes are too many to draw (at most {MAX_GENES}); pass fewer genes or reduce ",
            Argument("max_neighbors", max_neighbors),
            ".",
        )
    ax = _new_axes(len(graph)) if ax is None else ax
    _draw(ax, graph, _layout(graph, seed), set(genes))
    if title is None:
        shown = ", ".join(genes[:4]) + (f" and {len(genes) - 4} more" if len(genes) > 4 else "")
        title = f"{shown}\n{net.source or ''}".strip()
    ax.set_title(title, color=INK, fontsize=11)
    return ax


def _check_genes(net: GeneNetwork, genes: str | Sequence[str]) -> list[str]:
    genes = list(dict.fromkeys([genes] if isinstance(genes, str) else genes))
    if not genes:
        raise ArgumentError("genes", "genes is empty; pass at least one gene of the network.")
    known = set(net.genes)
    if unknown := [gene for gene in genes if gene not in known]:
        by_lowercase = {gene.lower(): gene for gene in net.genes}
        close = difflib.get_close_matches(str(unknown[0]).lower(), by_lowercase, n=3, cutoff=0.6)
        hint = f" Did you mean {' or '.join(by_lowercase[name] for name in close)}?" if close else ""
        raise ArgumentError(
            "genes",
            Argument("genes", unknown[:5]),
            f" {'is' if len(unknown) == 1 else 'are'} not among the {net.num_genes:,} genes of the network "
            f"({', '.join(net.genes[:3])}, …).{hint}",
        )
    return genes


def _neighborhood(net: GeneNetwork, genes: list[str], max_neighbors: int) -> nx.Graph:
    """Return the genes, up to `max_neighbors` strongest neighbors of each, and all edges between these."""
    import networkx as nx

    (rows, columns), weight = net.arrays().values()
    index = {gene: i for i, gene in enumerate(net.genes)}
    given = [index[gene] for gene in genes]
    kept = list(given)
    for i in given:
        edges = np.flatnonzero((rows == i) & (columns != i))
        strongest = edges[np.argsort(-weight[edges], kind="stable")[:max_neighbors]]
        kept.extend(columns[strongest].tolist())
    inside = np.zeros(net.num_genes, dtype=bool)
    inside[kept] = True
    graph = nx.Graph()
    graph.add_nodes_from(net.genes[i] for i in np.flatnonzero(inside))
    for k in np.flatnonzero(inside[rows] & inside[columns] & (rows < columns)):
        graph.add_edge(net.genes[rows[k]], net.genes[columns[k]], weight=float(weight[k]))
    return graph


# ---- layout ----


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


# ---- drawing ----


def _new_axes(num_genes: int) -> Axes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = float(np.clip(1.15 * np.sqrt(num_genes) + 1.5, 4, 14))
    figure = Figure(figsize=(1.25 * side, side), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def _draw(ax: Axes, graph: nx.Graph, points: np.ndarray, given: set[str]) -> None:
    """Draw in inches, so that the sizes of the names are known and none overlaps another."""
    box = ax.get_position()
    inches = root_figure(ax).get_size_inches() * (box.width, box.height)
    font_size = np.array([10 if gene in given else 8 for gene in graph])
    width = 0.7 * np.array([len(gene) for gene in graph]) + 1.2  # of the names, in font sizes
    size = np.stack([width * font_size, 2.2 * font_size], axis=1) / 72
    span = np.maximum(np.ptp(points, axis=0), 1e-9)
    points = (points - points.min(axis=0)) / span * np.maximum(inches - size.max(axis=0), 0)
    points = separate_boxes(points, size)
    _draw_edges(ax, graph, points)
    _draw_genes(ax, graph, points, font_size, given)
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
    ax: Axes, graph: nx.Graph, points: np.ndarray, font_size: np.ndarray, given: set[str]
) -> None:
    for gene, (x, y), size in zip(graph, points, font_size, strict=True):
        is_given = gene in given
        color = GENE_COLOR if is_given else NEIGHBOR_COLOR
        ax.text(
            x,
            y,
            gene,
            ha="center",
            va="center",
            fontsize=size,
            fontweight="bold" if is_given else "normal",
            color="white" if is_given else INK,
            bbox={"boxstyle": "round,pad=0.28", "edgecolor": "white", "linewidth": 1, "facecolor": color},
            zorder=3 if is_given else 2,
        )
