"""Moments of cells, as the tests of these and of what is made of them need them."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from gene_gcn.training.moments import TypeMoments
from gene_gcn.training.operators import CellsInMemory

TYPES = 3


def moments_of(X, y, batch=None, types=TYPES, rank=10):
    X = sparse.csr_matrix(X)
    axes = np.linalg.svd(X.toarray() - X.toarray().mean(0), full_matrices=False)[2][:rank].T
    further = sparse.csr_matrix((len(y), 0), dtype=np.float32)
    moments, codes, _ = TypeMoments.of(CellsInMemory(X), y, types, axes.astype(np.float32), batch, further)
    np.testing.assert_allclose(codes, X @ axes, rtol=1e-3, atol=1e-3)
    return moments
