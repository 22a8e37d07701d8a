from __future__ import annotations

import numpy as np
import pytest
import torch

from gene_gcn.training import operators
from gene_gcn.training.operators import CellsInMemory, Dense, Features, OneHot, SmoothedCells

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


class Streamed:
    """Cells that come in blocks of seven, as from files."""

    is_divided, rows = False, slice(None)

    def __init__(self, X):
        self.X, self.shape, self.passes = X, X.shape, 0

    def blocks(self):
        self.passes += 1
        for first in range(0, self.shape[0], 7):
            yield self.X[first : first + 7]

    def take(self, rows):
        return self.X[rows]


@pytest.fixture(params=["in parts", "streamed"])
def other_cells(request, cells, monkeypatch):
    """A function that makes cells of which no transposed copy is kept; that is kept of others made before."""

    def make(*smoothing):
        if request.param == "streamed":
            return SmoothedCells(Streamed(cells[0]), CPU, *smoothing)
        monkeypatch.setattr(operators, "LARGEST_TRANSPOSED", 10)
        monkeypatch.setattr(operators, "PART_CELLS", 10)
        return SmoothedCells(cells[0], CPU, *smoothing)

    return make


def test_parts_of_a_matrix_share_its_values_and_are_all_of_it(cells, monkeypatch):
    X, _ = cells
    monkeypatch.setattr(operators, "PART_CELLS", 10)
    parts = list(CellsInMemory(X).blocks())
    assert len(parts) > 5 and all(np.shares_memory(part.data, X.data) for part in parts)
    np.testing.assert_array_equal(np.vstack([part.toarray() for part in parts]), X.toarray())


def test_products_without_a_transposed_copy_are_those_with_one(cells, graph, other_cells):
    X, y = cells
    rng = torch.Generator().manual_seed(0)
    columns, rows = torch.rand(X.shape[1], 5, generator=rng), torch.rand(X.shape[0], 4, generator=rng)
    target = OneHot(torch.from_numpy(y), 3)
    kept = SmoothedCells(X, CPU, graph, 0.7)
    assert len(list(kept._parts())) == 1
    other = other_cells(graph, 0.7)
    assert len(list(other._parts())) > 5
    torch.testing.assert_close(other.matmat(columns), kept.matmat(columns))
    torch.testing.assert_close(other.rmatmat(rows), kept.rmatmat(rows))
    torch.testing.assert_close(other.gene_sums(target), kept.gene_sums(target))
    mean, other_mean = Features(kept).center, Features(other).center
    torch.testing.assert_close(other_mean, mean)


def test_a_round_trip_is_two_products(cells, graph, other_cells):
    """Of one pass, in which what is between sees each cell once."""
    X, _ = cells
    columns = torch.rand(X.shape[1], 5, generator=torch.Generator().manual_seed(0))
    for source in (SmoothedCells(X, CPU, graph, 0.7), other_cells(graph, 0.7)):
        for operator in (source, Features(source), Dense(Features(source).matmat(torch.eye(X.shape[1])))):
            seen = []

            def between(rows, products):
                seen.extend(range(*rows.indices(X.shape[0])))  # noqa: B023
                return products.tanh()

            found = operator.round_trip(columns, between)
            assert seen == list(range(X.shape[0]))
            torch.testing.assert_close(found, operator.rmatmat(operator.matmat(columns).tanh()))


def test_streamed_cells_are_read_once_per_product(cells):
    source = Streamed(cells[0])
    smoothed = SmoothedCells(source, CPU)
    columns = torch.rand(cells[0].shape[1], 2)
    for product in (
        lambda: smoothed.matmat(columns),
        lambda: smoothed.rmatmat(torch.rand(90, 2)),
        lambda: smoothed.round_trip(columns, lambda rows, products: products),
        lambda: smoothed.gene_sums(torch.rand(90, 2)),
    ):
        before = source.passes
        product()
        assert source.passes == before + 1


def test_several_weightings_at_once_are_each_alone(cells, graph):
    X, _ = cells
    rng = torch.Generator().manual_seed(0)
    scale = torch.rand(2, X.shape[1], generator=rng)
    scale[:, ::4] = 0
    scale[0, 1::4] = 0  # in one of them only
    smoothed = SmoothedCells(X, CPU, graph, 0.7)
    both = Features(smoothed, scale)
    assert both.shape == (2, 90, int((scale > 0).any(0).sum()))
    columns, rows = torch.rand(2, both.shape[-1], 3, generator=rng), torch.rand(2, 90, 4, generator=rng)
    products, sums = both.matmat(columns), both.rmatmat(rows)
    trip = both.round_trip(columns, lambda rows, products: products.tanh())
    weights = both.to_all_genes(columns)
    for k in range(2):
        alone = Features(smoothed, scale[k])
        own = torch.isin(both.genes, alone.genes)
        torch.testing.assert_close(products[k], alone.matmat(columns[k, own]))
        torch.testing.assert_close(sums[k, own], alone.rmatmat(rows[k]))
        torch.testing.assert_close(trip[k, own], alone.round_trip(columns[k, own], lambda _, p: p.tanh()))
        torch.testing.assert_close(weights[k], alone.to_all_genes(columns[k, own]))
        assert not sums[k, ~own].any()


def test_one_hot_rows_are_made_when_asked_for():
    y = torch.tensor([2, 0, 1, 2])
    target = OneHot(y, 4)
    assert target.shape == (4, 4) and target.counts().tolist() == [1, 1, 2, 0]
    expected = torch.eye(4)[y]
    assert torch.equal(target[:], expected) and torch.equal(target[1:3], expected[1:3])
    assert torch.equal(target[torch.tensor([3, 0])], expected[[3, 0]])
