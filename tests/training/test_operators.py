from __future__ import annotations

import pytest
import torch

from gene_gcn.training.operators import Dense, Features, SmoothedCells

CPU = torch.device("cpu")


@pytest.mark.parametrize("network_weight", [0.0, 0.7])
@pytest.mark.parametrize("weighted", [False, True])
def test_features_equal_those_written_out(cells, graph, network_weight, weighted):
    X, _ = cells
    x = torch.from_numpy(X.toarray())
    n, width = x.shape
    weight = torch.rand(width, generator=torch.Generator().manual_seed(0)) if weighted else torch.ones(width)
    scaled = (x + network_weight * x @ graph.adj_t.to_dense().T) * weight
    expected = scaled - scaled.mean(0)
    features = Features(SmoothedCells(X, CPU, graph, network_weight), weight if weighted else None)
    for operator in (features, Dense(expected)):
        assert operator.shape == (n, width)
        torch.testing.assert_close(operator.matmat(torch.eye(width)), expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(operator.rmatmat(torch.eye(n)), expected.T, atol=1e-5, rtol=1e-4)


def test_genes_without_weight_are_left_out(cells, graph):
    """Their neighbors in the network still count them."""
    X, _ = cells
    scale = torch.rand(X.shape[1], generator=torch.Generator().manual_seed(0))
    scale[::3] = 0
    smoothed = SmoothedCells(X, CPU, graph, 0.7)
    features = Features(smoothed, scale)
    kept = scale > 0
    assert features.shape == (90, int(kept.sum()))
    h = smoothed.matmat(torch.eye(X.shape[1])) * scale
    torch.testing.assert_close(
        features.matmat(torch.eye(features.shape[1])), (h - h.mean(0))[:, kept], atol=1e-5, rtol=1e-4
    )
    weight = torch.rand(features.shape[1], 2)
    expected = torch.zeros(len(scale), 2)
    expected[kept] = scale[kept, None] * weight
    assert torch.equal(features.to_all_genes(weight), expected)


def test_gene_sums_are_those_of_unsmoothed_expression(cells, graph):
    X, y = cells
    x, target = torch.from_numpy(X.toarray()), torch.nn.functional.one_hot(torch.from_numpy(y)).float()
    sums, squares = SmoothedCells(X, CPU, graph, 0.7).gene_sums(target)
    torch.testing.assert_close(sums, x.T @ target)
    torch.testing.assert_close(squares, x.square().sum(0))


@pytest.mark.parametrize("threads", [2, 3])
def test_products_do_not_depend_on_the_number_of_threads(cells, graph, threads):
    X, _ = cells
    columns = torch.rand(X.shape[1], 7, generator=torch.Generator().manual_seed(0))
    one, several = (SmoothedCells(X, CPU, graph, 0.7, n) for n in (1, threads))
    product = one.matmat(columns)
    assert torch.equal(several.matmat(columns), product)
    assert torch.equal(several.rmatmat(product), one.rmatmat(product))
