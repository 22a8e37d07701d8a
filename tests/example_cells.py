"""Cells for tests: three by hand, as text or arrays, and simulated ones on every scale."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

GENES = ["CD3E", "NA", "MS4A1", "LYZ"]
CELLS = ["001", "c2", "c3"]
COUNTS = np.array([[3, 0, 0, 1], [0, 0, 7, 2.5], [0, 4, 0, 0]], np.float32)
TYPES = ["T cell", "B cell", "mono, classical"]


def dense(cells: ad.AnnData) -> np.ndarray:
    return cells.X.toarray() if sparse.issparse(cells.X) else cells.X


def assert_example(cells: ad.AnnData) -> None:
    assert list(cells.obs_names) == CELLS and list(cells.var_names) == GENES
    assert list(cells.obs["cell_type"]) == TYPES
    np.testing.assert_array_equal(dense(cells), COUNTS)


def make_cells(n=60, m=80, seed=0):
    """Counts of n cells × m genes whose depths differ tenfold."""
    rng = np.random.default_rng(seed)
    mean = rng.gamma(0.5, 2.0, m) * rng.uniform(0.3, 3.0, (n, 1))
    X = sparse.csr_matrix(rng.poisson(mean).astype(np.float32))
    adata = ad.AnnData(
        X,
        obs=pd.DataFrame(index=[f"cell{i}" for i in range(n)]),
        var=pd.DataFrame(index=[f"GENE{j}" for j in range(m)]),
    )
    adata.obs["cell_type"] = pd.Categorical(rng.choice(["B", "T", "NK"], n))
    return adata


def apply(f, X):
    X = sparse.csr_matrix(X, dtype=np.float64, copy=True)
    X.data = f(X.data)
    return X.astype(np.float32)


def depth_scaled(X, target):
    X = sparse.csr_matrix(X, dtype=np.float64)
    return sparse.diags(target / np.maximum(np.asarray(X.sum(axis=1)).ravel(), 1e-9)) @ X


def transformed(X):
    """One matrix of counts on every scale, with the name of that scale."""
    cp10k, cpm = depth_scaled(X, 1e4), depth_scaled(X, 1e6)
    return [
        ("cp10k", cp10k),
        ("cp10k", cpm),
        ("log1p", apply(np.log1p, cp10k)),
        ("log1p", apply(np.log1p, X)),
        ("log1p", apply(lambda x: np.round(np.log1p(x), 3), cp10k)),
        ("sqrt", apply(np.sqrt, X)),
        ("sqrt", apply(np.sqrt, depth_scaled(X, 1500))),
        ("log2p1", apply(lambda x: np.log2(x + 1), cpm)),
    ]


def with_X(adata, X):
    return ad.AnnData(X, obs=adata.obs.copy(), var=adata.var.copy())


def assert_same(a, b, atol=0.0):
    assert a.shape == b.shape
    np.testing.assert_allclose(a.toarray(), b.toarray(), rtol=0, atol=atol)
