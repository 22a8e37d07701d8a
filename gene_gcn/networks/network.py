"""GeneNetwork: an undirected, weighted network over named genes, as an immutable value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.names import check_gene_names
from gene_gcn.networks import conversions
from gene_gcn.networks.base import BaseNetwork, Normalization
from gene_gcn.networks.edge_arrays import (
    Edges,
    both_directions,
    check_edge_index,
    check_edge_weight,
    divide_by_degrees,
    keep_common,
    keep_largest,
    positive_float32,
    undirected,
)
from gene_gcn.networks.orthologs import describe_orthologs, map_to_orthologs
from gene_gcn.networks.rewiring import permute_genes, swap_edges
from gene_gcn.networks.source import NetworkSource
from gene_gcn.networks.summary import summarize

if TYPE_CHECKING:
    import networkx as nx
    import torch_geometric
    from numpy.typing import ArrayLike

    from gene_gcn.networks.edge_arrays import ArrayOrTensor


class GeneNetwork(BaseNetwork):
    r"""An undirected, weighted network over named genes: an immutable value.

    The constructor brings edges to a canonical form: each edge is stored in both directions (the convention
    of PyG), sorted by (row, column); self-loops are dropped; an edge given several times, or in both
    directions, keeps its largest score; and all scores are divided by the largest one,

    .. math:: A_{ij} = s_{ij} / \max_{kl} s_{kl} \in (0, 1].

    Methods return new networks and never rescale again, so that a part of a network keeps the weights of the
    whole. Call :meth:`align`, :meth:`with_diagonal` and :meth:`normalized` in this order; orders that would
    give wrong weights are refused.

    Networks are equal, and have the same hash, if their genes, edges, weights, diagonal and normalization are
    equal; the source does not matter. They can be copied, pickled and passed through ``sklearn.base.clone``.

    Parameters
    ----------
    genes : sequence of str, shape (N,)
        Unique, non-empty names of the nodes, in order.
    edge_index : array or tensor of int, shape (2, E)
        Pairs of positions in `genes`; E may be 0.
    edge_weight : array or tensor of float, shape (E,), optional
        Positive, finite scores; by default 1 everywhere.
    source : NetworkSource, optional
        Where the network comes from.

    Raises
    ------
    ArgumentError
        If an argument does not have the form above.

    Examples
    --------
    >>> network = GeneNetwork(["TP53", "MDM2", "ACTB"], [[0, 1], [1, 2]], [900, 450])
    >>> network
    GeneNetwork(3 genes, 2 edges)
    >>> network.to_frame()["weight"].tolist()
    [1.0, 0.5]
    """

    __slots__ = ()

    def __init__(
        self,
        genes: Sequence[str],
        edge_index: ArrayOrTensor,
        edge_weight: ArrayOrTensor | None = None,
        *,
        source: NetworkSource | None = None,
    ) -> None:
        genes = check_gene_names(genes)
        index = check_edge_index(edge_index, len(genes))
        score = check_edge_weight(edge_weight, index.shape[1])
        edges = keep_largest(undirected(index, score), len(genes))
        scale = edges.weight.max() if len(edges.weight) else 1.0
        edges = edges._replace(weight=positive_float32(edges.weight / scale))
        self._set(genes, *both_directions(edges, len(genes)), 0, "max", source)

    # ---- other genes, diagonal, normalization ----

    def align(self, genes: Sequence[str]) -> GeneNetwork:
        """Return the network on another list of genes, in the order of that list.

        Genes that are not in this network become nodes without edges; edges to genes that are not in the list
        are dropped. Weights stay as they are. If the diagonal is set, every gene of the result has a
        self-loop, so the diagonal can be set before or after. It is not an error if no gene matches; see
        ``num_edges`` of the result.

        Parameters
        ----------
        genes : sequence of str, shape (M,)
            Unique, non-empty names.

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If `genes` does not have that form, or the network is normalized "sym": its weights were divided
            by degrees, which dropping edges would change.
        """
        genes = check_gene_names(genes)
        if genes == self._genes:
            return self
        self._refuse_sym("align", "align(genes).normalized('sym')")
        indexer = pd.Index(genes, dtype=object).get_indexer(pd.Index(self._genes, dtype=object))
        low, high, weight = self._edges()
        edges = Edges(indexer[low], indexer[high], weight)
        return self._with_edges(genes, edges.select((edges.low >= 0) & (edges.high >= 0)))

    def rename(self, names: Mapping[str, str]) -> GeneNetwork:
        """Return the network with other names of genes.

        Genes that get the same name are merged, at the position of the first of them: edges between them are
        dropped, and of their edges to another gene the largest weight is kept. Weights are not rescaled.

        Parameters
        ----------
        names : mapping of str to str
            New names; genes that are not in it keep theirs, and other keys are ignored.

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If `names` contains no gene of this network, a new name is empty or not a string, or genes are
            merged in a network normalized "sym".
        """
        if names and not any(gene in names for gene in self._genes):
            raise ArgumentError(
                "names",
                f"names contains none of the {self.num_genes:,} genes of this network ({self._genes[:3]}…); "
                f"its keys must be the old names ({list(names)[:3]}…).",
            )
        renamed = [names.get(gene, gene) for gene in self._genes]
        genes = check_gene_names(dict.fromkeys(renamed))
        if len(genes) == self.num_genes:
            state = (self._edge_index, self._edge_weight, self._diagonal, self._normalization, self._source)
            return self._canonical(genes, *state)
        self._refuse_sym("rename", "rename(names).normalized('sym')")
        indexer = pd.Index(genes, dtype=object).get_indexer(pd.Index(renamed, dtype=object))
        low, high, weight = self._edges()
        edges = undirected(np.stack([indexer[low], indexer[high]]), weight)
        return self._with_edges(genes, keep_largest(edges, len(genes)))

    def to_organism(
        self,
        orthologs: pd.DataFrame,
        organism: str | int | None = None,
        *,
        many: Literal["drop", "copy"] = "drop",
    ) -> GeneNetwork:
        """Return the network of another organism's orthologous genes (interologs).

        Genes without an ortholog are dropped. The source of the result states how many were kept.

        Parameters
        ----------
        orthologs : pandas.DataFrame
            A pair of names per row: a gene of this network in the first column, its ortholog in the second.
        organism : str or int, optional
            The other organism, for the source; by default the name of the second column, if that is an
            organism.
        many : {"drop", "copy"}
            "drop" uses only one-to-one orthologs. "copy" uses all: a gene with several orthologs passes its
            edges on to each of them, and genes with the same ortholog are merged with their largest weights.

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If `orthologs` is not a table of two columns of names or contains no gene of this network, `many`
            or `organism` is unknown, or the network is normalized "sym".

        References
        ----------
        Yu et al. (2004), Annotation transfer between genomes: protein-protein interologs and protein-DNA
        regulogs, doi:10.1101/gr.1774904.
        """
        self._refuse_sym("to_organism", "to_organism(orthologs).normalized('sym')")
        genes, edges, num_mapped = map_to_orthologs(self._genes, self._edges(), orthologs, many)
        source = self._source or NetworkSource()
        counts = f"{num_mapped:,} of {self.num_genes:,} genes"
        name = describe_orthologs(organism, orthologs.columns[1], many, source.organism, counts)
        return self._with_edges(genes, edges, source=replace(source, organism=name))

    def with_diagonal(self, diagonal: int) -> GeneNetwork:
        """Return the network with (1) or without (0) a self-loop of weight 1 on every gene.

        Parameters
        ----------
        diagonal : {0, 1}

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If `diagonal` is neither 0 nor 1, or would change a network that is normalized "sym".
        """
        if diagonal not in (0, 1):
            text = " must be 0 (no self-loops) or 1 (a self-loop on every gene)."
            raise ArgumentError("diagonal", Argument("diagonal", diagonal), text)
        if diagonal == self._diagonal:
            return self
        self._refuse_sym("with_diagonal", f"with_diagonal({int(diagonal)}).normalized('sym')")
        return self._with_edges(self._genes, self._edges(), diagonal=int(diagonal))

    def normalized(self, normalization: Normalization) -> GeneNetwork:
        r"""Return the network with normalized weights.

        ``"max"`` are the scores divided by the largest one, as the constructor computes them. ``"sym"`` is

        .. math:: \hat A = D^{-1/2} A D^{-1/2}, \quad D_{ii} = \sum_j A_{ij},

        where A includes the diagonal if it is set; genes without edges stay without. A network that already
        has the normalization is returned as it is.

        Parameters
        ----------
        normalization : {"max", "sym"}

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If `normalization` is unknown, or "max" is requested of a "sym" network, which cannot be undone.

        References
        ----------
        Kipf & Welling (2017), Semi-supervised classification with graph convolutional networks,
        doi:10.48550/arXiv.1609.02907.
        """
        if normalization not in ("max", "sym"):
            text = " is unknown; choose 'max' or 'sym'."
            raise ArgumentError("normalization", Argument("normalization", normalization), text)
        if normalization == self._normalization:
            return self
        if self._normalization == "sym":
            raise ArgumentError(
                "normalization",
                "normalized('max') cannot undo normalization 'sym'; start from the network before "
                "normalized('sym').",
            )
        weight = divide_by_degrees(self._edge_index, self._edge_weight, self.num_genes)
        return self._canonical(self._genes, self._edge_index, weight, self._diagonal, "sym", self._source)

    # ---- controls ----

    def permuted(self, seed: int, groups: ArrayLike | None = None) -> GeneNetwork:
        """Return the network with its genes permuted: a control that keeps everything but their identity.

        The list of genes keeps its order, but each node's edges go to another gene. The graph, its weights,
        the diagonal and the normalization stay.

        Parameters
        ----------
        seed : int
        groups : array-like, shape (N,), optional
            Group of each gene, for instance bins of equal expression: genes are only permuted within their
            group. By default all genes are one group.

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If `groups` does not have one entry per gene.
        """
        labels = np.zeros(self.num_genes, dtype=np.int64) if groups is None else np.asarray(groups)
        if labels.shape != (self.num_genes,):
            text = (
                f"groups has shape {labels.shape} but the network has {self.num_genes:,} genes; pass one "
                "group per gene."
            )
            raise ArgumentError("groups", text)
        arrays = permute_genes(self._edge_index, self._edge_weight, labels, np.random.default_rng(seed))
        source = self._control_source(f"permuted (seed {seed})")
        return self._canonical(self._genes, *arrays, self._diagonal, self._normalization, source)

    def rewired(self, seed: int) -> GeneNetwork:
        """Return a random network in which every gene keeps its number of neighbors: a control.

        Pairs of edges exchange ends, each edge about ten times. An edge keeps its weight, so the weights are
        the same in other places. No self-loops or duplicate edges arise, and the diagonal stays. In a very
        small network the result can be the network itself.

        Parameters
        ----------
        seed : int

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If no two edges can exchange ends (fewer than two edges, a complete graph, a star), or the network
            is normalized "sym".

        References
        ----------
        Maslov & Sneppen (2002), doi:10.1126/science.1065103.
        """
        self._refuse_sym("rewired", "rewired(seed).normalized('sym')")
        edges = swap_edges(self._edges(), self.num_genes, np.random.default_rng(seed))
        return self._with_edges(self._genes, edges, source=self._control_source(f"rewired (seed {seed})"))

    # ---- two networks ----

    def union(self, other: GeneNetwork) -> GeneNetwork:
        """Return the edges of either network; an edge of both has the larger of its two weights.

        Genes are those of this network followed by the new ones of the other. Weights are not rescaled: each
        network was divided by its own largest score. The diagonal is set if it is set in either.

        Parameters
        ----------
        other : GeneNetwork

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If `other` is not a GeneNetwork, or either network is normalized "sym".
        """
        genes, edges = self._joined_edges(other, "union")
        diagonal = max(self._diagonal, other._diagonal)
        source = self._joined_source(other, " + ")
        return self._with_edges(genes, keep_largest(edges, len(genes)), diagonal=diagonal, source=source)

    def intersection(self, other: GeneNetwork) -> GeneNetwork:
        """Return the edges that both networks have, each with the smaller of its two weights.

        Genes are those of both, in the order of this network. With :meth:`union`, which keeps the larger
        weight, this is a lattice: ``a.union(a.intersection(b)) == a``. Weights are not rescaled. The diagonal
        is set if it is set in both.

        Parameters
        ----------
        other : GeneNetwork

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If `other` is not a GeneNetwork, or either network is normalized "sym".
        """
        genes, edges = self._joined_edges(other, "intersection")
        shared = set(self._genes).intersection(other._genes)
        diagonal = min(self._diagonal, other._diagonal)
        source = self._joined_source(other, " and ")
        both = self._with_edges(genes, keep_common(edges, len(genes)), diagonal=diagonal, source=source)
        return both.align(tuple(gene for gene in self._genes if gene in shared))

    # ---- other forms ----

    def summary(self) -> pd.Series:
        """Count genes, edges and components, for printing.

        Returns
        -------
        pandas.Series
            ``genes``; ``connected genes`` (with an edge to another gene); ``edges``; ``components`` (of two
            or more genes) and the genes in the ``largest component``; the quartiles of ``degree`` over
            connected genes and of ``weight`` over edges, NaN if there are none. Named after the source.
        """
        return summarize(self._edges(), self.num_genes).rename(str(self._source or "") or None)

    def to_frame(self) -> pd.DataFrame:
        """Return a table ``source, target, weight`` with each undirected edge once, without self-loops."""
        return conversions.to_frame(self._genes, self._edges())

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, source: NetworkSource | None = None) -> GeneNetwork:
        """Build a network from a table with one edge per row.

        Its genes are the names in the table, sorted.

        Parameters
        ----------
        frame : pandas.DataFrame
            Columns ``source``, ``target`` and, if there are scores, ``weight``; others are ignored. Tables
            of OmniPath, STRING's website and service, STRINGdb and igraph are recognized by their headings.
            Without ``weight``, STRING's ``combined_score`` is used, or else, with a warning, a column such as
            ``score``. If headings do not tell, the first two columns are the genes and the third, if there is
            one, the scores; tables with more columns are refused. Names must be strings; categorical columns
            are fastest.
        source : NetworkSource, optional
            Where the network comes from.

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If there are too few or too many columns, a name is missing or not a string, several columns can
            be the scores, or a score is not a number, positive and finite; the message names its row.

        Warns
        -----
        NetworkWarning
            If the column of scores is guessed, or every edge weighs 1 although there are other columns.
        """
        return cls(*conversions.from_frame(frame), source=source)

    def to_networkx(self) -> nx.Graph:
        """Return a ``networkx.Graph`` of all genes with ``weight`` on each edge, without self-loops."""
        return conversions.to_networkx(self._genes, self._edges())

    @classmethod
    def from_networkx(
        cls, graph: nx.Graph, weight: str | None = "weight", *, source: NetworkSource | None = None
    ) -> GeneNetwork:
        """Build a network from a networkx graph; nodes keep their order, those without edges stay.

        Directed graphs and multigraphs become undirected; the largest score of an edge is kept.

        Parameters
        ----------
        graph : networkx.Graph
            Its nodes are gene names (strings).
        weight : str, optional
            Edge attribute that contains the score. If edges have no attribute "weight", STRING's
            ``combined_score`` is used, or else, with a warning, an attribute such as ``score``. If edges have
            no such attribute, or with None, all scores are 1.
        source : NetworkSource, optional
            Where the network comes from.

        Returns
        -------
        GeneNetwork

        Raises
        ------
        ArgumentError
            If nodes are not strings, only some edges have the attribute, several attributes can be the
            score, or a score is not positive and finite.
        """
        return cls(*conversions.from_networkx(graph, weight), source=source)

    def to_data(self) -> torch_geometric.data.Data:
        """Return a ``torch_geometric.data.Data`` with `edge_index`, `edge_weight`, `num_nodes` and `genes`.

        Set expression as ``data.x``, shape (N, C), in the order of `genes`, a list of strings.
        """
        return conversions.to_data(self._genes, self.edge_index, self.edge_weight)

    def to_sparse_tensor(self) -> Any:
        """Return the (N, N) adjacency as a ``torch_sparse.SparseTensor``, see also :attr:`adj_t`.

        Raises
        ------
        ImportError
            If torch-sparse is not installed.
        """
        return conversions.to_sparse_tensor(self.edge_index, self.edge_weight, self.num_genes)

    # ---- helpers ----

    def _with_edges(
        self,
        genes: tuple[str, ...],
        edges: Edges,
        *,
        diagonal: int | None = None,
        source: NetworkSource | None = None,
    ) -> GeneNetwork:
        diagonal = self._diagonal if diagonal is None else diagonal
        arrays = both_directions(edges, len(genes), diagonal)
        return self._canonical(genes, *arrays, diagonal, "max", source or self._source)

    def _joined_edges(self, other: GeneNetwork, method: str) -> tuple[tuple[str, ...], Edges]:
        """Return the genes of both networks, and this network's edges followed by the other's."""
        if not isinstance(other, GeneNetwork):
            text = f"other is a {type(other).__name__}; {method} takes another GeneNetwork."
            raise ArgumentError("other", text)
        for network in (self, other):
            network._refuse_sym(method, f"{method}(other).normalized('sym')")
        genes = tuple(dict.fromkeys(self._genes + other._genes))
        return genes, self.align(genes)._edges().joined(other.align(genes)._edges())

    def _joined_source(self, other: GeneNetwork, separator: str) -> NetworkSource | None:
        sources = [network.source for network in (self, other) if network.source is not None]
        return sources[0].joined(sources[1], separator) if len(sources) == 2 else None

    def _control_source(self, kind: str) -> NetworkSource | None:
        # A control must not be mistaken for the database it was made from.
        return self._source and replace(self._source, name=f"{kind} {self._source.name or 'network'}")

    def _refuse_sym(self, method: str, remedy: str) -> None:
        if self._normalization == "sym":
            raise ArgumentError(
                "network",
                f"{method} on a network with normalization 'sym' would leave weights that were divided by "
                f"other degrees; start from the network before normalized('sym') and call {remedy}.",
            )
