"""Leiden finds groups that are apart, the same in each run."""

from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.uncertainty import leiden_clusters

pytest.importorskip("igraph", reason="needs the extra clusters")


def blobs(n, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    return y, rng.normal(size=(3, 10))[y] * 10 + rng.normal(size=(n, 10))


def test_no_cluster_holds_cells_of_two_groups():
    y, components = blobs(300)
    found = leiden_clusters(components)
    assert len(set(found.tolist())) >= 3
    assert all(len(set(y[found == index].tolist())) == 1 for index in range(found.max() + 1))
    assert (np.diff(np.bincount(found)) <= 0).all()
    np.testing.assert_array_equal(found, leiden_clusters(components))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10])
def test_few_cells(n):
    assert leiden_clusters(np.random.default_rng(0).normal(size=(n, 4))).shape == (n,)
