"""`Explanation`: how much each gene, and each edge of the network, adds to the logits of cells."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_random_state

from gene_gcn.cells.expression import is_anndata
from gene_gcn.cells.gene_columns import names_in_var
from gene_gcn.cells.keys import check_key
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.explain.checks import check_top, position_of
from gene_gcn.explain.edge_differences import MOST_CELLS, candidate_pairs, differing_edges, known_edges
from gene_gcn.explain.graph_files import write_cyjs, write_graphml
from gene_gcn.explain.linear_logits import LinearLogits
from gene_gcn.explain.subnetwork import Subnetwork, SubnetworkOptions, TypeSearch, find_subnetwork
from gene_gcn.explain.term_enrichment import enrichment
from gene_gcn.explain.type_margins import named_types
from gene_gcn.genes.names import match_names
from gene_gcn.networks import GeneNetwork, resolve_network

if TYPE_CHECKING:
    import networkx as nx
    from anndata import AnnData

    from gene_gcn.networks import GeneTerms
    from gene_gcn.networks.resolve import NetworkLike

    CellIndex = int | Sequence[int] | np.ndarray | None

__all__ = ["CellGroup", "Explanation"]

PARTS = ["own", "from_network", "through_missing"]


@dataclass(frozen=True, eq=False)
class CellGroup:
    """Cells in which the same genes were measured.

    Attributes
    ----------
    cells : ndarray of int, shape (cells,)
        Their positions.
    measured : ndarray of bool, shape (N,)
        Their genes.
    baseline : ndarray of float64, shape (N,)
        The mean training cell, as the model sees it with these genes.
    missing_weight : ndarray of float64, shape (N, K)
        What a measured gene adds to the logits per unit of expression through genes that were not measured.
    """

    cells: np.ndarray
    measured: np.ndarray
    baseline: np.ndarray
    missing_weight: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    r"""What each gene, and each edge of the network, adds to the logits of cells: exact, for a linear model.

    The logits of a cell x are compared with those of a baseline m, the mean training cell. What gene i adds
    to the logit of type k has three parts,

    .. math::
        (x_i - m_i) W_{ik}
        + \sum_j \lambda A_{ij} (x_j - m_j) W_{ik}
        + (x_i - m_i) M_{ik} ,

    its own expression ("own"), what reaches it along the edges from genes j ("from_network"), and what it
    adds through genes that the cell lacks ("through_missing"): those that are imputed from it, and those that
    it has edges to. Summed over all genes and added to the logit of the baseline, they give the logit of the
    cell. Genes that were not measured get no contribution.

    Contributions are linear in x, so those of several cells are averaged before they are multiplied: no
    matrix of (cells, genes, types) is made.

    Parameters
    ----------
    X : csr_matrix of float32, shape (B, N)
        Normalized expression.
    logits : LinearLogits
        Of the K explained types, less that of `against` if there is one.
    groups : sequence of CellGroup
    gene_names : sequence of str, shape (N,)
    types : sequence, shape (K,)
        The explained types.
    against : object
        Another type, whose logit is subtracted; None for none.
    gene_column : str, optional
        The column of an AnnData's `var` with the names of its genes.
    network : GeneNetwork, optional
        The network of the model on these genes, whether or not the model uses it.
    all_types : bool
        Whether the explained types are all types of the model.

    References
    ----------
    With all genes measured, the first two parts are the Shapley value of `h_i = x_i + Σ_j λ A_ij x_j` in a
    linear model with the baseline of m (Lundberg & Lee 2017, arXiv:1705.07874), divided among the edges.
    """

    X: sparse.csr_matrix
    logits: LinearLogits
    groups: Sequence[CellGroup]
    gene_names: Sequence[str]
    types: Sequence[Any]
    against: Any = None
    gene_column: str | None = None
    network: GeneNetwork | None = None
    all_types: bool = True

    def __repr__(self) -> str:
        what = ", ".join(map(str, self.types[:5])) + (", …" if len(self.types) > 5 else "")
        against = "" if self.against is None else f" against {self.against}"
        return f"Explanation({self.X.shape[0]:,} cells, {self.X.shape[1]:,} genes; {what}{against})"

    # ---- tables ----

    def genes(self, type: Any = None, top: int | None = 20, *, cells: CellIndex = None) -> pd.DataFrame:
        """Return the genes that add most to the logit of a type, up or down.

        Parameters
        ----------
        type
            One of `types`; may be left out if only one is explained.
        top : int or None
            Number of genes; None for all.
        cells : int, sequence of int or mask of bool, optional
            The position of a cell, or of several, over which contributions are averaged; by default all.

        Returns
        -------
        DataFrame
            "gene", "own", "from_network", "through_missing" and their sum "total", in units of logits, sorted
            by the size of the total.

        Raises
        ------
        ArgumentError
            The type is not explained, `top` is not positive, or there are no such cells.
        """
        table = self._gene_table(self._index(type), cells)
        return _largest(table, "total", top)

    def edges(self, type: Any = None, top: int | None = 20, *, cells: CellIndex = None) -> pd.DataFrame:
        """Return the edges of the network that add most to the logit of a type, up or down.

        Edges that end in the same gene sum to its "from_network". There are none if the model does not use
        its network (λ = 0).

        Parameters
        ----------
        type, top, cells
            As in `genes`, and with its errors.

        Returns
        -------
        DataFrame
            "source", "target" and "contribution": what the expression of `source` adds by reaching `target`,
            in units of logits.
        """
        names = np.asarray(self.gene_names, dtype=object)
        mask = self.edge_mask(type, cells=cells)
        source, target = self.edge_index
        table = pd.DataFrame({"source": names[source], "target": names[target], "contribution": mask})
        return _largest(table, "contribution", top)

    @property
    def edge_index(self) -> np.ndarray:
        """Edges of the network, from genes of the first row to genes of the second: (2, E), as in PyG."""
        adjacency = self.logits.adjacency.tocoo()
        return np.stack([adjacency.col, adjacency.row])

    def edge_mask(self, type: Any = None, *, cells: CellIndex = None) -> np.ndarray:
        """Return what each edge of `edge_index` adds to the logit of a type: (E,), as in PyG.

        Parameters
        ----------
        type, cells
            As in `genes`, and with its errors.
        """
        index = self._index(type)
        (source, target), value = self.edge_index, self.logits.adjacency.tocoo().data
        mask = np.zeros(len(value))
        for group, _, deviation in self._mean_deviations(cells):
            mask += group.measured[target] * value * deviation[source] * self.logits.weight[target, index]
        return mask

    def enrichment(
        self,
        terms: GeneTerms,
        type: Any = None,
        top: int = 100,
        *,
        cells: CellIndex = None,
        background: Sequence[str] | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Return terms that are enriched among the genes by which cells get a type.

        These are the `top` genes that add most to its logit, of those that the cells express more than the
        baseline does.

        Parameters
        ----------
        terms : GeneTerms
            From :func:`gene_gcn.networks.string_terms`, for instance.
        type, cells
            As in `genes`.
        top : int
            Number of genes, at most.
        background : sequence of str, optional
            All genes that could have been chosen; by default those that any of the explained cells expresses.
        **options
            ``categories``, ``max_fdr``, ``min_size`` and ``max_size`` of :func:`gene_gcn.explain.enrichment`.

        Returns
        -------
        DataFrame
            As of :func:`gene_gcn.explain.enrichment`.

        Raises
        ------
        ArgumentError
            As in `genes` and in :func:`gene_gcn.explain.enrichment`, or no gene adds to the logit.
        """
        check_top(top)
        total = self._gene_table(self._index(type), cells)["total"].to_numpy()
        is_up = sum(deviation for _, _, deviation in self._mean_deviations(cells)) > 0
        order = np.argsort(-total, kind="stable")
        chosen = order[(is_up & (total > 0))[order]][:top]
        if not len(chosen):
            what = "no gene that they express more than the baseline adds to the logit"
            raise ArgumentError("cells", Argument("cells", cells), f": {what}; choose other cells or a type.")
        names = np.array(self.gene_names, dtype=object)
        if background is None:
            background = names[(self.X > 0).sum(axis=0).A1 > 0]
        return enrichment(names[chosen], terms, background, **options)

    def summary(self, cells: CellIndex = None) -> pd.DataFrame:
        """Return how the mean logits of cells come about, a row per type.

        Parameters
        ----------
        cells
            As in `genes`.

        Returns
        -------
        DataFrame
            "baseline", the logit of the mean training cell, "own", "from_network" and "through_missing",
            summed over all genes, and "logit", the sum of these four.
        """
        totals = np.zeros((4, len(self.types)))
        for group, share, deviation in self._mean_deviations(cells):
            received = group.measured * (self.logits.adjacency @ deviation)
            totals += [
                share * self.logits.of(group.baseline),
                deviation @ self.logits.weight,
                received @ self.logits.weight,
                deviation @ group.missing_weight,
            ]
        table = pd.DataFrame(totals.T, pd.Index(self.types, name="type"), ["baseline", *PARTS])
        return table.assign(logit=totals.sum(axis=0))

    def to_frame(self, cells: CellIndex = None) -> pd.DataFrame:
        """Return the contributions of all genes to all types: "type" and the columns of `genes`.

        Genes are in the order of the model. `cells` is as in `genes`.
        """
        tables = [self._gene_table(index, cells) for index in range(len(self.types))]
        for label, table in zip(self.types, tables, strict=True):
            table.insert(0, "type", label)
        return pd.concat(tables, ignore_index=True)

    # ---- graphs ----

    def to_networkx(self, type: Any = None, top: int = 20, *, cells: CellIndex = None) -> nx.DiGraph:
        """Return the genes and the edges that add most to the logit of a type as a graph.

        Parameters
        ----------
        type, top, cells
            As in `genes`, and with its errors; `top` is the number of genes and that of edges. Genes at the
            ends of these edges are added.

        Returns
        -------
        networkx.DiGraph
            Nodes have "own", "from_network", "through_missing" and "total", edges "contribution".
        """
        import networkx as nx

        table = self._gene_table(self._index(type), cells)
        edges = self.edges(type, top, cells=cells)
        chosen = dict.fromkeys([*_largest(table, "total", top)["gene"], *edges["source"], *edges["target"]])
        graph = nx.DiGraph()
        rows = table.set_index("gene").loc[list(chosen)].to_dict("index")
        graph.add_nodes_from(rows.items())
        graph.add_weighted_edges_from(edges.itertuples(index=False, name=None), weight="contribution")
        return graph

    def write_graphml(
        self,
        path: str | os.PathLike[str],
        type: Any = None,
        top: int = 20,
        *,
        cells: CellIndex = None,
    ) -> None:
        """Write the graph of `to_networkx` as GraphML, whole or not at all.

        Raises
        ------
        ArgumentError
            As in `genes`, or there is something other than a file at the path.
        """
        write_graphml(self.to_networkx(type, top, cells=cells), path)

    def write_cyjs(
        self,
        path: str | os.PathLike[str],
        type: Any = None,
        top: int = 20,
        *,
        cells: CellIndex = None,
    ) -> None:
        """Write the graph of `to_networkx` as Cytoscape JSON (.cyjs), whole or not at all.

        Raises
        ------
        ArgumentError
            As in `genes`, or there is something other than a file at the path.
        """
        write_cyjs(self.to_networkx(type, top, cells=cells), path)

    # ---- subnetworks ----

    def subnetwork(
        self,
        type: Any,
        network: NetworkLike = None,
        *,
        cells: CellIndex = None,
        keep: float = 0.95,
        exclude: float = 0.95,
        n_permutations: int = 19,
        random_state: int | np.random.RandomState | None = 0,
    ) -> Subnetwork:
        r"""Find a small connected part of a network whose genes alone tell a type from the others.

        Genes alone means that all others are as in the mean training cell, so that the logits are those of
        the baseline plus what the expression of the chosen genes adds: by itself, along edges to all genes,
        and through missing genes. All genes together give the types that the model gives.

        The search is a heuristic for a prize-collecting Steiner tree. A gene's prize is what it adds to the
        logit of the type less that of the strongest rival, in cells that are not yet kept (and to the logit
        of the type that other cells are given, in those that are not yet excluded). An edge of weight w costs
        `2 - w`: the gene that it adds, and up to another one if it is uncertain. Genes are joined over one or
        two edges, or the cheapest path, by the best ratio of both; then those that are not needed are
        removed. `lower_bound` is a number of genes that any set needs, connected or not.

        Parameters
        ----------
        type
            One of `types`.
        network : GeneNetwork, "string", "biogrid", DataFrame, networkx graph or path, optional
            By default that of the model, even if it is not used (λ = 0).
        cells
            As in `genes`. Those that the model gives the type are kept, the others excluded; at most 500 of
            each, drawn at random.
        keep : float
            Fraction of the cells of the type that the genes alone must give the type.
        exclude : float
            Fraction of the other cells in which the type that they are given must stay ahead. With 0, genes
            alone may give the type to all cells.
        n_permutations : int
            Number of rewired networks, and of networks with permuted genes, that the size of the subnetwork
            is compared with, in 100 cells of each kind; 0 for none. P-values are not below 1 / (1 + this).
        random_state : int, RandomState or None
            Of the cells and the permutations.

        Returns
        -------
        Subnetwork
            If no connected genes were found that keep and exclude enough, the best (with a NetworkWarning).

        Raises
        ------
        ArgumentError
            An argument is out of its range, not all types are explained, no cell is given the type, or there
            is no network or it cannot be used.

        References
        ----------
        Ideker et al. (2002), Discovering regulatory and signalling circuits in molecular interaction
        networks, doi:10.1093/bioinformatics/18.suppl_1.S233. Dittrich et al. (2008), Identifying functional
        modules in protein-protein interaction networks, doi:10.1093/bioinformatics/btn161.
        """
        options = SubnetworkOptions(keep, exclude, n_permutations)
        self._check_all_types("subnetwork")
        index, rng = self._index(type), _generator(random_state)
        positions = np.unique(self._positions(cells))
        search = TypeSearch.of(self.X, self.logits, self.groups, self.gene_names, index, positions, rng)
        if not len(search.of_type):
            problem = f"none of the {len(positions):,} cells is given the type {type}; pass cells of it."
            raise ArgumentError("cells", problem)
        return find_subnetwork(search, type, self._network(network), options, rng)

    def differing_edges(
        self,
        first: Any,
        second: Any,
        network: NetworkLike = None,
        *,
        labels: Sequence[Any] | np.ndarray | pd.Series | None = None,
        cells: CellIndex = None,
        top: int = 200,
        top_pairs: int = 50,
        n_permutations: int = 9999,
        random_state: int | np.random.RandomState | None = 0,
    ) -> pd.DataFrame:
        """Find edges whose ends vary together differently in two types of cells.

        Tested are the edges of a network between the `top` genes that tell the two types apart most, and all
        pairs of the first `top_pairs` of these, whether or not they are edges. Differences in the mean and
        the spread of a gene do not count: see `gene_gcn.explain.differing_edges` for the statistic.

        Parameters
        ----------
        first, second
            Two of `types`.
        network
            As in `subnetwork`; without any, all edges are new.
        labels : array-like, shape (B,), optional
            The types of the cells; by default those that the model gives. Known types are better: that a
            model chose cells by the sum of two genes makes these vary in opposite directions.
        cells
            As in `genes`; at most 1,000 of each type, drawn at random.
        top, top_pairs : int
            Numbers of genes.
        n_permutations : int
            Number of permutations of the types. P-values are not below 1 / (1 + this).
        random_state : int, RandomState or None
            Of the cells and the permutations.

        Returns
        -------
        DataFrame
            "source", "target"; "first" and "second", the correlations in both types, and their "difference";
            "p"; "fdr", the false discovery rate (Benjamini-Hochberg over all tested edges); "known", whether
            the edge is in the network. The smallest p first.

        Raises
        ------
        ArgumentError
            An argument is out of its range, the types are the same or not explained, there are fewer than
            three cells of one, `labels` are not one per cell, or the network cannot be used.
        """
        for name, number in (("top", top), ("top_pairs", top_pairs), ("n_permutations", n_permutations)):
            check_top(number, name)
        rng, positions = _generator(random_state), np.unique(self._positions(cells))
        halves = self._cells_of_two(first, second, labels, positions, rng)
        genes = self._telling_apart(first, second, halves)[: max(top, top_pairs)]
        has_network = network is not None or self.network is not None
        known = known_edges(self._network(network) if has_network else None, genes)
        known[top:] = known[:, top:] = False
        chosen = np.concatenate(halves)
        return differing_edges(
            self.X[chosen][:, genes].toarray(),
            np.arange(len(chosen)) < len(halves[0]),
            *candidate_pairs(known, top_pairs),
            [self.gene_names[gene] for gene in genes],
            n_permutations,
            rng,
        )

    def _cells_of_two(
        self, first: Any, second: Any, labels: Any, cells: np.ndarray, rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Return the positions of cells of two types, not too many, in random order."""
        indices = [
            position_of(label, self.types, name) for label, name in ((first, "first"), (second, "second"))
        ]
        if first == second:
            raise ArgumentError("second", Argument("second", second), " is also the first type.")
        if labels is None:
            self._check_all_types("differing_edges without labels")
            named = named_types(self.X, self.logits, self.groups)
            found = [cells[named[cells] == index] for index in indices]
        else:
            of_cells = np.asarray(labels)
            if of_cells.shape != (self.X.shape[0],):
                problem = f" must be one type for each of the {self.X.shape[0]:,} explained cells."
                raise ArgumentError("labels", Argument("labels"), problem)
            found = [cells[of_cells[cells] == label] for label in (first, second)]
        for label, of_type in zip((first, second), found, strict=True):
            if len(of_type) < 3:
                problem = f"there are {len(of_type)} cells of {label}; pass three or more of both types."
                raise ArgumentError("cells", problem)
        return [rng.permutation(of_type)[:MOST_CELLS] for of_type in found]

    def _telling_apart(self, first: Any, second: Any, halves: Sequence[np.ndarray]) -> np.ndarray:
        """Return genes, measured in all these cells, that tell two types apart; the best come first."""
        tables = [
            self._gene_table(self._index(label), cells)["total"].to_numpy()
            for cells in halves
            for label in (first, second)
        ]
        difference = np.abs(tables[0] - tables[1] - tables[2] + tables[3])
        chosen = np.concatenate(halves)
        for group in self.groups:
            if np.isin(group.cells, chosen).any():
                difference[~group.measured] = 0
        order = np.argsort(-difference, kind="stable")
        return order[difference[order] > 0]

    # ---- AnnData ----

    def write(self, adata: AnnData, key_added: str = "explain", *, cells: CellIndex = None) -> None:
        """Write the total contributions of all genes into an AnnData with these genes.

        Writes `varm[key_added]`, an array (genes, K) that is NaN for genes the model does not have, and
        `uns[key_added]` with the "types" of its columns, "against" and the "baseline" logits.

        Parameters
        ----------
        adata : AnnData
        key_added : str
            Without "/".
        cells
            As in `genes`.

        Raises
        ------
        ArgumentError
            `adata` is not an AnnData or has none of the genes, `key_added` cannot be written to files, or as
            in `genes`.
        """
        if not is_anndata(adata):
            kind = type(adata).__name__
            raise ArgumentError("adata", f"write takes an AnnData, but adata is a {kind}; use to_frame.")
        check_key(key_added)
        names = names_in_var(adata.var, self.gene_column) or tuple(map(str, adata.var_names))
        unique, repeated = np.unique(np.array(names, dtype=object), return_inverse=True)
        position = match_names(self.gene_names, unique.tolist())[repeated]
        found = position >= 0
        if not found.any():
            raise ArgumentError(
                "adata",
                f"adata has none of the {len(self.gene_names):,} explained genes ({self.gene_names[0]}, …); "
                "pass the AnnData that was explained.",
            )
        totals = [self._gene_table(index, cells)["total"].to_numpy() for index in range(len(self.types))]
        values = np.full((adata.n_vars, len(self.types)), np.nan)
        values[found] = np.stack(totals, axis=1)[position[found]]
        adata.varm[key_added] = values
        adata.uns[key_added] = {
            "types": np.array([str(label) for label in self.types], dtype=object),
            "against": "" if self.against is None else str(self.against),
            "baseline": self.summary(cells)["baseline"].to_numpy(),
        }

    # ---- parts ----

    def _gene_table(self, index: int, cells: CellIndex) -> pd.DataFrame:
        weight = self.logits.weight[:, index]
        parts = np.zeros((3, len(weight)))
        for group, _, deviation in self._mean_deviations(cells):
            parts += [
                deviation * weight,
                group.measured * (self.logits.adjacency @ deviation) * weight,
                deviation * group.missing_weight[:, index],
            ]
        columns = dict(zip(PARTS, parts, strict=True))
        return pd.DataFrame({"gene": list(self.gene_names), **columns, "total": parts.sum(axis=0)})

    def _mean_deviations(self, cells: CellIndex) -> Iterator[tuple[CellGroup, float, np.ndarray]]:
        """Yield groups with their share of the cells and the sum of x − m (N,) over them, divided by all."""
        chosen = self._positions(cells)
        share = np.bincount(chosen, minlength=self.X.shape[0]) / len(chosen)
        for group in self.groups:
            of_group = np.zeros_like(share)
            of_group[group.cells] = share[group.cells]
            total = float(of_group.sum())
            if total:
                # As a sparse row, the product costs what the chosen cells cost, not what all cells do.
                expression = (sparse.csr_matrix(of_group) @ self.X).toarray()[0]
                yield group, total, group.measured * (expression - total * group.baseline)

    def _positions(self, cells: CellIndex) -> np.ndarray:
        everything = np.arange(self.X.shape[0])
        try:
            chosen = everything if cells is None else np.atleast_1d(everything[cells])
        except (IndexError, ValueError) as error:
            hint = f" must be positions of the {len(everything):,} explained cells, or a mask of them."
            raise ArgumentError("cells", Argument("cells", cells), hint) from error
        if not chosen.size:
            raise ArgumentError("cells", "cells selects no cell; pass at least one position.")
        return chosen.ravel()

    def _network(self, network: NetworkLike) -> GeneNetwork:
        """Return a network on the genes, by default that of the model."""
        found = self.network if network is None else resolve_network(network, self.gene_names).network
        if found is None:
            example = Argument("network", "string")
            raise ArgumentError("network", "the model has no network; pass one, such as ", example, ".")
        return found

    def _check_all_types(self, method: str) -> None:
        if not self.all_types:
            what = f"{method} needs all types of the model, but only {self} is there; explain without "
            raise ArgumentError("types", what, Argument("types"), " and ", Argument("against"), ".")

    def _index(self, type: Any) -> int:
        if type is None and len(self.types) == 1:
            return 0
        return position_of(type, self.types, "type")


def _generator(random_state: int | np.random.RandomState | None) -> np.random.Generator:
    return np.random.default_rng(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _largest(table: pd.DataFrame, column: str, top: int | None) -> pd.DataFrame:
    """Return the rows with the largest values, up or down; equal ones stay in order."""
    if top is not None:
        check_top(top)
    order = np.argsort(-table[column].abs().to_numpy(), kind="stable")[:top]
    return table.iloc[order].reset_index(drop=True)
