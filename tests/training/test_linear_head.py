"""The linear head: exact, the same through the network as without writing the features out, and gated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from gene_gcn import GeneNetwork
from gene_gcn.nn import GeneGCN, GlobalGraph
from gene_gcn.training import linear_head
from gene_gcn.training.linear_head import fit_linear_head, learn_low_rank_genes
from gene_gcn.training.operators import FAINTEST, Dense, Features, SmoothedCells

CPU = torch.device("cpu")
N, K = 40, 3


@pytest.fixture(scope="module")
def cells():
    """Square roots of counts of three types, 90 cells × 40 genes, and the types."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % K
    rate = rng.gamma(1.0, 1.0, (K, N))
    return sparse.csr_matrix(np.sqrt(rng.poisson(rate[y])).astype(np.float32)), y


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(1)
    network = GeneNetwork(tuple(map(str, range(N))), rng.integers(0, N, (2, 80)), rng.uniform(0, 1, 80))
    return GlobalGraph(network.normalized("sym").adj_t).prepare()


def model(layers=0):
    return GeneGCN(N, K, num_layers=layers, hidden_channels=(), attention=None)


def one_hot(y):
    return torch.nn.functional.one_hot(torch.from_numpy(y), K).float()


@pytest.mark.parametrize("share", [0.0, 0.7])
def test_features_equal_those_written_out(cells, graph, share):
    X, y = cells
    sure, faint = SmoothedCells(X, CPU, graph, share).views(one_hot(y))
    x = torch.from_numpy(X.toarray())
    groups = [x[y == k] for k in range(K)]
    between = sum(len(g) * (g.mean(0) - x.mean(0)) ** 2 for g in groups) / (K - 1)
    within = sum(((g - g.mean(0)) ** 2).sum(0) for g in groups) / (len(x) - K)
    ratio = ((between / within - 1) * K / len(x)).clamp(min=0)
    signal = (ratio / (1 + ratio)) ** 0.25
    variance = x.var(0, correction=0)
    deviation = (variance + FAINTEST * variance.mean()).sqrt()
    for features, weight in {sure: signal * (1 - within / between), faint: signal / deviation**0.75}.items():
        weight = weight / (x * weight).square().sum(1).mean().sqrt()
        scaled = (x + share * x @ graph.adj_t.to_dense().T) * weight
        expected = scaled - scaled.mean(0)
        torch.testing.assert_close(features @ torch.eye(N), expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(features.adjoint(torch.eye(90)), expected.T, atol=1e-5, rtol=1e-4)


def test_the_regression_is_that_of_scikit_learn(cells):
    X, y = cells
    features = Features(SmoothedCells(X, CPU))
    weight = torch.rand(90, generator=torch.Generator().manual_seed(0)) + 0.5
    ours, bias, _ = linear_head._regression(features, one_hot(y), weight, penalty=3.0, iterations=500)
    dense = X.toarray() - X.toarray().mean(0)
    theirs = LogisticRegression(C=1 / 3.0, tol=1e-8, max_iter=5000).fit(
        dense, y, sample_weight=weight.numpy()
    )
    probability = (torch.from_numpy(dense) @ ours + bias).softmax(1)
    np.testing.assert_allclose(probability, theirs.predict_proba(dense), atol=2e-3)


@pytest.mark.parametrize("exact_cells", [600, 10])
def test_axes_are_the_principal_ones(cells, exact_cells, monkeypatch):
    monkeypatch.setattr(linear_head, "EXACT_CELLS", exact_cells)
    X, _ = cells
    features = Features(SmoothedCells(X, CPU))
    axes, variances, total = linear_head._subspace(features, 8, np.random.default_rng(0))
    pca = PCA(8, svd_solver="full").fit(X.toarray())
    np.testing.assert_allclose(variances, pca.explained_variance_ * 89 / 90, rtol=1e-2)
    np.testing.assert_allclose(total, X.toarray().var(0).sum(), rtol=1e-4 if exact_cells == 600 else 0.2)
    np.testing.assert_allclose(axes.T @ axes, np.eye(8), atol=1e-4)
    overlap = np.linalg.svd(pca.components_[:4] @ axes.numpy(), compute_uv=False)
    assert overlap.min() > 0.99


def test_components_are_shortened_by_what_is_chance(cells):
    X, _ = cells
    features = Features(SmoothedCells(X, CPU))
    axes = linear_head._components(features, 8, np.random.default_rng(0))
    variances = np.linalg.eigvalsh(np.cov(X.toarray().T, ddof=0))[::-1]
    chance = variances[8:].sum() / (90 - 1 - 8)
    np.testing.assert_allclose(axes.norm(dim=0), 1 - chance / variances[:8], rtol=1e-3)


def test_the_head_gives_the_mean_of_all_paths_at_the_chosen_scale(cells, monkeypatch):
    X, y = cells
    monkeypatch.setattr(linear_head, "SCALES", (2.0,))
    net = model()
    losses = fit_linear_head(net, X, y)
    assert [row["path"] for row in losses] == [
        "sure genes",
        "components of sure genes",
        "faint genes",
        "components of faint genes",
        "held out",
    ]
    every = torch.ones(90)
    expected = torch.zeros(90, K)
    views = SmoothedCells(X, CPU).views(one_hot(y))
    for part, view in zip(linear_head.VIEWS.values(), views, strict=True):
        by_gene, gene_bias, _ = linear_head._regression(view, one_hot(y), every, linear_head.GENE_PENALTY)
        codes = view @ linear_head._components(view, linear_head.COMPONENTS, np.random.default_rng(0))
        by_code, bias, _ = linear_head._regression(
            Dense(codes), one_hot(y), every, linear_head.COMPONENT_PENALTY
        )
        expected += part * (view @ by_gene + gene_bias + codes @ by_code + bias)
    torch.testing.assert_close(net(torch.from_numpy(X.toarray())).detach(), expected, atol=2e-2, rtol=1e-2)


def test_the_network_is_taken_where_it_helps_and_left_where_it_does_not():
    """In twenty modules of genes each gene is seen rarely: neighbours tell of it, strangers do not."""
    rng = np.random.default_rng(0)
    modules, size = 60, 20
    genes = modules * size
    y = np.arange(600) % K
    active = rng.random((K, modules)) < 0.5
    rate = np.where(np.repeat(active, size, 1), 0.02, 0.01)
    X = sparse.csr_matrix(np.sqrt(rng.poisson(rate[y])).astype(np.float32))
    inside = np.array(
        [(start + i, start + j) for start in range(0, genes, size) for i in range(size) for j in range(i)]
    )
    names = tuple(map(str, range(genes)))
    losses, shares = {}, {}
    for name, edges in {"real": inside.T, "strangers": rng.permutation(genes)[inside.T]}.items():
        graph = GlobalGraph(GeneNetwork(names, edges, np.ones(len(inside))).normalized("sym").adj_t).prepare()
        net = GeneGCN(genes, K, num_layers=1, hidden_channels=(), attention=None)
        history = fit_linear_head(net, X, y, graph=graph)
        shares[name] = float(net.convs[0].lin.weight.detach())
        losses[name] = [row["loss"] for row in history if "held out" in row["path"]]
    assert shares["real"] > 0
    assert len(losses["real"]) == len(linear_head.SHARES)
    assert min(losses["real"]) < 0.85 * min(losses["strangers"])
    deep = sparse.csr_matrix(np.sqrt(rng.poisson(100 * rate[y])).astype(np.float32))
    fit_linear_head(net, deep, y, graph=graph)
    assert float(net.convs[0].lin.weight.detach()) == 0


def test_held_out_cells_tell_how_sure_the_head_may_be(cells, monkeypatch):
    """The penalty leaves few cells of clear types timid, which the scale makes up for; with many it fades to 1."""
    X, y = cells
    few, others = slice(0, 30), slice(30, None)
    x = torch.from_numpy(X[others].toarray())
    losses, nets = {}, {}
    for name, scales in {"chosen": linear_head.SCALES, "one": (1.0,)}.items():
        monkeypatch.setattr(linear_head, "SCALES", scales)
        nets[name] = model()
        fit_linear_head(nets[name], X[few], y[few])
        logits = nets[name](x).detach()
        losses[name] = float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(y[others])))
    assert losses["chosen"] < 0.9 * losses["one"]
    torch.testing.assert_close(nets["chosen"](x).argmax(1), nets["one"](x).argmax(1))
    monkeypatch.undo()
    target, every, none = one_hot(y), torch.ones(90), None
    bold = linear_head._cross_validate(X, target, every, none, np.random.default_rng(0)).scale
    monkeypatch.setattr(linear_head, "CV_CELLS", 30)
    faded = linear_head._cross_validate(X, target, every, none, np.random.default_rng(0)).scale
    assert 1 < faded < bold


def test_types_of_one_cell_are_left_out_of_what_is_held_out(cells):
    X, y = cells
    alone = np.concatenate([np.flatnonzero(y < 2)[:20], np.flatnonzero(y == 2)[:1]])
    history = fit_linear_head(model(), X[alone], y[alone])
    assert history[-1]["path"] == "held out" and history[-1]["loss"] < 1
    assert fit_linear_head(model(), X[:3], y[:3])[-1]["path"] != "held out"


def test_two_cells_of_each_type_are_held_out_however_many_types_there_are(cells, monkeypatch):
    monkeypatch.setattr(linear_head, "CV_CELLS", 2)
    X, y = cells
    assert fit_linear_head(model(), X, y)[-1]["path"] == "held out"


def test_the_model_computes_what_was_fitted(cells, graph, monkeypatch):
    """The layer, the residual and the head give the logits of the features that the fit saw."""
    monkeypatch.setattr(linear_head, "_cross_validate", lambda *_: linear_head._HeldOut(0.7))
    X, y = cells
    net = model(layers=1)
    fit_linear_head(net, X, y, graph=graph)
    layer = net.head.lins[0]
    fitted = SmoothedCells(X, CPU, graph, 0.7) @ layer.weight.T + layer.bias
    torch.testing.assert_close(net(torch.from_numpy(X.toarray()), graph), fitted, atol=1e-4, rtol=1e-4)


def test_further_cells_change_the_components(cells):
    X, y = cells
    alone, helped = model(), model()
    fit_linear_head(alone, X[:15], y[:15])
    fit_linear_head(helped, X[:15], y[:15], unlabelled=X[15:])
    x = torch.from_numpy(X.toarray())
    assert (helped(x) - alone(x)).abs().max() > 1e-2
    assert (helped(x)[15:].argmax(1).numpy() == y[15:]).mean() > 0.8


def test_one_cell_a_type_and_genes_without_variance_are_learned_from():
    X = sparse.csr_matrix(np.eye(K, N, dtype=np.float32))
    net = model()
    fit_linear_head(net, X, np.arange(K))
    assert (net(torch.from_numpy(X.toarray())).argmax(1).numpy() == np.arange(K)).all()


def test_missing_genes_get_their_expectation(cells):
    """That of the Gaussian with the covariance of the components, by the formula for dense matrices."""
    X, _ = cells
    genes = learn_low_rank_genes(X)
    x = torch.from_numpy(X.toarray())[:5]
    present = torch.arange(N) % 3 != 0
    filled = genes.fill(x * present, present, genes.encoder(present))
    covariance = genes.axes @ torch.diag(genes.variances) @ genes.axes.T + genes.noise * torch.eye(N)
    slopes = covariance[~present][:, present] @ torch.linalg.inv(covariance[present][:, present])
    expected = genes.mean[~present] + (x - genes.mean)[:, present] @ slopes.T
    torch.testing.assert_close(filled[:, present], x[:, present])
    torch.testing.assert_close(filled[:, ~present], expected, atol=1e-4, rtol=1e-3)
