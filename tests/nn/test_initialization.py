"""Fully connected layers start uniformly in ±1/√d_in, whatever the defaults of libraries."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest

from gene_gcn.nn import GeneAutoEncoder, GeneGCN


def layers(module):
    if isinstance(module, GeneGCN):
        return list(module.head.lins)
    return [*module.encoder.lins, *module.decoder.lins]


@pytest.mark.parametrize(
    "make",
    [
        lambda: GeneGCN(400, 30, hidden_channels=(100, 50)),
        lambda: GeneGCN(200, 40, 2, hidden_channels=(90,)),
        lambda: GeneAutoEncoder(400, (100, 50)),
    ],
)
def test_weights_are_drawn_uniformly_as_in_the_paper(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = make()
        for layer in layers(module):
            layer.weight.data.fill_(9)
            layer.bias.data.fill_(9)
        module.reset_parameters()
    for layer in layers(module):
        bound = layer.in_channels**-0.5
        drawn = layer.weight.detach().flatten().double()
        assert drawn.abs().max() <= bound * (1 + 1e-6) and layer.bias.abs().max() <= bound * (1 + 1e-6)
        assert kstest(drawn / bound, "uniform", args=(-1, 2)).pvalue > 1e-3
        assert (
            kstest(drawn / bound * 0.9, "uniform", args=(-1, 2)).pvalue < 1e-3
        )  # a narrower range is noticed


def test_two_initializations_differ():
    first, second = (GeneAutoEncoder(50, (8, 4)) for _ in range(2))
    assert not torch.equal(first.encoder.lins[0].weight, second.encoder.lins[0].weight)
