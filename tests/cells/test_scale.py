"""The scale is inferred from the values."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
import scanpy as sc
from example_cells import depth_scaled, transformed

from gene_gcn.cells import detect_scale, read_expression
from gene_gcn.cells.scale import FORWARD, INVERSE

FILES = [
    "zheng_sorted_pbmc",
    "pbmc3k",
    "baron_mouse_pancreas",
    "panc8_small",
    "baron_mini_human_mouse",
    "garnett_pbmc800",
    "kang_ctrl_8k_2511genes",
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", ["all", "half", 300])
def test_scale_of_real_cells(shared_data, name, kept):
    counts = ad.read_h5ad(shared_data / "cells" / f"{name}.h5ad")[:600].X
    rng = np.random.default_rng(0)
    n = counts.shape[1]
    genes = np.sort(rng.choice(n, {"all": n, "half": n // 2}.get(kept, kept), replace=False))
    assert detect_scale(counts[:, genes]) == ("cp10k" if name == "panc8_small" else "counts")
    for scale, X in transformed(counts):
        assert detect_scale(X.tocsc()[:, genes]) == scale
    dense = counts[:100].toarray()
    assert detect_scale(dense - dense.mean(axis=0)) == "scaled"


def test_scale_of_pbmc68k():
    """scanpy ships z-scores in X and log1p values of 765 genes, rounded to three decimals, in raw."""
    adata = sc.datasets.pbmc68k_reduced()
    assert detect_scale(adata.X) == "scaled"
    assert detect_scale(adata.raw.X) == "log1p"


def test_scale_of_values_not_made_from_counts():
    rng = np.random.default_rng(0)
    tpm = depth_scaled(rng.gamma(0.3, 5.0, (50, 400)), 1e6).toarray()
    assert detect_scale(tpm) == "cp10k"
    assert detect_scale(np.sqrt(tpm)) == "sqrt"
    assert detect_scale(np.log2(tpm + 1)) == "log2p1"
    assert detect_scale(np.log1p(tpm)) == detect_scale(np.log1p(tpm)[:, :200]) == "log1p"
    assert not read_expression(np.log1p(tpm)[:, :200]).scale_is_certain


@pytest.mark.parametrize("scale", INVERSE)
def test_forward_undoes_inverse(scale):
    values = np.linspace(0.1, 9, 50, dtype=np.float32)
    np.testing.assert_allclose(FORWARD[scale](INVERSE[scale](values)), values, rtol=1e-5)
