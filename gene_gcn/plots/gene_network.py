"""The neighborhood of given genes in a gene network."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.plots.figure import INK
from gene_gcn.plots.graph_drawing import MAX_GENES, NodeStyle, draw_graph, new_axes

if TYPE_CHECKING:
    import networkx as nx
    from matplotlib.axes import Axes

    from gene_gcn.networks import GeneNetwork

GENE_COLOR, NEIGHBOR_COLOR = "#1d6a8c", "#d9ebf2"


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
    ax = new_axes(len(graph)) if ax is None else ax
    given = NodeStyle(GENE_COLOR, "white", is_bold=True)
    other = NodeStyle(NEIGHBOR_COLOR, INK)
    draw_graph(ax, graph, {gene: given if gene in genes else other for gene in graph}, seed)
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
