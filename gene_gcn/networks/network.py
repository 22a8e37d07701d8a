"""GeneNetwork: an undirected, weighted network over named genes, as an immutable value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from gene_gcn.genes.names import check_gene_names
from gene_gcn.networks.edge_arrays import (
    both_ways,
    check_edge_index,
    check_edge_weight,
    edge_columns,
    encode,
    largest_of_each,
    positive_float32,
    smaller_of_both,
)
from gene_gcn.networks.rewiring import swap_edges
from gene_gcn.networks.source import NetworkSource

if TYPE_CHECKING:
    import networkx
    import torch
    import torch_geometric

Normalization = Literal["max", "sym"]


class GeneNetwork:
    r"""An undirected, weighted network over named genes: an immutable value.

    The constructor makes the edges canonical: each edge is stored in both directions (the convention of PyG),
    sorted by (row, column); self-loops are dropped; an edge given several times, or both ways, keeps its
    largest score; and all scores are divided by the largest one,

    .. math:: A_{ij} = s_{ij} / \max_{kl} s_{kl} \in (0, 1].

    Methods return new networks and never rescale again, so a part of a network keeps the weights of the
    whole. The order to work in is :meth:`align`, :meth:`with_diagonal`, :meth:`normalized`; other orders that
    would give wrong weights are refused.

    Networks are equal, and hash alike, if genes, edges, weights, diagonal and normalization are equal; the
    source does not count. They can be copied, pickled and passed through ``sklearn.base.clone``.

    Parameters
    ----------
    genes
        Unique, non-empty names; the order is that of the nodes, shape (N,).
    edge_index
        Pairs of positions in `genes`, integers, shape (2, E); array or tensor. E may be 0.
    edge_weight
        Positive, finite scores, shape (E,); None for 1 everywhere.
    source
        Where the network came from.

    Raises
    ------
    ValueError
        If an argument does not have the form above.

    Examples
    --------
    >>> network = GeneNetwork(["TP53", "MDM2", "ACTB"], [[0, 1], [1, 2]], [900, 450])
    >>> network
    GeneNetwork(3 genes, 2 edges)
    >>> network.to_frame()["weight"].tolist()
    [1.0, 0.5]
    """

    __slots__ = (
        "_content_hash",
        "_diagonal",
        "_edge_index",
        "_edge_weight",
        "_genes",
        "_normalization",
        "_source",
    )

    def __init__(
        self,
        genes: Sequence[str],
        edge_index: Any,
        edge_weight: Any = None,
        *,
        source: NetworkSource | None = None,
    ) -> None:
        genes = check_gene_names(genes)
        low, high = check_edge_index(edge_index, len(genes))
        score = check_edge_weight(edge_weight, len(low))
        keep = low != high
        low, high, score = largest_of_each(low[keep], high[keep], score[keep], len(genes))
        if len(score):
            score = score / score.max()
        self._set(genes, *both_ways(low, high, positive_float32(score), len(genes)), 0, "max", source)

    def _set(
        self,
        genes: tuple[str, ...],
        edge_index: np.ndarray,
        edge_weight: np.ndarray,
        diagonal: int,
        normalization: Normalization,
        source: NetworkSource | None,
    ) -> None:
        if source is not None and not isinstance(source, NetworkSource):
            raise ValueError(f"source={source!r} must be a NetworkSource or None.")
        edge_index.setflags(write=False)
        edge_weight.setflags(write=False)
        state = (None, diagonal, edge_index, edge_weight, genes, normalization, source)
        for name, value in zip(GeneNetwork.__slots__, state, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def _canonical(cls, *state: Any) -> GeneNetwork:
        """Build from canonical arrays (both ways, sorted, scaled): nothing is checked or rescaled."""
        network = object.__new__(cls)
        network._set(*state)
        return network

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"GeneNetwork is immutable: {name!r} cannot be set; its methods return new networks."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"GeneNetwork is immutable: {name!r} cannot be deleted.")

    # ---- what it holds ----

    @property
    def genes(self) -> tuple[str, ...]:
        """Names of the nodes, in order, length N."""
        return self._genes

    @property
    def edge_index(self) -> torch.Tensor:
        """Both directions of every edge, and self-loops if the diagonal is set; a new int64 tensor (2, E)."""
        import torch

        return torch.from_numpy(self._edge_index.copy())

    @property
    def edge_weight(self) -> torch.Tensor:
        """Weight of each column of :attr:`edge_index`; a new float32 tensor (E,)."""
        import torch

        return torch.from_numpy(self._edge_weight.copy())

    @property
    def adj_t(self) -> torch.Tensor:
        """The (N, N) adjacency, its own transpose; a new float32 ``torch.sparse_csr`` tensor."""
        import torch

        from gene_gcn.nn.sparse import csr_tensor

        rows, columns = self._edge_index
        starts = np.zeros(self.num_genes + 1, dtype=np.int64)
        np.cumsum(np.bincount(rows, minlength=self.num_genes), out=starts[1:])
        parts = (torch.from_numpy(starts), torch.from_numpy(columns.copy()), self.edge_weight)
        return csr_tensor(*parts, (self.num_genes, self.num_genes))

    @property
    def num_genes(self) -> int:
        """Number of nodes, N."""
        return len(self._genes)

    @property
    def num_edges(self) -> int:
        """Number of undirected edges: each pair counts once, the diagonal does not count."""
        return (self._edge_index.shape[1] - self._diagonal * self.num_genes) // 2

    @property
    def degree(self) -> np.ndarray:
        """Number of neighbours of each gene, itself not counted; a new int64 array (N,)."""
        return np.bincount(self._edge_index[0], minlength=self.num_genes) - self._diagonal

    @property
    def diagonal(self) -> int:
        """1 if every gene has a self-loop, otherwise 0."""
        return self._diagonal

    @property
    def normalization(self) -> Normalization:
        """``"max"`` or ``"sym"``, see :meth:`normalized`."""
        return self._normalization

    @property
    def source(self) -> NetworkSource | None:
        """Where the network came from."""
        return self._source

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of genes, edges, weights, diagonal and normalization; the same for equal networks."""
        if self._content_hash is None:
            digest = hashlib.sha256()
            digest.update(json.dumps([self._genes, self._diagonal, self._normalization]).encode())
            digest.update(np.ascontiguousarray(self._edge_index, dtype="<i8"))
            digest.update(np.ascontiguousarray(self._edge_weight, dtype="<f4"))
            object.__setattr__(self, "_content_hash", digest.hexdigest())  # a memo, not a change of the value
        return self._content_hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, GeneNetwork):
            return NotImplemented
        return (
            (self._diagonal, self._normalization) == (other._diagonal, other._normalization)
            and self._genes == other._genes
            and np.array_equal(self._edge_index, other._edge_index)
            and np.array_equal(self._edge_weight, other._edge_weight)
        )

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __copy__(self) -> GeneNetwork:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> GeneNetwork:
        return self  # nothing in it can change, so a copy would be the same thing

    def __reduce__(self) -> tuple[Any, ...]:
        state = (
            self._genes,
            self._edge_index,
            self._edge_weight,
            self._diagonal,
            self._normalization,
            self._source,
        )
        return (GeneNetwork._canonical, state)

    def __repr__(self) -> str:
        parts = [f"{self.num_genes:,} genes", f"{self.num_edges:,} edges"]
        parts += [str(self._source)] if self._source is not None and str(self._source) else []
        parts += ["diagonal 1"] if self._diagonal else []
        parts += ["sym"] if self._normalization == "sym" else []
        return f"GeneNetwork({', '.join(parts)})"

    # ---- new networks from this one ----

    def align(self, genes: Sequence[str]) -> GeneNetwork:
        """Return the network on another list of genes, in the order of that list.

        Genes that are not in this network become nodes without an edge; edges to genes that are not in the
        list are dropped. Weights stay as they are. With the diagonal set, every gene of the result has a
        self-loop, so it does not matter whether the diagonal is set before or after. That no gene at all
        matches is not an error here; see ``num_edges`` of the result.

        Parameters
        ----------
        genes
            Unique, non-empty names, shape (M,).

        Raises
        ------
        ValueError
            If `genes` does not have that form, or the network is normalized "sym": its weights were divided
            by degrees that dropped edges would change.
        """
        genes = check_gene_names(genes)
        if genes == self._genes:
            return self
        self._refuse_sym("align", "align(genes).normalized('sym')")
        position = pd.Index(genes, dtype=object).get_indexer(pd.Index(self._genes, dtype=object))
        low, high, weight = self._upper()
        low, high = position[low], position[high]
        keep = (low >= 0) & (high >= 0)
        return self._with_edges(genes, low[keep], high[keep], weight[keep])

    def with_diagonal(self, diagonal: int) -> GeneNetwork:
        """Return the network with (1) or without (0) a self-loop of weight 1 on every gene.

        Raises
        ------
        ValueError
            If `diagonal` is neither 0 nor 1, or would change a network that is normalized "sym".
        """
        if diagonal not in (0, 1):
            raise ValueError(
                f"diagonal={diagonal!r} must be 0 (no self-loops) or 1 (a self-loop on every gene)."
            )
        if diagonal == self._diagonal:
            return self
        self._refuse_sym("with_diagonal", f"with_diagonal({int(diagonal)}).normalized('sym')")
        return self._with_edges(self._genes, *self._upper(), diagonal=int(diagonal))

    def normalized(self, normalization: Normalization) -> GeneNetwork:
        r"""Return the network with weights normalized in the way asked for.

        ``"max"`` are the scores divided by the largest one, as the constructor leaves them. ``"sym"`` is

        .. math:: \hat A = D^{-1/2} A D^{-1/2}, \quad D_{ii} = \sum_j A_{ij},

        with the diagonal in A if it is set; genes without an edge keep none. A network that already is what
        is asked for is returned as it is.

        Raises
        ------
        ValueError
            If `normalization` is unknown, or "max" is asked of a "sym" network: the degrees cannot be divided
            out.

        References
        ----------
        Kipf & Welling (2017), Semi-supervised classification with graph convolutional networks,
        doi:10.48550/arXiv.1609.02907.
        """
        if normalization not in ("max", "sym"):
            raise ValueError(f"normalization={normalization!r} is unknown; choose 'max' or 'sym'.")
        if normalization == self._normalization:
            return self
        if self._normalization == "sym":
            raise ValueError(
                "normalized('max') cannot undo normalization 'sym'; keep the network from before "
                "normalized('sym')."
            )
        rows, columns = self._edge_index
        weight = self._edge_weight.astype(np.float64)
        strength = np.bincount(rows, weights=weight, minlength=self.num_genes)
        weight = positive_float32(weight / np.sqrt(strength[rows] * strength[columns]))
        return self._canonical(self._genes, self._edge_index, weight, self._diagonal, "sym", self._source)

    def permuted(self, seed: int, groups: Any = None) -> GeneNetwork:
        """Return the same network with its genes permuted: a control that keeps all but who is who.

        The list of genes keeps its order; each node's edges go to another gene. The graph, its weights, the
        diagonal and the normalization stay.

        Parameters
        ----------
        seed
            Seed of the permutation.
        groups
            Group of each gene, shape (N,), for instance bins of equal expression: genes only change places
            within their group. None for one group.

        Raises
        ------
        ValueError
            If `groups` does not have one entry per gene.
        """
        groups = np.zeros(self.num_genes, dtype=np.int64) if groups is None else np.asarray(groups)
        if groups.shape != (self.num_genes,):
            raise ValueError(
                f"groups has shape {groups.shape} but the network has {self.num_genes:,} genes; pass one "
                "group per gene."
            )
        _, groups = np.unique(groups, return_inverse=True)
        rng = np.random.default_rng(seed)
        moved_to = np.empty(self.num_genes, dtype=np.int64)
        # Both sides list the genes group by group, one in the given order, the other shuffled.
        moved_to[np.argsort(groups, kind="stable")] = np.lexsort((rng.random(self.num_genes), groups))
        edge_index = moved_to[self._edge_index]
        order = np.argsort(edge_index[0] * self.num_genes + edge_index[1])
        source = self._control_source(f"permuted (seed {seed})")
        arrays = (edge_index[:, order], self._edge_weight[order])
        return self._canonical(self._genes, *arrays, self._diagonal, self._normalization, source)

    def rewired(self, seed: int) -> GeneNetwork:
        """Return a random network in which every gene keeps its number of neighbours: a control.

        Pairs of edges exchange ends, each edge about ten times; an edge takes its weight along, so the
        weights are the same and lie elsewhere. No self-loops and no double edges arise. The diagonal stays as
        it is. In a very small network the result can be the network itself.

        Parameters
        ----------
        seed
            Seed; the same seed gives the same network.

        Raises
        ------
        ValueError
            If no two edges can exchange ends (fewer than two edges, a complete graph, a star), or the network
            is normalized "sym".

        References
        ----------
        Maslov & Sneppen (2002), doi:10.1126/science.1065103.
        """
        self._refuse_sym("rewired", "rewired(seed).normalized('sym')")
        low, high, weight = self._upper()
        low, high = swap_edges(low, high, self.num_genes, np.random.default_rng(seed))
        return self._with_edges(
            self._genes, low, high, weight, source=self._control_source(f"rewired (seed {seed})")
        )

    def union(self, other: GeneNetwork) -> GeneNetwork:
        """Return the edges of both networks; an edge of both has the larger of its two weights.

        Genes are those of this network followed by the new ones of the other. Weights are not rescaled: each
        network was divided by its own largest score. The diagonal is set if it is set in either.

        Raises
        ------
        ValueError
            If `other` is no GeneNetwork, or either network is normalized "sym".
        """
        low, high, weight, genes = self._edges_of_both(other, "union")
        low, high, weight = largest_of_each(low, high, weight, len(genes))
        diagonal = max(self._diagonal, other._diagonal)
        source = self._joined_source(other, " + ")
        return self._with_edges(genes, low, high, weight, diagonal=diagonal, source=source)

    def intersection(self, other: GeneNetwork) -> GeneNetwork:
        """Return the edges that both networks have, each with the smaller of its two weights.

        Genes are those of both, in the order of this network. With :meth:`union`, which takes the larger
        weight, this makes a lattice: ``a.union(a.intersection(b)) == a``. Weights are not rescaled. The
        diagonal is set if it is set in both.

        Raises
        ------
        ValueError
            If `other` is no GeneNetwork, or either network is normalized "sym".
        """
        low, high, weight, genes = self._edges_of_both(other, "intersection")
        low, high, weight = smaller_of_both(low, high, weight, len(genes))
        theirs = set(other._genes)
        diagonal = min(self._diagonal, other._diagonal)
        source = self._joined_source(other, " and ")
        both = self._with_edges(genes, low, high, weight, diagonal=diagonal, source=source)
        return both.align(tuple(gene for gene in self._genes if gene in theirs))

    def rename(self, names: Mapping[str, str]) -> GeneNetwork:
        """Return the network under other names; an edge that arises several times keeps its largest weight.

        Genes that get the same name become one, at the place of the first of them, and edges between them
        are dropped. Weights are not rescaled.

        Parameters
        ----------
        names
            New name of each gene that gets one; the others keep theirs, and names of no gene are ignored.

        Raises
        ------
        ValueError
            If `names` holds no gene of this network, a new name is empty or no string, or genes become one in
            a network normalized "sym".
        """
        if names and not any(gene in names for gene in self._genes):
            raise ValueError(
                f"names holds none of the {self.num_genes:,} genes of this network ({self._genes[:3]}…); its "
                f"keys are the old names ({list(names)[:3]}…)."
            )
        renamed = [names.get(gene, gene) for gene in self._genes]
        genes = check_gene_names(dict.fromkeys(renamed))
        if len(genes) == self.num_genes:
            state = (self._edge_index, self._edge_weight, self._diagonal, self._normalization, self._source)
            return self._canonical(genes, *state)
        self._refuse_sym("rename", "rename(names).normalized('sym')")
        position = pd.Index(genes, dtype=object).get_indexer(pd.Index(renamed, dtype=object))
        low, high, weight = self._upper()
        ends = np.sort(position[np.stack([low, high])], axis=0)
        keep = ends[0] < ends[1]
        return self._with_edges(genes, *largest_of_each(*ends[:, keep], weight[keep], len(genes)))

    def to_organism(
        self,
        orthologs: pd.DataFrame,
        organism: str | int | None = None,
        *,
        many: Literal["drop", "copy"] = "drop",
    ) -> GeneNetwork:
        """Return the network under the names of another organism's orthologous genes (interologs).

        Genes without an ortholog are dropped. The source of the result says how many were kept.

        Parameters
        ----------
        orthologs
            Table whose first column names genes of this network and whose second names those of the other
            organism, a pair per row.
        organism
            The other organism, for the source; by default the name of the second column, if it is one.
        many
            ``"drop"`` uses one-to-one orthologs only. ``"copy"`` uses all: a gene with several orthologs
            passes its edges to each, and of genes with the same ortholog the larger weights stay.

        Raises
        ------
        ValueError
            If `orthologs` is no table of two columns of names or names no gene of this network, `many` or
            `organism` is unknown, or the network is normalized "sym".

        References
        ----------
        Yu et al. (2004), Annotation transfer between genomes: protein-protein interologs and protein-DNA
        regulogs, doi:10.1101/gr.1774904.
        """
        from gene_gcn.networks.orthologs import through_orthologs

        self._refuse_sym("to_organism", "to_organism(orthologs).normalized('sym')")
        return through_orthologs(self, orthologs, organism, many)

    # ---- other forms ----

    def to_frame(self) -> pd.DataFrame:
        """Return a table ``source, target, weight`` with each undirected edge once, the diagonal left out."""
        low, high, weight = self._upper()
        genes = np.array(self._genes, dtype=object)
        return pd.DataFrame({"source": genes[low], "target": genes[high], "weight": weight})

    def summary(self) -> pd.Series:
        """Count genes, edges and components; print it to read it.

        Returns
        -------
        pandas.Series
            ``genes``; ``connected genes`` (with an edge to another); ``edges``; ``components`` (of two genes
            or more) and the genes in the ``largest component``; the quartiles of ``degree`` over connected
            genes and those of ``weight`` over edges, NaN where there are none. Named after the source.
        """
        from gene_gcn.networks.summary import summarize

        return summarize(self)

    def to_data(self) -> torch_geometric.data.Data:
        """Return a ``torch_geometric.data.Data``: `edge_index`, `edge_weight`, `num_nodes` and `genes`.

        Expression comes as ``data.x``, shape (N, C), in the order of `genes`, a list of strings.
        """
        from torch_geometric.data import Data

        return Data(
            edge_index=self.edge_index,
            edge_weight=self.edge_weight,
            num_nodes=self.num_genes,
            genes=list(self._genes),
        )

    def to_sparse_tensor(self) -> Any:
        """Return the (N, N) adjacency as a ``torch_sparse.SparseTensor``; :attr:`adj_t` needs no package.

        Raises
        ------
        ImportError
            If torch-sparse is not installed.
        """
        try:
            from torch_sparse import SparseTensor
        except ImportError as error:
            raise ImportError(
                "to_sparse_tensor needs torch-sparse: pip install --no-build-isolation 'gene-gcn[sparse]'. "
                "Without it, adj_t is the same matrix as a torch.sparse_csr tensor."
            ) from error
        row, col = self.edge_index
        shape = (self.num_genes, self.num_genes)
        return SparseTensor(row=row, col=col, value=self.edge_weight, sparse_sizes=shape, is_sorted=True)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, source: NetworkSource | None = None) -> GeneNetwork:
        """Build a network from a table with one edge per row.

        Genes are the names that occur in it, sorted.

        Parameters
        ----------
        frame
            Columns ``source``, ``target`` and, if there are scores, ``weight``; others are ignored. Without
            columns of these names, the first two are the genes and the third, if there is one, the scores;
            then more than three columns are refused. Names must be strings; categorical columns are the
            fastest.
        source
            Where the network came from.

        Raises
        ------
        ValueError
            If columns are missing or too many, a name is missing or no string, or a score is not positive and
            finite.
        """
        names = edge_columns(list(frame.columns))
        for name in names[:2]:
            if missing := int(frame[name].isna().sum()):
                raise ValueError(
                    f"column {name!r} has {missing:,} missing gene names; drop these rows first."
                )
        genes, edge_index = encode(frame[names[0]], frame[names[1]])
        weight = None
        if len(names) == 3:
            try:
                weight = frame[names[2]].to_numpy(dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"column {names[2]!r} must hold the scores, but is not numeric: {error}"
                ) from error
        return cls(genes, edge_index, weight, source=source)

    def to_networkx(self) -> networkx.Graph:
        """Return a ``networkx.Graph`` of all genes, ``weight`` on each edge, the diagonal left out."""
        import networkx

        graph = networkx.Graph()
        graph.add_nodes_from(self._genes)
        low, high, weight = self._upper()
        ends = ([self._genes[i] for i in side.tolist()] for side in (low, high))
        graph.add_weighted_edges_from(zip(*ends, weight.tolist(), strict=True))
        return graph

    @classmethod
    def from_networkx(
        cls, graph: networkx.Graph, weight: str | None = "weight", *, source: NetworkSource | None = None
    ) -> GeneNetwork:
        """Build a network from a networkx graph; nodes keep their order, those without an edge stay.

        Directed graphs and multigraphs become undirected; the largest score of an edge counts.

        Parameters
        ----------
        graph
            Its nodes are gene names (strings).
        weight
            Edge attribute that holds the score. Where no edge has it, or with None, all scores are 1.
        source
            Where the network came from.

        Raises
        ------
        ValueError
            If nodes are no strings, only some edges have the attribute, or a score is not positive and
            finite.
        """
        genes = list(graph.nodes)
        position = {gene: i for i, gene in enumerate(genes)}
        edges = [(position[u], position[v], score) for u, v, score in graph.edges(data=weight or "weight")]
        edge_index = np.array([edge[:2] for edge in edges], dtype=np.int64).reshape(-1, 2).T
        scores = None if weight is None else [edge[2] for edge in edges]
        if scores is not None and None in scores:
            if any(score is not None for score in scores):
                raise ValueError(
                    f"{scores.count(None):,} of {len(scores):,} edges have no attribute weight={weight!r}; "
                    "set it on all of them, or pass weight=None for 1 everywhere."
                )
            scores = None
        return cls(genes, edge_index, scores, source=source)

    # ---- to and from a file ----

    def to_dict(self) -> dict[str, Any]:
        """Everything but genes and edges, fit for JSON."""
        source = None if self._source is None else asdict(self._source)
        return {"diagonal": self._diagonal, "normalization": self._normalization, "source": source}

    def arrays(self) -> dict[str, np.ndarray]:
        """What to save with :meth:`to_dict`: `edge_index`, int64 (2, E), and `edge_weight`, float32 (E,)."""
        return {"edge_index": self._edge_index.copy(), "edge_weight": self._edge_weight.copy()}

    @classmethod
    def from_dict(
        cls, genes: Sequence[str], values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> GeneNetwork:
        """Build again, unchanged and not rescaled, what :meth:`to_dict` and :meth:`arrays` gave."""
        genes = check_gene_names(genes)
        edge_index = np.array(arrays["edge_index"], dtype=np.int64)
        edge_weight = np.array(arrays["edge_weight"], dtype=np.float32)
        check_edge_index(edge_index, len(genes))
        check_edge_weight(edge_weight, edge_index.shape[1])
        source = None if values["source"] is None else NetworkSource(**values["source"])
        return cls._canonical(
            genes, edge_index, edge_weight, values["diagonal"], values["normalization"], source
        )

    # ---- helpers ----

    def _upper(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each undirected edge once: lower end, upper end, weight."""
        keep = self._edge_index[0] < self._edge_index[1]
        return self._edge_index[0][keep], self._edge_index[1][keep], self._edge_weight[keep]

    def _with_edges(
        self,
        genes: tuple[str, ...],
        low: np.ndarray,
        high: np.ndarray,
        weight: np.ndarray,
        *,
        diagonal: int | None = None,
        source: NetworkSource | None = None,
    ) -> GeneNetwork:
        diagonal = self._diagonal if diagonal is None else diagonal
        arrays = both_ways(low, high, weight, len(genes), diagonal)
        return self._canonical(genes, *arrays, diagonal, "max", source or self._source)

    def _edges_of_both(
        self, other: GeneNetwork, method: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]]:
        """Lower ends, upper ends and weights of this network's edges, then the other's, and all genes."""
        if not isinstance(other, GeneNetwork):
            raise ValueError(f"other is a {type(other).__name__}; {method} takes another GeneNetwork.")
        for network in (self, other):
            network._refuse_sym(method, f"{method}(other).normalized('sym')")
        genes = tuple(dict.fromkeys(self._genes + other._genes))
        edges = zip(self.align(genes)._upper(), other.align(genes)._upper(), strict=True)
        return *(np.concatenate(pair) for pair in edges), genes

    def _joined_source(self, other: GeneNetwork, word: str) -> NetworkSource | None:
        sources = [network.source for network in (self, other) if network.source is not None]
        return sources[0].joined(sources[1], word) if len(sources) == 2 else None

    def _control_source(self, how: str) -> NetworkSource | None:
        # A control must not pass for the database it was made from.
        return self._source and replace(self._source, name=f"{how} {self._source.name or 'network'}")

    def _refuse_sym(self, method: str, remedy: str) -> None:
        if self._normalization == "sym":
            raise ValueError(
                f"{method} on a network with normalization 'sym' would leave weights that belong to other "
                f"degrees; start from the network before normalized('sym') and call {remedy}."
            )
