"""The attention functions equal their equations; test_attention.py checks the means that they give."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from layer_reference import rng

from gene_gcn.nn import DotAttention, InteractionConv
from gene_gcn.nn.attention_functions import ATTENTIONS

X = torch.rand(2, 7, 4, generator=rng(), dtype=torch.double)  # (B, N, C)


def equation(function, attention, i, j):
    """Return f of two genes, for each graph."""
    if function == "dot":
        return (i * j).unflatten(0, (2, 2)).sum(1) / math.sqrt(2)
    theta, phi = attention.theta(i), attention.phi(j)
    if function == "additive":
        return (theta + phi).relu()
    theta, phi = theta.unflatten(0, (2, -1)), phi.unflatten(0, (2, -1))
    return (theta * phi).sum(1) / math.sqrt(theta.size(1))


@pytest.mark.parametrize("function", ATTENTIONS)
def test_graphs_equal_the_equation(function):
    attention = ATTENTIONS[function](4, heads=2).double()
    score = torch.stack([torch.stack([equation(function, attention, i, j) for j in X[0]]) for i in X[0]])
    torch.testing.assert_close(attention.graph(X)[0], score.softmax(1).permute(2, 0, 1))


@pytest.mark.parametrize("function", ATTENTIONS)
def test_jacobian_is_the_derivative_by_the_query(function):
    attention = ATTENTIONS[function](4, heads=2).double()
    query, count = X[:1, :1], torch.tensor([[1.0, 2, 3, 1, 1, 5, 0]]).double()
    derivative = torch.autograd.functional.jacobian(lambda q: attention.attend(q, X[:1], count), query)
    expected = derivative[0, :, 0, :, 0, 0]  # (H, C, C of the query)
    torch.testing.assert_close(attention.jacobian(query, X[:1], count)[0, :, 0], expected)


@pytest.mark.parametrize("function", ["embedded_dot", "additive"])
def test_attention_starts_randomly_near_the_plain_mean(function):
    conv = InteractionConv(1, 1, attention=function)
    before = copy.deepcopy(conv.attention.state_dict())
    conv.reset_parameters()
    changed = {name for name, value in conv.attention.state_dict().items() if (value != before[name]).any()}
    assert changed == {"theta.weight", "phi.weight"}
    x = torch.poisson(torch.full((4, 500, 1), 0.3), rng()) * 3
    out = conv.attention(x)
    assert (out[x == 0] < 1.5 * x.mean()).all()


def test_graphs_that_cannot_split_the_channels_are_refused():
    with pytest.raises(ValueError, match="heads=3 does not divide in_channels=4"):
        DotAttention(4, heads=3)
