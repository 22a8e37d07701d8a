"""Cells of three types to store, and an object of which rows are sliced, for the tests of cells on disk."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse


def typed_cells(n=600, genes=40, seed=0):
    """Counts of n cells of three types, which differ in all genes."""
    rate = np.random.default_rng(0).gamma(1.0, 1.0, (3, genes))
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    X = rng.poisson(rate[y] * rng.uniform(0.5, 1.5, (n, 1))).astype(np.float32)
    obs = {"cell_type": pd.Categorical(np.array(["B", "NK", "T"])[y]), "donor": rng.choice(["d1", "d2"], n)}
    return ad.AnnData(
        sparse.csr_matrix(X),
        obs=pd.DataFrame(obs, index=[f"cell{seed}_{i}" for i in range(n)]),
        var=pd.DataFrame(index=[f"GENE{j}" for j in range(genes)]),
    )


def log1p(cells):
    """The same cells as log1p CP10k."""
    cells = cells.copy()
    depth = np.asarray(cells.X.sum(axis=1)).ravel()
    cells.X = sparse.csr_matrix(sparse.diags(1e4 / np.maximum(depth, 1)) @ cells.X).log1p().astype(np.float32)
    return cells


class Rows:
    """What LightGBM's `Sequence` asks for; `read` has the sizes of the slices."""

    batch_size = 128

    def __init__(self, X, names=None):
        self.X, self.read = X, []
        if names is not None:
            self.var_names = names

    def __len__(self):
        return self.X.shape[0]

    def __getitem__(self, rows):
        self.read.append(rows.stop - rows.start)
        return self.X[rows]
