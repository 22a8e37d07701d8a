"""Cells whose types have a module of genes each, and a random network in which one module is connected."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from gene_gcn import GeneNetwork
from gene_gcn.explain import CellGroup, Explanation, LinearLogits

N, K, SIZE = 300, 3, 8
GENES = [f"GENE{i}" for i in range(N)]
TYPES = ["A", "B", "C"]
# The module of type A is genes 0 to 7; those of B and C follow.
MODULE = GENES[:SIZE]


def planted_explanation(seed: int = 0, n: int = 150, signal: float = 0.7) -> Explanation:
    """Cells of three types in turn, in each of which another module is up."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, N)) + rng.uniform(0, 2, N)
    weight = rng.normal(scale=0.02, size=(N, K))
    for k in range(K):
        module = slice(k * SIZE, (k + 1) * SIZE)
        X[k::K, module] += signal
        weight[module, k] += 1
    mean = X.mean(axis=0)
    logits = LinearLogits(weight, -mean @ weight, sparse.csr_matrix((N, N)))
    group = CellGroup(np.arange(n), np.ones(N, bool), mean, np.zeros((N, K)))
    return Explanation(sparse.csr_matrix(X.astype(np.float32)), logits, [group], GENES, TYPES)


def planted_network(seed: int = 0, num_edges: int = 350, connected: bool = True) -> GeneNetwork:
    """Random edges of random weights; if `connected`, also a path through the module of type A."""
    rng = np.random.default_rng(seed)
    edges = rng.integers(0, N, (2, num_edges))
    weight = rng.uniform(0.4, 1, num_edges)
    # Genes of the modules have no edges but to others.
    inside = (edges < K * SIZE).all(axis=0)
    edges, weight = edges[:, ~inside], weight[~inside]
    if connected:
        path = np.array([range(SIZE - 1), range(1, SIZE)])
        edges, weight = np.hstack([edges, path]), np.append(weight, np.ones(SIZE - 1))
    return GeneNetwork(GENES, edges, weight)
