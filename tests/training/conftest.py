"""Cells and a graph that the tests of training share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from gene_gcn import GeneNetwork
from gene_gcn.nn import GlobalGraph

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
