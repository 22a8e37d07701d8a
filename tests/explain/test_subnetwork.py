"""Planted modules are found and reach what is asked, and p-values on rewired networks are uniform."""

from __future__ import annotations

import json
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from planted_module import GENES, MODULE, SIZE, TYPES, N, planted_explanation, planted_network
from scipy.stats import kstest

from gene_gcn import GeneNetwork
from gene_gcn.errors import ArgumentError, NetworkWarning
from gene_gcn.explain import CellGroup, LinearLogits, Subnetwork


@pytest.mark.parametrize("seed", range(3))
def test_planted_module_is_found_and_tested(seed):
    explanation, network = planted_explanation(seed), planted_network(seed)
    found = explanation.subnetwork("A", network, n_permutations=19)
    assert isinstance(found, Subnetwork) and set(found.genes["gene"]) <= set(MODULE)
    assert found.kept >= 0.95 and found.excluded >= 0.95 and found.num_cells == 50
    assert 1 <= found.lower_bound <= len(found.genes)
    assert found.gap == 1 - found.lower_bound / len(found.genes)
    assert found.p_rewired <= 0.1 and found.p_permuted <= 0.2
    # The module of another type is not connected.
    other = explanation.subnetwork("B", network, n_permutations=19)
    assert len(other.genes) > len(found.genes) and other.p_rewired > 0.2 and other.p_permuted > 0.2


def test_connectors_join_what_is_apart():
    """Genes of the module have edges to one gene without any signal only."""
    explanation, hub = planted_explanation(), N - 1
    explanation.logits.weight[hub] = 0
    network = GeneNetwork(GENES, [range(SIZE), [hub] * SIZE])
    found = explanation.subnetwork("A", network, n_permutations=0)
    connectors = found.genes.loc[found.genes["is_connector"], "gene"].tolist()
    assert connectors == [GENES[hub]] and len(found.genes) > 2
    assert np.isnan([found.p_rewired, found.p_permuted]).all()


@pytest.mark.parametrize(("keep", "exclude"), [(0.5, 0), (0.95, 0), (1, 1), (0.8, 0.9)])
@pytest.mark.parametrize("type", TYPES)
def test_fractions_are_reached(keep, exclude, type):
    explanation, network = planted_explanation(1, signal=0.7), planted_network(1)
    found = explanation.subnetwork(type, network, keep=keep, exclude=exclude, n_permutations=0)
    assert found.kept >= keep and found.excluded >= exclude
    assert nx.is_connected(found.to_networkx()) and set(found.to_networkx()) == set(found.genes["gene"])
    strict = explanation.subnetwork(type, network, keep=1, exclude=1, n_permutations=0)
    assert strict.lower_bound >= found.lower_bound


def test_kept_fraction_is_that_of_the_logits():
    explanation, network = planted_explanation(2, signal=0.6), planted_network(2)
    found = explanation.subnetwork("A", network, keep=0.8, exclude=0.8, n_permutations=0)
    (group,) = explanation.groups
    X = explanation.X.toarray().astype(float)
    alone = np.where(np.isin(GENES, found.genes["gene"]), X, group.baseline)
    is_a = explanation.logits.of(X).argmax(axis=1) == 0
    assert found.kept == np.mean(explanation.logits.of(alone)[is_a].argmax(axis=1) == 0)


def test_order_of_genes_does_not_matter():
    explanation, network = planted_explanation(signal=0.6), planted_network()
    order = np.random.default_rng(3).permutation(N)
    (group,) = explanation.groups
    logits = explanation.logits
    other = replace(
        explanation,
        X=explanation.X[:, order],
        logits=LinearLogits(logits.weight[order], logits.bias, logits.adjacency),
        groups=[CellGroup(group.cells, group.measured, group.baseline[order], group.missing_weight[order])],
        gene_names=[GENES[i] for i in order],
    )
    one, two = (part.subnetwork("A", network, n_permutations=0) for part in (explanation, other))
    assert set(one.genes["gene"]) == set(two.genes["gene"])
    assert (one.kept, one.excluded, one.lower_bound) == (two.kept, two.excluded, two.lower_bound)


def test_p_values_on_rewired_networks_are_uniform():
    explanation = planted_explanation(n=45, signal=0.5)
    network = planted_network(num_edges=300, connected=False)
    p = [
        explanation.subnetwork("A", network.rewired(seed), exclude=0.5, n_permutations=11, random_state=seed)
        for seed in range(12)
    ]
    for name in ("p_rewired", "p_permuted"):
        assert kstest([getattr(found, name) for found in p], "uniform").pvalue > 0.01, name


def test_permutations_are_reproducible():
    explanation, network = planted_explanation(n=45), planted_network(num_edges=300, connected=False)
    one, two = (explanation.subnetwork("B", network, n_permutations=9, random_state=5) for _ in range(2))
    assert (one.p_rewired, one.p_permuted) == (two.p_rewired, two.p_permuted)
    assert one.genes.equals(two.genes)


@pytest.mark.parametrize("kind", ["graphml", "cyjs"])
def test_graphs_come_back(tmp_path, kind):
    found = planted_explanation().subnetwork("A", planted_network(), n_permutations=0)
    path = tmp_path / f"graph.{kind}"
    getattr(found, f"write_{kind}")(path)
    if kind == "graphml":
        back = nx.read_graphml(path)
    else:
        back = nx.cytoscape_graph(json.loads(path.read_text(encoding="utf-8")))
    assert {frozenset(edge) for edge in back.edges} == {frozenset(edge) for edge in found.to_networkx().edges}
    for gene, values in found.to_networkx().nodes(data=True):
        assert back.nodes[gene]["is_connector"] == values["is_connector"]
        assert back.nodes[gene]["contribution"] == pytest.approx(values["contribution"])


def test_it_shows_what_was_found():
    found = planted_explanation().subnetwork("A", planted_network(), n_permutations=3)
    assert repr(found).startswith(
        f"Subnetwork(A: {len(found.genes)} genes, at least {found.lower_bound} needed"
    )
    assert repr(found).endswith(f"p {found.p_rewired:.2g}, {found.p_permuted:.2g})")


def test_genes_that_are_too_few_give_a_warning():
    network = GeneNetwork(GENES, [[N - 1], [N - 2]])
    with pytest.warns(
        NetworkWarning, match=r"alone keep 0.95 of the cells of A .* the best keep .* Lower keep="
    ):
        found = planted_explanation().subnetwork("A", network, n_permutations=0)
    assert found.lower_bound == 0 and (found.kept < 0.95 or found.excluded < 0.95)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"type": "D"}, "type='D' is not among the 3 types"),
        ({"keep": 0}, "keep=0 must be above 0 and at most 1"),
        ({"exclude": 1.5}, "exclude=1.5 must be between 0 and 1"),
        ({"n_permutations": -1}, "n_permutations=-1 must be a whole number"),
        ({"network": None}, "the model has no network; pass one, such as network='string'"),
        ({"cells": [1, 2]}, "none of the 2 cells is given the type A; pass cells of it"),
        ({"network": GeneNetwork(["X", "Y"], [[0], [1]])}, "network and X share 0 genes"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    explanation = planted_explanation()
    with pytest.raises(ArgumentError, match=message):
        explanation.subnetwork(**{"type": "A", "network": planted_network(), **arguments})


def test_all_types_are_needed():
    explanation = replace(planted_explanation(), all_types=False)
    with pytest.raises(ArgumentError, match="subnetwork needs all types of the model"):
        explanation.subnetwork("A", planted_network())
