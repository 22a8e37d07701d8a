"""The linear head: exact, the same through the network as with features written out, and gated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from gene_gcn import GeneNetwork
from gene_gcn.errors import ConvergenceWarning
from gene_gcn.nn import GeneGCN, GlobalGraph
from gene_gcn.training import lbfgs, linear_head
from gene_gcn.training.cross_validation import (
    CrossValidated,
    _held_out_logits,
    _leave_batches_out,
    cross_validate,
)
from gene_gcn.training.gene_weights import gene_weights
from gene_gcn.training.linear_head import LinearHead, fit_linear_head
from gene_gcn.training.operators import CellsInMemory, Dense, Features, OneHot, SmoothedCells
from gene_gcn.training.options import LinearHeadOptions
from gene_gcn.training.regression import Spectrum, fit_regression

CPU = torch.device("cpu")
N, K = 40, 3
DEFAULT = LinearHeadOptions()


def one_hot(y):
    return torch.nn.functional.one_hot(torch.from_numpy(y), K).float()


def logits(head, X, graph=None):
    return torch.from_numpy(X.toarray()) @ head.folded(graph) + head.bias


def members_mean(features, y, train):
    """Logits (cells, K) by the regressions of one weighting on all genes and on components, by their mean."""
    h = features.matmat(torch.eye(features.shape[1]))
    h = h - h[train].mean(0)
    target, n = one_hot(y)[train], len(train)
    _, deviations, axes = torch.linalg.svd(h[train], full_matrices=False)
    variances = deviations**2 / n
    rank = min(DEFAULT.n_components, n - 1, h.shape[1])
    chance = variances[rank:].sum() / max(n - 1 - rank, 1)
    codes = h @ (axes[:rank].T * (1 - chance / variances[:rank]).clamp(min=0))
    logits = torch.zeros(len(y), K)
    for part, penalty in ((h, DEFAULT.gene_penalty), (codes, DEFAULT.component_penalty)):
        spectrum = Spectrum(torch.full((part.shape[1],), float(part[train].square().sum(1).mean())))
        weight = torch.full((n,), 1 / n)
        fitted = fit_regression(Dense(part[train]), target, weight, penalty / n, spectrum, tolerance=1e-6)
        logits += (part @ fitted.weight + fitted.bias) / 2
    return logits


def held_out(history):
    return [row["loss"] for row in history if row["stage"] == "cross-validation"]


def test_the_head_is_the_mean_of_its_members_at_the_chosen_temperature(cells):
    X, y = cells
    head, _, history = fit_linear_head(X, y, K, options=replace(DEFAULT, temperatures=(0.5,)))
    assert [row["member"] for row in history] == [
        "all",
        "genes, shrunken",
        "genes, standardized",
        "components, shrunken",
        "components, standardized",
    ]
    expected = torch.zeros(90, K)
    smoothed = SmoothedCells(X, CPU)
    weights = gene_weights(*smoothed.gene_sums(one_hot(y)), one_hot(y).sum(0))
    for weighting, share in DEFAULT.weightings:
        features = Features(smoothed, weights[weighting])
        expected += share * members_mean(features, y, np.arange(90))
    torch.testing.assert_close(logits(head, X).mul(0.5).softmax(1), expected.softmax(1), atol=1e-2, rtol=0)


def test_held_out_logits_are_those_of_fits_without_the_fold(cells):
    """Inner products of cells, all folds at once: the same as regressions on genes, one after another."""
    X, y = cells
    x, fold = torch.from_numpy(X.toarray()), np.arange(90) // 3 % 5
    fold[:9] = 4  # folds of different sizes
    together = _held_out_logits(x, x, one_hot(y), torch.ones(90), fold, DEFAULT)
    expected = torch.zeros(90, K)
    for number in range(5):
        train, rest = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        part, target = x[train], one_hot(y)[train]
        weights = gene_weights(part.T @ target, part.square().sum(0), target.sum(0))
        for weighting, share in DEFAULT.weightings:
            features = Features(SmoothedCells(X, CPU), weights[weighting])
            expected[rest] += share * members_mean(features, y, train)[rest]
    torch.testing.assert_close(together.softmax(1), expected.softmax(1), atol=2e-2, rtol=0)


def test_a_fit_that_does_not_converge_says_so(cells, monkeypatch):
    X, y = cells
    monkeypatch.setattr(lbfgs, "MAX_ITERATIONS", 2)
    with pytest.warns(ConvergenceWarning, match="did not converge in 2 steps"):
        fit_linear_head(X, y, K)


def test_members_can_be_left_out(cells):
    X, y = cells
    for options in (
        replace(DEFAULT, members=("genes",)),
        replace(DEFAULT, members=("components",), shrink_components=False),
        replace(DEFAULT, weightings=(("shrunken", 1.0),)),
    ):
        head, _, history = fit_linear_head(X, y, K, options=options)
        members = len(options.members) * len(options.weightings)
        assert [row["stage"] for row in history].count("fit") == members
        assert (logits(head, X).argmax(1).numpy() == y).mean() > 0.8


def test_the_network_is_taken_where_it_helps_and_left_out_where_it_does_not():
    """In sixty modules of genes each gene is seen rarely: neighbors in the module help, strangers do not."""
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
    losses, weights = {}, {}
    for name, edges in {"real": inside.T, "strangers": rng.permutation(genes)[inside.T]}.items():
        graph = GlobalGraph(GeneNetwork(names, edges, np.ones(len(inside))).normalized("sym").adj_t).prepare()
        head, _, history = fit_linear_head(X, y, K, graph=graph)
        weights[name], losses[name] = head.network_weight, held_out(history)
    assert weights["real"] > 0
    assert len(losses["real"]) == len(DEFAULT.network_weights)
    assert min(losses["real"]) < 0.85 * min(losses["strangers"])
    deep = sparse.csr_matrix(np.sqrt(rng.poisson(100 * rate[y])).astype(np.float32))
    assert fit_linear_head(deep, y, K, graph=graph)[0].network_weight == 0


def test_the_temperature_mends_underconfidence_and_fades_with_more_cells(cells):
    X, y = cells
    few, others = slice(0, 30), slice(30, None)
    losses, heads = {}, {}
    for name, temperatures in {"chosen": DEFAULT.temperatures, "one": (1.0,)}.items():
        heads[name], *_ = fit_linear_head(
            X[few], y[few], K, options=replace(DEFAULT, temperatures=temperatures)
        )
        scores = logits(heads[name], X[others])
        losses[name] = float(torch.nn.functional.cross_entropy(scores, torch.from_numpy(y[others])))
    assert losses["chosen"] < 0.9 * losses["one"]
    same = [logits(head, X[others]).argmax(1) for head in heads.values()]
    assert torch.equal(*same)
    chosen = [
        cross_validate(
            CellsInMemory(X),
            OneHot(torch.from_numpy(y), K),
            torch.ones(90),
            None,
            np.random.default_rng(0),
            options,
        ).temperature
        for options in (DEFAULT, replace(DEFAULT, cv_cells=30))
    ]
    assert chosen[0] < chosen[1] < 1


def test_types_with_a_single_cell_are_excluded_from_cross_validation(cells):
    X, y = cells
    alone = np.concatenate([np.flatnonzero(y < 2)[:20], np.flatnonzero(y == 2)[:1]])
    assert 0 < held_out(fit_linear_head(X[alone], y[alone], K).history)[0] < 1
    assert held_out(fit_linear_head(X[:3], y[:3], K).history) == []


def test_two_cells_of_each_type_are_held_out_however_many_types_there_are(cells):
    X, y = cells
    assert held_out(fit_linear_head(X, y, K, options=replace(DEFAULT, cv_cells=2)).history)


def test_the_head_folded_with_the_network_gives_the_logits_that_were_fitted(cells, graph, monkeypatch):
    """So does the module: the layer, the residual and the head."""
    monkeypatch.setattr(linear_head, "cross_validate", lambda *_: CrossValidated(0.7))
    X, y = cells
    head, *_ = fit_linear_head(X, y, K, graph=graph)
    fitted = SmoothedCells(X, CPU, graph, 0.7).matmat(head.weight) + head.bias
    torch.testing.assert_close(logits(head, X, graph), fitted, atol=1e-4, rtol=1e-4)
    net = GeneGCN(N, K, num_layers=1, hidden_channels=(), attention=None)
    with torch.no_grad():
        net.convs[0].lin.weight.fill_(0.7)
        net.head.lins[0].weight.copy_(head.weight.T)
        net.head.lins[0].bias.copy_(head.bias)
    torch.testing.assert_close(net(torch.from_numpy(X.toarray()), graph), fitted, atol=1e-4, rtol=1e-4)


def test_a_head_that_takes_nothing_of_the_network_is_not_folded(graph):
    head = LinearHead(torch.rand(N, K), torch.zeros(K))
    assert head.folded(graph) is head.weight


def test_whole_batches_are_left_out():
    rng = np.random.default_rng(0)
    y, batch = rng.integers(0, 4, 400), rng.integers(0, 7, 400)
    y[batch == 6] = 3  # and of the first three types, the last batch has nothing
    y[batch == 0] = np.where(y[batch == 0] == 2, 1, y[batch == 0])
    only = rng.choice(np.flatnonzero(batch == 2), 12, replace=False)
    y[only] = 4  # a type of one batch
    fold = _leave_batches_out(rng.integers(0, 5, 400), y, batch, 5)
    for number in range(7):
        assert len(np.unique(fold[(batch == number) & (y != 4)])) == 1
    assert len(np.unique(fold[y == 4])) > 1
    for number in np.unique(fold):
        assert set(y[fold == number]) <= set(y[fold != number])


def test_unlabeled_cells_take_part(cells):
    X, y = cells
    alone, *_ = fit_linear_head(X[:15], y[:15], K)
    helped, *_ = fit_linear_head(X[:15], y[:15], K, unlabeled=X[15:])
    assert (logits(helped, X) - logits(alone, X)).abs().max() > 1e-2
    assert (logits(helped, X)[15:].argmax(1).numpy() == y[15:]).mean() > 0.8


def test_one_cell_per_type_and_genes_without_variance_are_enough():
    X = sparse.csr_matrix(np.eye(K, N, dtype=np.float32))
    head, *_ = fit_linear_head(X, np.arange(K), K)
    assert (logits(head, X).argmax(1).numpy() == np.arange(K)).all()


@pytest.mark.parametrize("unlabeled", [False, True])
def test_the_number_of_threads_does_not_change_a_bit(cells, graph, unlabeled):
    X, y = cells
    others = {"unlabeled": X[40:]} if unlabeled else {}
    one, three = (fit_linear_head(X[:40], y[:40], K, graph=graph, threads=n, **others)[0] for n in (1, 3))
    assert torch.equal(one.weight, three.weight) and torch.equal(one.bias, three.bias)
