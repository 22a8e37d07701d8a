from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import GENES, dense, random_network

from gene_gcn.errors import ArgumentError
from gene_gcn.networks import GeneNetwork


@pytest.mark.parametrize("diagonal", [0, 1])
def test_rewired_keeps_degrees_and_weights(diagonal):
    network = random_network(200, 1500).with_diagonal(diagonal)
    control = network.rewired(0)
    np.testing.assert_array_equal(control.degree, network.degree)
    assert sorted(control.edge_weight.tolist()) == sorted(network.edge_weight.tolist())
    assert (control.num_edges, control.genes, control.diagonal) == (
        network.num_edges,
        network.genes,
        diagonal,
    )
    assert control == network.rewired(0) and control != network.rewired(1)
    # In a random graph of this density, some 8 % of the edges coincide with the original ones.
    pairs, old = (set(map(tuple, n.to_frame()[["source", "target"]].values)) for n in (control, network))
    assert len(pairs) == control.num_edges
    assert len(pairs & old) < 0.15 * len(old)


@settings(deadline=None)
@given(st.integers(0, 2**16), st.integers(4, 12), st.floats(0.2, 0.8))
def test_rewired_small_graphs(seed, num_genes, density):
    upper = np.argwhere(np.triu(np.random.default_rng(seed).random((num_genes, num_genes)) < density, k=1))
    network = GeneNetwork([f"G{i}" for i in range(num_genes)], upper.T)
    try:
        control = network.rewired(seed)
    except ArgumentError:
        with pytest.raises(ArgumentError, match="cannot be rewired"):
            network.rewired(seed)
    else:
        np.testing.assert_array_equal(control.degree, network.degree)
        np.testing.assert_array_equal(dense(control), dense(control).T)
        assert not np.diag(dense(control)).any()


def test_rewiring_reaches_every_graph_with_these_degrees_equally_often():
    # Four genes have three perfect matchings: an unbiased chain reaches each in a third of the runs.
    network = GeneNetwork(GENES, [[0, 2], [1, 3]])
    partner = [network.rewired(seed).edge_index[1, 0].item() for seed in range(300)]
    assert np.bincount(partner, minlength=4)[1:].min() > 60


@pytest.mark.parametrize(
    "index",
    [np.triu_indices(4, 1), ([0, 0, 0], [1, 2, 3]), ([0], [1]), ([], [])],
    ids=["complete", "star", "one edge", "no edge"],
)
def test_networks_that_cannot_be_rewired(index):
    with pytest.raises(ValueError, match="cannot be rewired"):
        GeneNetwork(GENES, np.array(index)).rewired(0)
