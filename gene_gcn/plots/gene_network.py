"""A gene network around given genes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gene_gcn.plots.figure import FAINT, INK

if TYPE_CHECKING:
    import networkx
    from matplotlib.axes import Axes

    from gene_gcn.networks import GeneNetwork

GIVEN, NEIGHBOR = "#1d6a8c", "#d9ebf2"
MOST_GENES = 200  # beyond these, names would lie on each other


def network(
    net: GeneNetwork,
    genes: str | Sequence[str],
    *,
    max_neighbors: int = 15,
    title: str | None = None,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the neighbourhood of given genes: their strongest neighbours and the edges between them all.

    Edges are the wider and darker the larger their weight. The layout is a spring layout (Fruchterman &
    Reingold 1991, doi:10.1002/spe.4380211102), the same at every call.

    Parameters
    ----------
    net
        The network.
    genes
        One or several of its genes; drawn dark.
    max_neighbors
        Largest number of neighbours of each of `genes` that are drawn, those of the largest weights.
    title
        By default the genes' names and the source of the network.
    seed
        Seed of the layout: another one gives another view.
    ax
        Where to draw; by default on a new figure of a size that fits, ``ax.figure`` of the result.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If one of `genes` is not in the network (near names are listed), there are none or too many to draw,
        or `max_neighbors` is no whole number of at least 0.
    """
    genes = _checked_genes(net, genes)
    if isinstance(max_neighbors, bool) or max_neighbors != int(max_neighbors) or max_neighbors < 0:
        raise ValueError(f"max_neighbors={max_neighbors!r} must be a whole number of at least 0.")
    graph = _neighborhood(net, genes, int(max_neighbors))
    if len(graph) > MOST_GENES:
        raise ValueError(
            f"{len(graph):,} genes are too many to draw; give fewer than {len(genes):,} genes or a smaller "
            f"max_neighbors than {max_neighbors}."
        )
    ax = _new_axes(len(graph)) if ax is None else ax
    _draw(ax, graph, _layout(graph, seed), set(genes))
    named = ", ".join(genes[:4]) + (f" and {len(genes) - 4} more" if len(genes) > 4 else "")
    source = str(net.source or "")
    ax.set_title(title if title is not None else f"{named}\n{source}".strip(), color=INK, fontsize=11)
    return ax


def _checked_genes(net: GeneNetwork, genes: str | Sequence[str]) -> list[str]:
    genes = list(dict.fromkeys([genes] if isinstance(genes, str) else genes))
    if not genes:
        raise ValueError("genes is empty; name at least one gene of the network.")
    known = set(net.genes)
    if unknown := [gene for gene in genes if gene not in known]:
        known = {gene.lower(): gene for gene in net.genes}
        near = difflib.get_close_matches(str(unknown[0]).lower(), known, n=3, cutoff=0.6)
        hint = f" Near names: {', '.join(known[name] for name in near)}." if near else ""
        raise ValueError(
            f"genes={unknown[:5]}: not among the {net.num_genes:,} genes of the network "
            f"({', '.join(net.genes[:3])}, …).{hint}"
        )
    return genes


def _neighborhood(net: GeneNetwork, genes: list[str], max_neighbors: int) -> networkx.Graph:
    """The genes, up to `max_neighbors` of the largest weights of each, and all edges between these."""
    import networkx

    (rows, columns), weight = net.arrays().values()
    at = {gene: i for i, gene in enumerate(net.genes)}
    given = [at[gene] for gene in genes]
    kept = list(given)
    for i in given:
        own = np.flatnonzero((rows == i) & (columns != i))
        strongest = own[np.argsort(-weight[own], kind="stable")[:max_neighbors]]
        kept.extend(columns[strongest].tolist())
    inside = np.zeros(net.num_genes, dtype=bool)
    inside[kept] = True
    edges = np.flatnonzero(inside[rows] & inside[columns] & (rows < columns))
    graph = networkx.Graph()
    graph.add_nodes_from(net.genes[i] for i in np.flatnonzero(inside))
    for k in edges:
        graph.add_edge(net.genes[rows[k]], net.genes[columns[k]], weight=float(weight[k]))
    return graph


def _layout(graph: networkx.Graph, seed: int) -> np.ndarray:
    """Place each component by springs, its long side level, and the components side by side; (genes, 2)."""
    import networkx

    at = {gene: i for i, gene in enumerate(graph)}
    points = np.zeros((len(at), 2))
    right = 0.0
    for part in sorted(networkx.connected_components(graph), key=lambda part: (-len(part), min(part))):
        piece = networkx.Graph()  # in a fixed order, which that of a set is not
        piece.add_nodes_from(sorted(part))
        piece.add_edges_from(sorted(tuple(sorted(edge)) for edge in graph.subgraph(part).edges()))
        size = np.sqrt(len(part))
        placed = networkx.spring_layout(piece, k=2 / size, iterations=300, seed=seed, scale=size)
        placed = np.array([placed[gene] for gene in piece])
        placed = (placed - placed.mean(axis=0)) @ np.linalg.svd(placed - placed.mean(axis=0))[2].T
        placed[:, 0] += right - placed[:, 0].min()
        points[[at[gene] for gene in piece]] = placed
        right = placed[:, 0].max() + 1.2
    return points


def _apart(points: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Move boxes of the given sizes (n, 2), centred at points (n, 2), until none lies on another."""
    points = points.copy()
    need = (size[:, None] + size[None]) / 2  # (n, n, 2)
    others = ~np.eye(len(points), dtype=bool)
    later = np.sign(np.subtract.outer(np.arange(len(points)), np.arange(len(points))))
    for _ in range(500):
        apart = points[:, None] - points[None]
        overlap = need - np.abs(apart)
        on = (overlap > 0).all(axis=2) & others
        if not on.any():
            break
        # Along the side that needs the smaller move; of two at one place, the later goes right.
        way = np.where(apart != 0, np.sign(apart), later[..., None])
        by_x = overlap[..., 0] < overlap[..., 1]
        step = np.where(np.stack([by_x, ~by_x], axis=2) & on[..., None], way * overlap, 0)
        points += 0.3 * step.sum(axis=1)
    return points


def _new_axes(num_genes: int) -> Axes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    side = float(np.clip(1.15 * np.sqrt(num_genes) + 1.5, 4, 14))
    figure = Figure(figsize=(1.25 * side, side), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def _draw(ax: Axes, graph: networkx.Graph, points: np.ndarray, given: set[str]) -> None:
    """Draw in inches, so that the sizes of the names are known and none lies on another."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    figure = ax.get_figure(root=True)
    box = ax.get_position()
    inside = figure.get_size_inches() * (box.width, box.height)
    own = np.array([gene in given for gene in graph])
    font = np.where(own, 10, 8)
    size = np.stack([(0.7 * np.array([len(gene) for gene in graph]) + 1.2) * font, 2.2 * font], axis=1) / 72
    span = np.maximum(np.ptp(points, axis=0), 1e-9)
    points = _apart((points - points.min(axis=0)) / span * np.maximum(inside - size.max(axis=0), 0), size)

    at = {gene: i for i, gene in enumerate(graph)}
    edges = sorted(graph.edges(data="weight"), key=lambda edge: edge[2])  # strong ones on top
    if edges:
        weight = np.array([edge[2] for edge in edges])
        low, high = weight.min(), weight.max()
        strength = (weight - low) / (high - low) if high > low else np.ones(len(weight))
        colours = [(*to_rgb(FAINT), 0.15 + 0.45 * s) for s in strength]
        lines = [points[[at[u], at[v]]] for u, v, _ in edges]
        ax.add_collection(LineCollection(lines, colors=colours, linewidths=0.4 + 2 * strength, zorder=1))
    for gene, (x, y), bold, points_high in zip(graph, points, own, font, strict=True):
        frame = {"boxstyle": "round,pad=0.28", "edgecolor": "white", "linewidth": 1}
        ax.text(
            x,
            y,
            gene,
            ha="center",
            va="center",
            fontsize=points_high,
            fontweight="bold" if bold else "normal",
            color="white" if bold else INK,
            bbox={**frame, "facecolor": GIVEN if bold else NEIGHBOR},
            zorder=3 if bold else 2,
        )
    (left, bottom), (right, top) = (points - size / 2).min(axis=0), (points + size / 2).max(axis=0)
    ax.set(xlim=(left, right), ylim=(bottom, top))
    ax.set_axis_off()
