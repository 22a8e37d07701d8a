"""Layer and head in one step are the layer and the head, with their gradients."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from training_cells import N, dataset, make_cells, model_of, network, short

from gene_gcn.errors import ArgumentError
from gene_gcn.nn import GeneGCN
from gene_gcn.nn.equal_genes import find_equal_genes
from gene_gcn.nn.expression_layer import SMALLEST_WEIGHT
from gene_gcn.training.gradient import train


def in_general(model):
    """The same model, layer by layer."""
    model = copy.deepcopy(model)
    model._has_one_step = lambda *arguments: False
    return model


def step(model, x, equal, graph):
    model.zero_grad()
    logits = model(x, graph, equal=equal)
    torch.manual_seed(0)
    F.cross_entropy(logits, torch.arange(len(x)) % logits.size(1)).backward()
    return logits.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def assert_same(model, x, equal, graph):
    for ours, theirs in zip(
        step(model, x, equal, graph), step(in_general(model), x, equal, graph), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=2e-5)


def is_used(model, x, equal, graph):
    logits = model._one_step(x, graph, equal)
    return model._has_one_step(x, graph, equal) and logits is not None


def expression(cells=20):
    return torch.from_numpy(make_cells(cells)[0].toarray())


@pytest.mark.parametrize("graph", [None, network()])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize(
    ("attention", "heads"), [("embedded_dot", 1), ("embedded_dot", 3), ("dot", 1), ("additive", 2)]
)
def test_logits_and_gradients_are_those_of_the_layers(attention, heads, residual, graph):
    model = model_of(attention=attention, heads=heads, residual=residual, learn_mixing=True)
    batch = dataset(20).__getitems__(list(range(20)))
    assert is_used(model, batch.x, batch.equal, graph)
    assert_same(model, batch.x, batch.equal, graph)


@pytest.mark.parametrize("by_gene", [True, False])
def test_weights_may_be_stored_by_gene(by_gene):
    model, batch = model_of(), dataset(20).__getitems__(list(range(20)))
    if by_gene:
        weight = model.head.lins[0].weight
        weight.data = weight.data.t().contiguous().t()
    assert_same(model, batch.x, batch.equal, network())
    assert model.head.lins[0].weight.grad.stride() == model.head.lins[0].weight.stride()


def test_the_commonest_value_need_not_be_zero():
    x = expression() + 0.5
    x[:, :3] = 0
    equal = find_equal_genes(x.unsqueeze(-1))
    assert (x.gather(1, equal.first[:, :1]) > 0).all()
    model = model_of()
    assert is_used(model, x, equal, network())
    assert_same(model, x, equal, network())


@pytest.mark.parametrize("weight", [-1.0, 0.0, SMALLEST_WEIGHT / 2])
def test_a_weight_for_which_the_layer_is_not_linear(weight):
    model, batch = model_of(), dataset(20).__getitems__(list(range(20)))
    model.convs[0].lin.weight.data.fill_(weight)
    assert not is_used(model, batch.x, batch.equal, network())
    assert_same(model, batch.x, batch.equal, network())


def test_the_smallest_weight_keeps_its_digits():
    model, batch = model_of(), dataset(20).__getitems__(list(range(20)))
    model.convs[0].lin.weight.data.fill_(SMALLEST_WEIGHT)
    assert is_used(model, batch.x, batch.equal, network())
    exact = in_general(model).double()
    _, expected = step(exact, batch.x.double(), batch.equal, network().to(torch.double))
    _, ours = step(model, batch.x, batch.equal, network())
    name = "convs.0.lin.weight"
    assert ours[name].item() == pytest.approx(expected[name].item(), rel=1e-4)


@pytest.mark.parametrize("negative", ["expression", "network"])
def test_negative_values_go_through_the_relu(negative):
    x, graph = expression(), network()
    if negative == "expression":
        x[:, 0] = -5
    else:
        graph = type(graph).from_sparse(graph.adj_t.to_dense() * -1).prepare()
    model, equal = model_of(), find_equal_genes(x.unsqueeze(-1))
    assert not is_used(model, x, equal, graph)
    assert_same(model, x, equal, graph)


def test_a_network_of_other_genes_is_refused_as_ever():
    batch = dataset(20).__getitems__(list(range(20)))
    with pytest.raises(ArgumentError, match=r"matrix of shape \(40, 40\), but x has 30 genes"):
        model_of()(batch.x, network(40), equal=batch.equal)


def test_a_nan_stays_one():
    x = expression()
    x[3, 4] = torch.nan
    logits, _ = step(model_of(), x, find_equal_genes(x.unsqueeze(-1)), network())
    assert logits.isnan().all(1).tolist() == [cell == 3 for cell in range(20)]


def test_dropout_is_that_of_the_head():
    model, batch = model_of(dropout=0.5), dataset(20).__getitems__(list(range(20)))
    results = []
    for each in (model, in_general(model)):
        torch.manual_seed(1)
        results.append(each(batch.x, network(), equal=batch.equal))
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("validation", [None, dataset(30, 1)])
def test_training_gives_the_same_weights(validation, monkeypatch):
    models = []
    for one_step in (True, False):
        with monkeypatch.context() as patch:
            if not one_step:
                patch.setattr(GeneGCN, "has_one_step", False)
            models.append(model_of())
            train(models[-1], dataset(), validation, graph=network(), options=short(max_epochs=5))
    for name, value in models[0].state_dict().items():
        torch.testing.assert_close(value, models[1].state_dict()[name], atol=1e-5, rtol=1e-4)
    weight = models[0].head.lins[0].weight
    assert weight.is_contiguous() and isinstance(weight, torch.nn.Parameter) and weight.size(1) == N
