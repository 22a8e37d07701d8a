"""A small explanation, with a network and with two groups of cells that lack different genes."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from gene_gcn.explain import CellGroup, Explanation, LinearLogits

B, N, TYPES = 7, 12, ["B", "NK", "T"]
GENES = [f"GENE{i}" for i in range(N)]


def small_logits(seed: int = 0) -> LinearLogits:
    rng = np.random.default_rng(seed)
    adjacency = sparse.random(N, N, 0.3, "csr", random_state=rng)
    return LinearLogits(rng.normal(size=(N, len(TYPES))), rng.normal(size=len(TYPES)), adjacency)


def small_explanation(seed: int = 0) -> Explanation:
    rng = np.random.default_rng(seed)
    measured = np.ones((2, N), bool)
    measured[0, :2] = measured[1, 9:] = False
    cells = [np.array([0, 2, 3]), np.array([1, 4, 5, 6])]
    X = rng.poisson(1.0, (B, N)).astype(np.float32)
    groups = []
    for of_group, genes in zip(cells, measured, strict=True):
        X[of_group] *= genes
        missing = rng.normal(size=(N, len(TYPES))) * genes[:, None]
        groups.append(CellGroup(of_group, genes, rng.random(N), missing))
    return Explanation(sparse.csr_matrix(X), small_logits(seed), groups, GENES, TYPES)
