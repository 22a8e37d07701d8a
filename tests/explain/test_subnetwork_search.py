"""Trees are connected and meet their quota, and no set of genes is smaller than the bound."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from explained_cells import B, N, small_explanation

from gene_gcn import GeneNetwork
from gene_gcn.explain.subnetwork_search import Quota, edge_costs, fewest_genes, smallest_tree
from gene_gcn.explain.type_margins import TypeMargins, named_types


def small_margins(seed):
    explanation = small_explanation(seed)
    named = named_types(explanation.X, explanation.logits, explanation.groups)
    index = int(np.bincount(named).argmax())
    parts = (explanation.X, explanation.logits, explanation.groups, named, index)
    return TypeMargins.of(*parts, np.arange(B))


def costs_of(network):
    return edge_costs(network.arrays()["edge_index"], network.arrays()["edge_weight"], network.num_genes)


def fewest_by_trying(margins, quota, graph):
    """Sizes of the smallest set that meets the quota: any, and connected."""
    fewest = {}
    for size in range(1, N + 1):
        for genes in combinations(range(N), size):
            if not quota.shortfall(margins.of_genes(genes)):
                fewest.setdefault("any", size)
                if nx.is_connected(graph.subgraph(genes)):
                    return fewest["any"], size
    raise AssertionError("all genes meet the quota")


@pytest.mark.parametrize("seed", range(8))
def test_smallest_set_is_between_the_bound_and_the_tree(seed):
    margins = small_margins(seed)
    rng = np.random.default_rng(seed)
    path = np.array([range(N - 1), range(1, N)])
    network = GeneNetwork([str(i) for i in range(N)], np.hstack([path, rng.integers(0, N, (2, 8))]))
    graph = nx.Graph(network.arrays()["edge_index"].T.tolist())
    others = B - margins.num_of_type
    for quota in (
        Quota(margins.num_of_type, margins.num_of_type, others),
        Quota(margins.num_of_type, margins.num_of_type, 0),
        Quota(margins.num_of_type, max(1, margins.num_of_type - 1), max(0, others - 1)),
    ):
        tree = smallest_tree(margins, costs_of(network), quota)
        assert tree.shortfall == quota.shortfall(margins.of_genes(tree.genes))
        assert nx.is_connected(graph.subgraph(tree.genes)) and len(set(tree.genes)) == len(tree.genes)
        fewest, connected = fewest_by_trying(margins, quota, graph)
        assert fewest_genes(margins, quota, len(tree.genes) if not tree.shortfall else N) <= fewest
        if not tree.shortfall:
            assert connected <= len(tree.genes)


def test_costs_fall_with_the_weight_and_have_no_loops():
    network = GeneNetwork(["a", "b", "c"], [[0, 1], [1, 2]], [1.0, 0.25]).with_diagonal(1)
    np.testing.assert_allclose(costs_of(network).toarray(), [[0, 1, 0], [1, 0, 1.75], [0, 1.75, 0]])


def test_quotas_are_of_both_kinds_of_cells():
    quota = Quota(num_of_type=3, kept=2, excluded=1)
    margin = np.array([[1.0, 2], [-4, 3], [2, -1], [-2, -2], [-6, -6]])
    assert quota.shortfall(margin) == pytest.approx(1 / 2 + 2)
    np.testing.assert_allclose(quota.deficit(margin), [[0, 0], [0, 0], [0, 0.5], [0.5, 0.5], [0, 0]])
    assert quota.fractions(margin) == (pytest.approx(1 / 3), 0)
    assert quota.fewest_allowed(np.array([4, 2, 9, 6, 3])) == 4
    assert Quota(3, 3, 2).shortfall(np.full((5, 2), 0.0)) > 0  # ties decide nothing
    assert Quota(3, 3, 0).shortfall(np.array([[1.0], [1], [1], [-1], [-1]])) == 0
