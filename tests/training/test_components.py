from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from gene_gcn.training import components
from gene_gcn.training.components import principal_axes
from gene_gcn.training.operators import Features, SmoothedCells

CPU = torch.device("cpu")


@pytest.mark.parametrize("exact_cells", [600, 10])
def test_axes_are_the_principal_ones(cells, exact_cells, monkeypatch):
    monkeypatch.setattr(components, "EXACT_CELLS", exact_cells)
    X, _ = cells
    features = Features(SmoothedCells(X, CPU))
    axes, variances, total = principal_axes(features, 8, np.random.default_rng(0))
    pca = PCA(8, svd_solver="full").fit(X.toarray())
    np.testing.assert_allclose(variances, pca.explained_variance_ * 89 / 90, rtol=1e-2)
    np.testing.assert_allclose(total, X.toarray().var(0).sum(), rtol=1e-4 if exact_cells == 600 else 0.2)
    np.testing.assert_allclose(axes.T @ axes, np.eye(8), atol=1e-4)
    overlap = np.linalg.svd(pca.components_[:4] @ axes.numpy(), compute_uv=False)
    assert overlap.min() > 0.99


def test_components_are_shortened_by_the_share_that_is_chance(cells):
    X, _ = cells
    features = Features(SmoothedCells(X, CPU))
    found = principal_axes(features, 8, np.random.default_rng(0))
    axes = found.shortened(90)
    variances = np.linalg.eigvalsh(np.cov(X.toarray().T, ddof=0))[::-1]
    chance = variances[8:].sum() / (90 - 1 - 8)
    np.testing.assert_allclose(axes.norm(dim=0), 1 - chance / variances[:8], rtol=1e-3)
    np.testing.assert_allclose(found.axes.norm(dim=0), 1, rtol=1e-4)
