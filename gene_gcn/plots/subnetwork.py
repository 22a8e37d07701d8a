"""The subnetwork of a type: its genes, what they contribute, and the edges between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.plots.figure import FAINT, INK, root_figure
from gene_gcn.plots.graph_drawing import MAX_GENES, NodeStyle, draw_graph, new_axes

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize

AGAINST_TO_FOR = ["#d9760b", "#f6c48b", "#f5f6f7", "#9ccadb", "#1d6a8c"]  # orange, white, blue
CONNECTOR = NodeStyle("white", "#5f6b78", edge_color="#c3c9d0")
DARK = 0.5  # luma below which white text is easier to read
CONTRIBUTIONS = ("contribution", "total")  # attributes of genes, the first that all have
WEIGHTS = ("weight", "contribution")  # attributes of edges, likewise


def subnetwork(graph: nx.Graph, *, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw a graph of genes colored by what they contribute to the logit of a type.

    Blue genes speak for the type, orange ones against it. Genes that only connect others are small and white.
    Edges with larger weights are wider and darker. The layout is that of `plots.network`, the same at every
    call.

    Parameters
    ----------
    graph : networkx.Graph or DiGraph
        Genes have "contribution" or "total", and may have "is_connector"; edges have "weight" or
        "contribution". Graphs of `Explanation.to_networkx` have them. Of two directions, the larger weight is
        drawn.
    title : str, optional
        By default the numbers of genes and edges.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default on a new figure of suitable size.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If there are no genes, too many to draw, or some without a contribution.
    """
    if not 1 <= len(graph) <= MAX_GENES:
        problem = "has no genes" if not len(graph) else f"has {len(graph):,} genes, too many to draw"
        raise ArgumentError("graph", f"graph {problem}; pass one with 1 to {MAX_GENES} genes.")
    contribution = _contributions(graph)
    colors, norm = _color_scale(contribution)
    drawn = _undirected(graph)
    ax = new_axes(len(drawn)) if ax is None else ax
    connectors = {gene for gene, is_connector in graph.nodes(data="is_connector") if is_connector}
    styles = {
        str(gene): CONNECTOR if gene in connectors else _style(colors(norm(value)))
        for gene, value in contribution.items()
    }
    draw_graph(ax, drawn, styles)
    _add_colorbar(ax, colors, norm)
    if title is None:
        title = f"{len(drawn):,} genes, {drawn.number_of_edges():,} edges"
    ax.set_title(title, loc="left", color=INK, fontsize=11)
    return ax


def _contributions(graph: nx.Graph) -> dict[object, float]:
    for name in CONTRIBUTIONS:
        values = dict(graph.nodes(data=name))
        if all(value is not None for value in values.values()):
            return values
    without = next(gene for gene, value in graph.nodes(data=CONTRIBUTIONS[0]) if value is None)
    raise ArgumentError(
        "graph",
        f"Gene {without!r} of the graph has neither of the attributes {' and '.join(CONTRIBUTIONS)}; ",
        "pass a graph of clf.explain(cells).to_networkx(…), or ",
        Argument("graph"),
        " with them.",
    )


def _undirected(graph: nx.Graph) -> nx.Graph:
    """Return the graph with one weight for each pair of genes, 1 where edges have none."""
    import networkx as nx

    drawn = nx.Graph()
    drawn.add_nodes_from(map(str, graph))
    for source, target, data in graph.edges(data=True):
        if source == target:
            continue
        weight = next((abs(float(data[name])) for name in WEIGHTS if name in data), 1.0)
        edge = drawn.get_edge_data(str(source), str(target), {"weight": 0.0})
        drawn.add_edge(str(source), str(target), weight=max(weight, edge["weight"]))
    return drawn


def _color_scale(contribution: dict[object, float]) -> tuple[Colormap, Normalize]:
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    largest = max((abs(value) for value in contribution.values()), default=0) or 1.0
    low = -largest if min(contribution.values()) < 0 else 0.0
    colors = AGAINST_TO_FOR if low else AGAINST_TO_FOR[2:]
    return LinearSegmentedColormap.from_list("gene_gcn", colors), Normalize(low, largest)


def _style(color: tuple[float, float, float, float]) -> NodeStyle:
    from matplotlib.colors import to_hex

    is_dark = np.dot(color[:3], (0.299, 0.587, 0.114)) < DARK
    return NodeStyle(to_hex(color), "white" if is_dark else INK, edge_color="#8fa3b0", is_bold=True)


def _add_colorbar(ax: Axes, colors: Colormap, norm: Normalize) -> None:
    from matplotlib.cm import ScalarMappable

    inset = ax.inset_axes((0.3, -0.07, 0.4, 0.025))
    bar = root_figure(ax).colorbar(ScalarMappable(norm, colors), cax=inset, orientation="horizontal")
    bar.set_label("contribution to the logit", fontsize=9, color=FAINT)
    bar.outline.set_visible(False)
    inset.tick_params(length=0, labelsize=8, labelcolor=INK)
