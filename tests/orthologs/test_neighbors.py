"""Mutual nearest neighbors are those of all cosines at once."""

from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.orthologs import mutual_neighbors, neighbors


def unit(rng, *shape):
    vectors = rng.normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("rows", [1, 7, 1024])
def test_equals_the_matrix_of_cosines(monkeypatch, rows):
    monkeypatch.setattr(neighbors, "ROWS", rows)
    rng = np.random.default_rng(0)
    first, second = unit(rng, 40, 8), unit(rng, 30, 8)
    cosine = first @ second.T
    expected = [
        (i, j)
        for i, j in enumerate(cosine.argmax(axis=1))
        if cosine[:, j].argmax() == i and cosine[i, j] >= 0.5
    ]
    assert list(zip(*mutual_neighbors(first, second, 0.5), strict=True)) == expected
    assert len(expected) > 3


def test_order_of_the_sides_does_not_matter():
    rng = np.random.default_rng(1)
    first, second = unit(rng, 25, 6), unit(rng, 20, 6)
    there, back = mutual_neighbors(first, second, 0.0), mutual_neighbors(second, first, 0.0)
    assert sorted(zip(*there, strict=True)) == sorted((i, j) for j, i in zip(*back, strict=True))


def test_unknown_genes_have_no_neighbors():
    zero, one = np.zeros((2, 4)), np.eye(4)[:2]
    for first, second in ((zero, one), (one, zero), (one[:0], one), (one, one[:0])):
        assert len(mutual_neighbors(first, second, -1.0)[0]) == 0
    assert [part.tolist() for part in mutual_neighbors(one, one[::-1], 0.9)] == [[0, 1], [1, 0]]
