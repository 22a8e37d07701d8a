"""Search for the smallest connected set of genes that keeps the names of cells, and a bound on its size.

A prize-collecting Steiner tree: genes have prizes, what they add to the margins of cells that are not yet
decided as by all genes, and edges have costs. `smallest_tree` joins genes by the best ratio of both, then
takes out those that are not needed. It is not exact; `fewest_genes` bounds from below how many any set needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from gene_gcn.explain.type_margins import TypeMargins

__all__ = ["GeneTree", "Quota", "edge_costs", "fewest_genes", "smallest_tree"]

# How widely the search looks: from this many first genes, along edges to so many genes with the largest
# prizes, and at so many steps at a time whose effect is computed exactly, NUM_TRIES times at most if none
# helps. With one start instead of three, the trees of three of ten types of sorted blood cells had 3 to 7
# genes more. The others were not varied.
NUM_STARTS = 3
NUM_PRIZES = 200
NUM_STEPS = 32
NUM_TRIES = 10


@dataclass(frozen=True, eq=False)
class GeneTree:
    """A connected set of genes.

    Attributes
    ----------
    genes : list of int
        Positions.
    cost : float
        Of the cheapest edges that connect them.
    shortfall : float
        By how much the margins fall short of the quota; 0 if it is met.
    """

    genes: list[int]
    cost: float
    shortfall: float

    @property
    def rank(self) -> tuple[float, int, float]:
        """Smaller is better."""
        return self.shortfall, len(self.genes), self.cost


@dataclass(frozen=True)
class Quota:
    """How many cells must be decided as by all genes.

    Attributes
    ----------
    num_of_type : int
        Number of cells that are given the type; their margins come first.
    kept : int
        How many of these must still be.
    excluded : int
        How many of the other cells must still not be.
    """

    num_of_type: int
    kept: int
    excluded: int

    def shortfall(self, margin: np.ndarray) -> float:
        """Return by how much the margins (B, K - 1) of so many cells are below zero; 0 if it is met.

        The smallest margin of a cell counts. The mean over the best cells of the type is added to that over
        the best other cells.
        """
        total = 0.0
        for lowest, quota in self._halves(margin.min(axis=1)):
            best = np.sort(lowest)[len(lowest) - quota :]
            ties = np.count_nonzero(best <= 0) * np.finfo(float).tiny  # zero decides nothing
            total += (ties - np.minimum(best, 0).sum()) / max(quota, 1)
        return float(total)

    def fractions(self, margin: np.ndarray) -> tuple[float, float]:
        """Return which fraction of the cells of the type are kept, and of the others excluded."""
        of_type, others = (half > 0 for half, _ in self._halves(margin.min(axis=1)))
        return float(of_type.mean()), float(others.mean()) if len(others) else np.nan

    def deficit(self, margin: np.ndarray) -> np.ndarray:
        """Return the weights (B, K - 1) of margins in the shortfall: that of the strongest rival counts."""
        weights = []
        for lowest, quota in self._halves(margin.min(axis=1)):
            weight = np.where(lowest <= 0, 1 / max(quota, 1), 0.0)
            weight[np.argsort(lowest, kind="stable")[: len(lowest) - quota]] = 0
            weights.append(weight)
        return _rivals(margin) * np.concatenate(weights)[:, None]

    def fewest_allowed(self, needed: np.ndarray) -> int:
        """Return the fewest genes for which so many cells have as many as they need (B,)."""
        return max(int(np.sort(half)[quota - 1]) if quota else 0 for half, quota in self._halves(needed))

    def _halves(self, lowest: np.ndarray) -> tuple[tuple[np.ndarray, int], tuple[np.ndarray, int]]:
        of_type, others = np.split(lowest, [self.num_of_type])
        return (of_type, self.kept), (others, self.excluded)


def edge_costs(edge_index: np.ndarray, weight: np.ndarray, num_genes: int) -> sparse.csr_matrix:
    """Return the costs (N, N) of edges: 1 for the gene that an edge adds, and up to 1 for a low weight.

    Parameters
    ----------
    edge_index : ndarray of int, shape (2, E)
        In both directions; self-loops are dropped.
    weight : ndarray, shape (E,)
        In (0, 1].
    num_genes : int
    """
    row, column = edge_index
    kept = row != column
    cost = 2.0 - np.minimum(weight[kept].astype(np.float64), 1.0)
    return sparse.csr_matrix((cost, (row[kept], column[kept])), (num_genes, num_genes))


def smallest_tree(
    margins: TypeMargins, costs: sparse.csr_matrix, quota: Quota, num_starts: int = NUM_STARTS
) -> GeneTree:
    """Return a small connected set of genes that alone keep the names of cells.

    Parameters
    ----------
    margins : TypeMargins
    costs : csr_matrix, shape (N, N)
        Of edges; every gene has one.
    quota : Quota
    num_starts : int
        From how many genes to grow.
    """
    deficit = quota.deficit(margins.at_baseline())
    prize = margins.weighted(deficit if deficit.any() else _rivals(margins.of_all_genes()))
    starts = np.argsort(-prize, kind="stable")[:num_starts]
    trees = [_prune(margins, costs, quota, _grow(margins, costs, quota, int(start))) for start in starts]
    return min(trees, key=lambda tree: tree.rank)


def fewest_genes(margins: TypeMargins, quota: Quota, largest: int) -> int:
    """Return a number of genes below which no set, connected or not, meets the quota.

    A set decides a cell only if it has as many genes as the cell needs for its best ones to exceed each
    rival, so it must have as many as the quota's cell with the largest need. That cells need different genes,
    and that genes must be connected, is left out: the fewest genes may be many more.

    Parameters
    ----------
    margins : TypeMargins
    quota : Quota
    largest : int
        Size of a set that meets the quota, which is the answer if all smaller ones are ruled out.
    """
    needed = []
    for group in margins.groups:
        size = min(largest, len(group.baseline))
        for row in group.expression.tocsr():
            added = (row.toarray()[0] - group.baseline)[:, None] * group.gain
            best = -np.sort(-np.partition(added, len(added) - size, axis=0)[len(added) - size :], axis=0)
            above = np.cumsum(np.vstack([group.at_baseline, best]), axis=0) > 0
            needed.append(np.where(above.any(axis=0), above.argmax(axis=0), largest).max())
    return quota.fewest_allowed(np.array(needed))


# ---- growing ----


def _grow(margins: TypeMargins, costs: sparse.csr_matrix, quota: Quota, start: int) -> list[int]:
    """Add genes, with those that connect them, until enough cells are kept or nothing helps."""
    genes: list[int] = []
    step: tuple[int, ...] = (start,)
    near = np.full(costs.shape[0], np.inf)  # cost of the cheapest edge to the tree
    margin = margins.at_baseline()
    while step:
        for gene in step:
            genes.append(gene)
            margin = margin + margins.of_gene(gene)
            row = slice(*costs.indptr[gene : gene + 2])
            near[costs.indices[row]] = np.minimum(near[costs.indices[row]], costs.data[row])
        if quota.shortfall(margin) == 0:
            break
        near[genes] = np.inf
        prize = margins.weighted(quota.deficit(margin))
        prize[genes] = -np.inf
        step = _best(margins, margin, quota, _near_steps(costs, near, prize))
        step = step or _best(margins, margin, quota, _far_steps(costs, genes, prize))
    return genes


Step = tuple[float, tuple[int, ...]]  # cost and genes


def _near_steps(costs: sparse.csr_matrix, near: np.ndarray, prize: np.ndarray) -> list[Step]:
    """Return the steps along one or two edges with the largest prizes for their costs."""
    genes = _largest_prizes(prize)
    rows = costs[genes]
    first = np.concatenate([genes, np.repeat(genes, np.diff(rows.indptr))])
    second = np.concatenate([np.full(len(genes), -1), rows.indices])  # between the tree and the first
    cost = np.concatenate([near[genes], rows.data + near[rows.indices]])
    total = prize[first] + np.where(second < 0, 0.0, prize[second])
    ratio = np.where(np.isfinite(cost), total / np.where(cost < np.inf, cost, 1), -np.inf)
    best = np.argsort(-ratio, kind="stable")[: NUM_STEPS * NUM_TRIES]
    return [
        (cost[at], (int(first[at]),) if second[at] < 0 else (int(second[at]), int(first[at])))
        for at in best
        if ratio[at] > 0
    ]


def _far_steps(costs: sparse.csr_matrix, genes: Sequence[int], prize: np.ndarray) -> list[Step]:
    """Return the cheapest paths to the genes with the largest prizes."""
    distance, before, _ = csgraph.dijkstra(
        costs, directed=False, indices=genes, min_only=True, return_predecessors=True
    )
    ends = _largest_prizes(np.where(np.isfinite(distance), prize, -np.inf))
    best = ends[np.argsort(-prize[ends] / distance[ends], kind="stable")]
    steps, tree = [], set(genes)
    for end in best:
        path = [int(end)]
        while before[path[-1]] not in tree:
            path.append(int(before[path[-1]]))
        steps.append((float(distance[end]), tuple(path[::-1])))
    return steps


def _largest_prizes(prize: np.ndarray) -> np.ndarray:
    order = np.argsort(-prize, kind="stable")[:NUM_PRIZES]
    return order[prize[order] > 0]


def _best(margins: TypeMargins, margin: np.ndarray, quota: Quota, steps: Sequence[Step]) -> tuple[int, ...]:
    """Return the genes of the step that lowers the shortfall most for its cost; none if no step does."""
    now = quota.shortfall(margin)
    added: dict[int, np.ndarray] = {}
    for start in range(0, len(steps), NUM_STEPS):
        best = 0.0
        genes: tuple[int, ...] = ()
        for cost, step in steps[start : start + NUM_STEPS]:
            after = margin.copy()
            for gene in step:
                if gene not in added:
                    added[gene] = margins.of_gene(gene)
                after += added[gene]
            ratio = (now - quota.shortfall(after)) / cost
            if ratio > best:
                best, genes = ratio, step
        if genes:
            return genes
    return ()


# ---- pruning ----


def _prune(margins: TypeMargins, costs: sparse.csr_matrix, quota: Quota, genes: Sequence[int]) -> GeneTree:
    """Take out genes, the least needed first, while the others stay connected and keep enough cells."""
    import networkx as nx

    genes = list(genes)
    margin = margins.of_genes(genes)
    graph = nx.from_scipy_sparse_array(costs[genes][:, genes])
    graph = nx.relabel_nodes(graph, dict(enumerate(genes)))
    least = quota.shortfall(margin)
    while len(genes) > 1:
        needed = set(nx.articulation_points(graph))
        without = {gene: margin - margins.of_gene(gene) for gene in genes if gene not in needed}
        enough = [gene for gene, rest in without.items() if quota.shortfall(rest) <= least]
        if not enough:
            break
        gene = max(enough, key=lambda gene: np.count_nonzero(without[gene].min(axis=1) > 0))
        genes.remove(gene)
        graph.remove_node(gene)
        margin = without[gene]
    cost = float(csgraph.minimum_spanning_tree(costs[genes][:, genes]).sum())
    return GeneTree(genes, cost, quota.shortfall(margin))


# ---- margins ----


def _rivals(margin: np.ndarray) -> np.ndarray:
    """Return 1 for the strongest rival in each cell, else 0: (B, K - 1); equal ones share it."""
    strongest = margin == margin.min(axis=1, keepdims=True)
    return strongest / strongest.sum(axis=1, keepdims=True)
