"""Integrated gradients are those of the definition, and genes and edges sum to the logits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from explained_models import TYPES, B, N, small_cells, small_gradients, small_graph

from gene_gcn.explain import IntegratedGradients
from gene_gcn.nn import GeneGCN, GlobalGraph

ALL, EVEN = np.ones(N, bool), np.full(B, 1 / B)
MODELS = {
    "attention": {"hidden_channels": (8,)},
    "several graphs and channels": {"hidden_channels": (8,), "channels": 2, "heads": 2},
    "additive, mixed": {"hidden_channels": (), "attention": "additive", "learn_mixing": True},
    "hidden layers": {"hidden_channels": (16, 8), "attention": None},
}


def integrate(gradients, X=None, measured=ALL, weight=EVEN):
    X = small_cells() if X is None else X
    return gradients.integrate(X, weight, measured, np.eye(len(TYPES)))


def test_a_linear_model_has_the_closed_form_in_one_step():
    graph = small_graph()
    gradients = small_gradients(graph, attention=None, hidden_channels=(), n_steps=1)
    weight = gradients.model.head.lins[0].weight.detach().double().numpy()
    change = small_cells().toarray().mean(0).astype(np.float64) - gradients.mean.double().numpy()
    adjacency = graph.adj_t.to_dense().double().numpy()
    source, target = gradients.edge_index
    for k, result in enumerate(integrate(gradients)):
        np.testing.assert_allclose(result.own, change * weight[k], atol=1e-6)
        edges = adjacency[target, source] * change[source] * weight[k, target]
        np.testing.assert_allclose(result.edges, edges, atol=1e-6)
        np.testing.assert_allclose(result.from_network, adjacency @ change * weight[k], atol=1e-6)
        np.testing.assert_allclose(result.gap, 0, atol=1e-5)


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_genes_and_edges_sum_to_integrated_gradients_of_the_definition(settings):
    gradients = small_gradients(small_graph(), **settings)
    model, x = gradients.model, torch.from_numpy(small_cells().toarray())
    change, total = x - gradients.mean, torch.zeros(len(TYPES), B, N)
    for step in range(gradients.n_steps):
        at = (gradients.mean + (step + 0.5) / gradients.n_steps * change).requires_grad_()
        logits = model(at, gradients.graph)
        for k in range(len(TYPES)):
            total[k] += torch.autograd.grad(logits[:, k].sum(), at, retain_graph=True)[0]
    expected = (total / gradients.n_steps * change).mean(1)
    source, target = gradients.edge_index
    for k, result in enumerate(integrate(gradients)):
        sent = np.bincount(source, result.edges, minlength=N)
        np.testing.assert_allclose(result.own + sent, expected[k], atol=1e-5)
        received = np.bincount(target, result.edges, minlength=N)
        np.testing.assert_allclose(result.from_network, received, atol=1e-5)


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("with_graph", [True, False])
def test_the_gap_vanishes_with_steps(settings, with_graph):
    if not with_graph and settings.get("attention", "") is None:
        settings = settings | {"num_layers": 0}
    gradients = small_gradients(small_graph() if with_graph else None, **settings)
    coarse, fine = (integrate(replace(gradients, n_steps=steps)) for steps in (1, 512))
    for few, many in zip(coarse, fine, strict=True):
        assert np.abs(many.gap).max() <= max(np.abs(few.gap).max() / 20, 2e-4)
        contributions = many.own.sum() + many.edges.sum() + many.through_missing.sum()
        assert many.baseline + contributions + many.gap.mean() == pytest.approx(many.logit, abs=1e-5)
    assert max(np.abs(few.gap).max() for few in coarse) > 1e-3  # the model is not linear


def test_genes_as_in_the_baseline_add_nothing():
    gradients = small_gradients(small_graph())
    X = small_cells()
    X = X.tolil()
    X[:, :5] = np.tile(gradients.mean[:5].numpy(), (B, 1))
    source, _ = gradients.edge_index
    for result in integrate(gradients, X.tocsr()):
        assert (result.own[:5] == 0).all() and (result.edges[source < 5] == 0).all()
        assert (result.own[5:] != 0).all()


def test_order_of_genes_does_not_matter():
    graph, X = small_graph(), small_cells()
    gradients = small_gradients(graph, hidden_channels=(8,))
    order = np.random.default_rng(3).permutation(N)
    model = GeneGCN(N, len(TYPES), hidden_channels=(8,)).eval()
    state = gradients.model.state_dict()
    model.load_state_dict(state | {"head.lins.0.weight": state["head.lins.0.weight"][:, order]})
    dense = graph.adj_t.to_dense()[order][:, order]
    permuted = GlobalGraph.from_sparse(dense.to_sparse()).prepare()
    other = IntegratedGradients(model, permuted, None, gradients.mean[order], gradients.n_steps, "cpu")
    for a, b in zip(integrate(gradients), integrate(other, X[:, order]), strict=True):
        np.testing.assert_allclose(a.own[order], b.own, atol=1e-5)
        np.testing.assert_allclose(a.from_network[order], b.from_network, atol=1e-5)


@pytest.mark.parametrize("impute", [True, False])
@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_only_measured_genes_get_contributions_and_they_sum(impute, settings):
    gradients = small_gradients(small_graph(), impute, n_steps=512, **settings)
    measured = np.arange(N) % 3 > 0
    X = small_cells().multiply(measured).tocsr()
    source, target = gradients.edge_index
    for result in integrate(gradients, X, measured):
        for part in (result.own, result.from_network, result.through_missing):
            assert (part[~measured] == 0).all()
        assert (result.edges[~measured[source] | ~measured[target]] == 0).all()
        assert (result.through_missing[measured] != 0).any()
        total = result.own.sum() + result.from_network.sum() + result.through_missing.sum()
        assert result.baseline + total == pytest.approx(result.logit, abs=2e-3)


def test_cells_are_weighted_and_blocks_joined(monkeypatch):
    gradients = small_gradients(small_graph(), n_steps=4)
    weight = np.random.default_rng(4).random(B)
    whole = integrate(gradients, weight=weight)
    monkeypatch.setattr("gene_gcn.explain.integrated_gradients.BLOCK", 2)
    monkeypatch.setattr("gene_gcn.explain.integrated_gradients.CHUNK_ENTRIES", 20)
    for a, b in zip(whole, integrate(gradients, weight=weight), strict=True):
        for name in ("own", "from_network", "edges", "baseline", "logit", "difference", "gap"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-5)
    single = [integrate(gradients, small_cells()[i], weight=weight[[i]])[0].own for i in range(B)]
    np.testing.assert_allclose(whole[0].own, np.sum(single, axis=0), atol=1e-5)


def test_the_model_is_left_as_it_was():
    gradients = small_gradients(small_graph(), n_steps=2)
    before = gradients.model(gradients.mean[None], gradients.graph)
    integrate(gradients)
    assert not gradients.model.convs[0]._propagate_forward_hooks
    assert torch.equal(before, gradients.model(gradients.mean[None], gradients.graph))
    assert all(parameter.grad is None for parameter in gradients.model.parameters())
