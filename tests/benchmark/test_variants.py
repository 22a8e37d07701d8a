"""Controls destroy what they should and keep the rest."""

from __future__ import annotations

import numpy as np

from gene_gcn.benchmark.variants import permuted_within_expression, variants


def test_variants_without_a_network_are_one():
    assert variants(None) == {"no graph": {"network": None}}


def test_permuted_network_keeps_degrees_in_bins_of_expression(cells, network):
    share = np.asarray((cells.X / cells.X.sum(axis=1)).mean(axis=0)).ravel()
    bins = np.argsort(np.argsort(share, kind="stable")) // 10
    permuted = permuted_within_expression(network, cells)
    assert permuted != network and permuted.genes == network.genes
    for k in range(50):
        assert sorted(permuted.degree[bins == k]) == sorted(network.degree[bins == k])
    assert sorted(permuted.edge_weight.tolist()) == sorted(network.edge_weight.tolist())
    assert permuted == permuted_within_expression(network, cells)
    assert permuted != permuted_within_expression(network, cells, seed=1)
    assert permuted != permuted_within_expression(network, cells[:20].copy())  # other training cells
