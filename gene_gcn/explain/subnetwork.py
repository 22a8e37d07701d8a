"""`Subnetwork`: the connected genes of a network that alone tell a type from the others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.errors import Argument, ArgumentError, NetworkWarning, warn
from gene_gcn.explain.graph_files import write_cyjs, write_graphml
from gene_gcn.explain.linear_logits import LinearLogits
from gene_gcn.explain.subnetwork_search import GeneTree, Quota, edge_costs, fewest_genes, smallest_tree
from gene_gcn.explain.type_margins import TypeMargins, named_types
from gene_gcn.networks import GeneNetwork

if TYPE_CHECKING:
    import networkx as nx

    from gene_gcn.explain.explanation import CellGroup

__all__ = ["Subnetwork", "SubnetworkOptions", "find_subnetwork"]

# At most so many cells of the type, and so many others, are searched for a subnetwork, and tested: both to
# bound the time, which is linear in them.
NUM_CELLS = 500
NUM_TESTED_CELLS = 100
# Bins of equal size within which genes are permuted, by mean expression.
NUM_BINS = 20


@dataclass(frozen=True, eq=False, repr=False)
class Subnetwork:
    """A small connected part of a gene network whose genes alone tell a type from the others.

    Attributes
    ----------
    type : object
    genes : DataFrame
        "gene"; "contribution", what its expression adds to the logit of the type less that of the strongest
        rival, on average over the cells of the type; "is_connector", whether it is there only to connect the
        others, which do without its contribution. The largest contribution comes first.
    edges : DataFrame
        "source", "target" and "weight" of all edges of the network between these genes.
    kept : float
        Fraction of the cells of the type that are still given it, with all other genes at the baseline.
    excluded : float
        Fraction of the other cells in which the type that they are given stays ahead; NaN without such cells.
    num_cells : int
        Number of cells of the type that were looked at.
    lower_bound : int
        No set with fewer genes of the network, connected or not, meets `keep` and `exclude` in these cells; 0
        if this one does not either.
    p_rewired, p_permuted : float
        P-values: how often the subnetwork of a rewired network, or of one whose genes are permuted within
        bins of equal expression, has edges that cost as little; NaN without permutations.
    """

    type: Any
    genes: pd.DataFrame
    edges: pd.DataFrame
    kept: float
    excluded: float
    num_cells: int
    lower_bound: int
    p_rewired: float
    p_permuted: float

    @property
    def gap(self) -> float:
        """Optimality gap, `1 - lower_bound / size`: 0 if no smaller set exists; connections count to it."""
        return 1 - self.lower_bound / len(self.genes)

    def __repr__(self) -> str:
        size = f"{len(self.genes):,} genes, at least {self.lower_bound:,} needed"
        p = "" if np.isnan(self.p_rewired) else f"; p {self.p_rewired:.2g}, {self.p_permuted:.2g}"
        return f"Subnetwork({self.type}: {size}; kept {self.kept:.3f}, excluded {self.excluded:.3f}{p})"

    def to_networkx(self) -> nx.Graph:
        """Return the subnetwork as a graph: nodes with the columns of `genes`, edges with "weight"."""
        import networkx as nx

        graph = nx.Graph()
        graph.add_nodes_from(self.genes.set_index("gene").to_dict("index").items())
        graph.add_weighted_edges_from(self.edges.itertuples(index=False, name=None))
        return graph

    def write_graphml(self, path: str | os.PathLike[str]) -> None:
        """Write the graph as GraphML, whole or not at all.

        Parameters
        ----------
        path : path
            File to write.

        Raises
        ------
        ArgumentError
            There is something other than a file at the path.
        """
        write_graphml(self.to_networkx(), path)

    def write_cyjs(self, path: str | os.PathLike[str]) -> None:
        """Write the graph as Cytoscape JSON (.cyjs), whole or not at all.

        Parameters
        ----------
        path : path
            File to write.

        Raises
        ------
        ArgumentError
            There is something other than a file at the path.
        """
        write_cyjs(self.to_networkx(), path)


@dataclass(frozen=True)
class SubnetworkOptions:
    """How a subnetwork is searched for; see `Explanation.subnetwork`.

    Raises
    ------
    ArgumentError
        A value is out of its range.
    """

    keep: float
    exclude: float
    n_permutations: int

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise ArgumentError("keep", Argument("keep", self.keep), " must be above 0 and at most 1.")
        if not 0 <= self.exclude <= 1:
            raise ArgumentError("exclude", Argument("exclude", self.exclude), " must be between 0 and 1.")
        n = self.n_permutations
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
            hint = " must be a whole number; 0 leaves the p-values out."
            raise ArgumentError("n_permutations", Argument("n_permutations", n), hint)

    def quota(self, margins: TypeMargins) -> Quota:
        """Return how many cells this asks for."""
        of_type, others = margins.num_of_type, margins.num_cells - margins.num_of_type
        return Quota(of_type, _ceil(self.keep * of_type), _ceil(self.exclude * others))


@dataclass(frozen=True, eq=False)
class TypeSearch:
    """The cells in which a type is searched for a subnetwork, and the type.

    Attributes
    ----------
    X, logits, groups, gene_names
        Of an `Explanation` of all types.
    named : ndarray of int, shape (B,)
        The type that is given to each cell.
    index : int
        Position of the type.
    of_type, others : ndarray of int
        Cells, in random order.
    """

    X: sparse.csr_matrix
    logits: LinearLogits
    groups: Sequence[CellGroup]
    gene_names: Sequence[str]
    named: np.ndarray
    index: int
    of_type: np.ndarray
    others: np.ndarray

    @classmethod
    def of(
        cls,
        X: sparse.csr_matrix,
        logits: LinearLogits,
        groups: Sequence[CellGroup],
        gene_names: Sequence[str],
        index: int,
        cells: np.ndarray,
        rng: np.random.Generator,
    ) -> TypeSearch:
        """Find the cells (of these positions) that are given the type."""
        named = named_types(X, logits, groups)
        is_type = named[cells] == index
        halves = rng.permutation(cells[is_type]), rng.permutation(cells[~is_type])
        return cls(X, logits, groups, gene_names, named, index, *halves)

    def margins(self, genes: np.ndarray, most: int) -> TypeMargins:
        """Return the margins with some genes in at most so many cells of the type, and of others."""
        cells = np.concatenate([self.of_type[:most], self.others[:most]])
        of = TypeMargins.of(self.X, self.logits, self.groups, self.named, self.index, cells)
        return of.select(genes)


def find_subnetwork(
    search: TypeSearch,
    type: Any,
    network: GeneNetwork,
    options: SubnetworkOptions,
    rng: np.random.Generator,
) -> Subnetwork:
    """Find the subnetwork of a type; see `Explanation.subnetwork`.

    Parameters
    ----------
    search : TypeSearch
    type : object
        What the type is called.
    network : GeneNetwork
        On the genes, with one edge or more.
    options : SubnetworkOptions
    rng : numpy.random.Generator
    """
    connected = np.flatnonzero(network.degree)
    # First, as there are networks that cannot be rewired.
    p_rewired, p_permuted = _p_values(search, network, connected, options, rng)
    costs = _costs(network, connected)
    margins = search.margins(connected, NUM_CELLS)
    quota = options.quota(margins)
    tree = smallest_tree(margins, costs, quota)
    if tree.shortfall:
        _warn_of_shortfall(type, margins.of_genes(tree.genes), quota, options)
    kept, excluded = quota.fractions(margins.of_genes(tree.genes))
    return Subnetwork(
        type,
        _gene_table(search.gene_names, connected, margins, quota, tree),
        _edge_table(search.gene_names, network, connected[tree.genes]),
        kept,
        excluded,
        margins.num_of_type,
        0 if tree.shortfall else fewest_genes(margins, quota, len(tree.genes)),
        p_rewired,
        p_permuted,
    )


def _gene_table(
    names: Sequence[str], connected: np.ndarray, margins: TypeMargins, quota: Quota, tree: GeneTree
) -> pd.DataFrame:
    genes = np.array(tree.genes)
    margin = margins.of_genes(genes)
    spare = [quota.shortfall(margin - margins.of_gene(gene)) <= tree.shortfall for gene in genes]
    columns = {
        "gene": [names[connected[gene]] for gene in genes],
        "contribution": margins.mean_of_type()[genes],
        "is_connector": spare,
    }
    return pd.DataFrame(columns).sort_values("contribution", ascending=False, ignore_index=True)


def _edge_table(names: Sequence[str], network: GeneNetwork, genes: np.ndarray) -> pd.DataFrame:
    arrays = network.arrays()
    source, target = arrays["edge_index"]
    between = (source < target) & np.isin(source, genes) & np.isin(target, genes)
    columns = {
        "source": [names[gene] for gene in source[between]],
        "target": [names[gene] for gene in target[between]],
        "weight": arrays["edge_weight"][between].astype(np.float64),
    }
    return pd.DataFrame(columns)


def _warn_of_shortfall(type: Any, margin: np.ndarray, quota: Quota, options: SubnetworkOptions) -> None:
    kept, excluded = quota.fractions(margin)
    text = (
        f"no connected genes were found that alone keep {options.keep:.3g} of the cells of {type} and "
        f"exclude {options.exclude:.3g} of the others; the best keep {kept:.3g} and exclude {excluded:.3g}. "
        "Lower "
    )
    warn(NetworkWarning(text, Argument("keep"), " or ", Argument("exclude"), ", or use a denser network."))


# ---- permutations ----


def _p_values(
    search: TypeSearch,
    network: GeneNetwork,
    connected: np.ndarray,
    options: SubnetworkOptions,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Compare with rewired networks, and with genes permuted within bins of expression."""
    if not options.n_permutations:
        return np.nan, np.nan
    margins = search.margins(connected, NUM_TESTED_CELLS)
    quota = options.quota(margins)

    def rank(of: GeneNetwork) -> tuple[float, float]:
        tree = smallest_tree(margins, _costs(of, connected), quota, num_starts=1)
        return tree.shortfall, tree.cost

    observed = rank(network)
    groups = np.full(network.num_genes, -1)
    mean = np.asarray(search.X.mean(axis=0)).ravel()[connected]
    groups[connected] = mean.argsort(kind="stable").argsort() * NUM_BINS // len(connected)
    seeds = rng.integers(np.iinfo(np.int32).max, size=options.n_permutations).tolist()
    rewired = (network.rewired(seed) for seed in seeds)
    permuted = (network.permuted(seed, groups) for seed in seeds)
    return _p_value(observed, map(rank, rewired)), _p_value(observed, map(rank, permuted))


def _p_value(observed: tuple[float, float], controls: Iterator[tuple[float, float]]) -> float:
    at_least = [control <= observed for control in controls]
    return (1 + sum(at_least)) / (1 + len(at_least))


def _costs(network: GeneNetwork, genes: np.ndarray) -> sparse.csr_matrix:
    """Return the costs of edges between genes (positions)."""
    arrays = network.arrays()
    costs = edge_costs(arrays["edge_index"], arrays["edge_weight"], network.num_genes)
    return costs[genes][:, genes]


def _ceil(number: float) -> int:
    """Round up, ignoring floating-point error: 0.95 × 20 is 19, not 20."""
    return int(np.ceil(number - 1e-9))
