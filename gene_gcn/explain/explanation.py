"""`Explanation`: how much each gene, and each edge of the network, adds to the logits of cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils import check_random_state

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.explain.base import BaseExplanation
from gene_gcn.explain.checks import check_top, position_of
from gene_gcn.explain.edge_differences import MOST_CELLS, candidate_pairs, differing_edges, known_edges
from gene_gcn.explain.linear_logits import LinearLogits
from gene_gcn.explain.subnetwork import Subnetwork, SubnetworkOptions, TypeSearch, find_subnetwork
from gene_gcn.explain.term_enrichment import enrichment
from gene_gcn.explain.type_margins import named_types
from gene_gcn.networks import GeneNetwork, resolve_network

if TYPE_CHECKING:
    from gene_gcn.explain.base import CellIndex
    from gene_gcn.networks import GeneTerms
    from gene_gcn.networks.resolve import NetworkLike

__all__ = ["CellGroup", "Explanation"]


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
class Explanation(BaseExplanation):
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

    @property
    def edge_index(self) -> np.ndarray:
        """Source and target of each edge, int (2, E)."""
        adjacency = self.logits.adjacency.tocoo()
        return np.stack([adjacency.col, adjacency.row])

    def edge_mask(self, type: Any = None, *, cells: CellIndex = None) -> np.ndarray:
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
        type
            As in `genes`.
        top : int
            Number of genes, at most.
        cells
            As in `genes`.
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

    # ---- parts ----

    def _summary(self, indices: Sequence[int], cells: CellIndex) -> pd.DataFrame:
        logits, columns = self.logits.select(list(indices), None), list(indices)
        totals = np.zeros((4, len(columns)))
        for group, share, deviation in self._mean_deviations(cells):
            received = group.measured * (logits.adjacency @ deviation)
            totals += [
                share * logits.of(group.baseline),
                deviation @ logits.weight,
                received @ logits.weight,
                deviation @ group.missing_weight[:, columns],
            ]
        types = pd.Index([self.types[index] for index in columns], name="type")
        table = pd.DataFrame(totals.T, types, ["baseline", *self.parts])
        return table.assign(logit=totals.sum(axis=0))

    def _gene_parts(self, index: int, cells: CellIndex) -> np.ndarray:
        weight = self.logits.weight[:, index]
        parts = np.zeros((3, len(weight)))
        for group, _, deviation in self._mean_deviations(cells):
            parts += [
                deviation * weight,
                group.measured * (self.logits.adjacency @ deviation) * weight,
                deviation * group.missing_weight[:, index],
            ]
        return parts

    def _mean_deviations(self, cells: CellIndex) -> Iterator[tuple[CellGroup, float, np.ndarray]]:
        """Yield groups with their share of the cells and the sum of x − m (N,) over them, divided by all."""
        share = self._shares(cells)
        for group in self.groups:
            of_group = np.zeros_like(share)
            of_group[group.cells] = share[group.cells]
            total = float(of_group.sum())
            if total:
                # As a sparse row, the product costs what the chosen cells cost, not what all cells do.
                expression = (sparse.csr_matrix(of_group) @ self.X).toarray()[0]
                yield group, total, group.measured * (expression - total * group.baseline)

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


def _generator(random_state: int | np.random.RandomState | None) -> np.random.Generator:
    return np.random.default_rng(check_random_state(random_state).randint(np.iinfo(np.int32).max))
