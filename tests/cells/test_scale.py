"""The scale is inferred from the values."""

from __future__ import annotations

from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import scanpy as sc
from example_cells import apply, depth_scaled, make_cells, transformed
from scipy import sparse

from gene_gcn.cells import detect_scale, read_expression
from gene_gcn.cells.scale import FORWARD, INVERSE, LINEAR, check_scale, exceeds, infer_scale, map_values
from gene_gcn.errors import ArgumentError

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


def log10p1(x):
    return np.log10(x + 1)


@pytest.mark.parametrize("kept", [200, 80])
@pytest.mark.parametrize("target", [1e3, 1e4, 1e6])
@pytest.mark.parametrize("scale", ["log1p", "log2p1", "log10p1"])
def test_base_of_logarithms_of_some_genes(scale, target, kept):
    X = apply(FORWARD[scale], depth_scaled(make_cells(60, 200).X, target))[:, :kept]
    inferred = infer_scale(X)
    assert (inferred.name, inferred.is_certain, inferred.is_mixed) == (scale, True, False)


def test_values_above_the_largest_logarithm_are_linear():
    rng = np.random.default_rng(0)
    tpm = depth_scaled(rng.gamma(0.3, 5.0, (60, 400)), 1e6)[:, :250]
    assert (infer_scale(tpm).name, infer_scale(tpm).is_certain) == ("cp10k", True)
    assert infer_scale(tpm / 300).name == "cp10k" and not infer_scale(tpm / 300).is_certain  # or roots


def test_fractional_counts_are_linear():
    counts = make_cells(60, 300).X
    corrected = counts.multiply(np.random.default_rng(0).uniform(0.5, 1, counts.shape)).tocsr()
    assert corrected.max() < 60 and detect_scale(corrected) == "cp10k"
    assert detect_scale(sparse.vstack([counts, corrected])) == "cp10k"


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        (np.asarray, np.log1p, ("counts", "log1p")),
        (lambda x: x * 59.3, np.log1p, ("cp10k", "log1p")),
        (np.sqrt, log10p1, ("sqrt", "log10p1")),
        (np.log1p, lambda x: np.log2(x + 1), ("log1p", "log2p1")),
    ],
)
def test_cells_on_different_scales(first, second, names, shuffled):
    X = make_cells(120, 400).X
    rows = np.random.default_rng(0).permutation(120) if shuffled else np.arange(120)
    joined = sparse.vstack([apply(first, X[:40]), apply(second, X[40:])], "csr")[rows]
    inferred = infer_scale(joined)
    assert inferred.is_mixed and inferred.is_certain and inferred.name == names[1]
    np.testing.assert_array_equal(np.array(inferred.names)[inferred.of_cell] == names[1], rows >= 40)
    assert "40 cells of" in str(inferred) and "80 cells of" in str(inferred)
    restored = joined.copy()
    restored.data = map_values(joined, inferred)
    np.testing.assert_allclose(
        restored.sum(axis=1), (X * 1.0)[rows].sum(axis=1), rtol=59 if "cp10k" in names else 1e-4
    )
    np.testing.assert_allclose(map_values(restored, inferred, FORWARD), joined.data, rtol=1e-5)


def test_counts_beside_other_linear_values_share_a_scale():
    X = make_cells(120, 400).X
    inferred = infer_scale(sparse.vstack([X[:60], depth_scaled(X[60:], 590_000)], "csr"))
    assert (inferred.name, inferred.is_certain, inferred.is_mixed) == ("cp10k", True, False)


def test_laboratories_with_whole_and_fractional_counts(shared_data):
    adata = ad.read_h5ad(shared_data / "cells" / "panc8_small.h5ad")
    for left_out in adata.obs["batch"].unique():
        inferred = infer_scale(read_expression(adata[adata.obs["batch"] != left_out]).X)
        assert (inferred.name, inferred.is_certain, inferred.is_mixed) == ("cp10k", True, False)


def linear_or(scale, names):
    return np.where(np.isin(names, LINEAR), "cp10k", names) == ("cp10k" if scale in LINEAR else scale)


@pytest.mark.parametrize("scale", ["log1p", "log2p1", "log10p1", "sqrt"])
@pytest.mark.parametrize("laboratory", ["celseq", "celseq2", "smartseq2", "fluidigmc1", "indrop"])
def test_one_laboratory_on_another_scale(shared_data, laboratory, scale):
    """Collision-corrected UMIs (CEL-seq) and estimated counts (Fluidigm C1) are fractional."""
    adata = ad.read_h5ad(shared_data / "cells" / "panc8_small.h5ad")
    part = (adata.obs["batch"] == laboratory).to_numpy()
    X = sparse.csr_matrix(adata.X, dtype=np.float64)
    joined = sparse.vstack([X[~part], apply(FORWARD[scale], depth_scaled(X[part], 1e4))], "csr")
    inferred = infer_scale(joined)
    names = np.array(inferred.names)[inferred.of_cell]
    right = np.r_[linear_or("counts", names[: (~part).sum()]), linear_or(scale, names[(~part).sum() :])]
    assert inferred.is_mixed
    assert right.sum() >= len(right) - inferred.n_guessed and right.mean() > 0.95


def test_cells_of_which_nothing_is_sure_beside_others_are_guessed(shared_data):
    """Roots of estimated counts have no trace of counts; that they are spread over too many genes is said."""
    adata = ad.read_h5ad(shared_data / "cells" / "panc8_small.h5ad")
    X = sparse.csr_matrix(adata.X, dtype=np.float64)
    part = (adata.obs["batch"] == "fluidigmc1").to_numpy()
    inferred = infer_scale(sparse.vstack([X[~part], apply(np.sqrt, X[part])], "csr"))
    assert not inferred.is_mixed and inferred.n_guessed > 90
    assert infer_scale(sparse.csr_matrix(X, dtype=np.float32)).n_guessed < 20


def test_no_scale_is_wrong_and_certain(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2] / "scripts")
    from scale_errors import count_errors

    verdicts = count_errors(200, seed=1)
    assert verdicts["wrong and certain"] == 0
    assert verdicts["certain and right"] > 0.7 * verdicts.total()
    assert verdicts["guessed wrong"] < 0.2 * verdicts.total()


def test_stated_scales_are_checked():
    check_scale(None)
    with pytest.raises(ArgumentError, match="scale='log' is not supported; choose one of 'counts', .*'sqrt'"):
        check_scale("log")
    assert exceeds(sparse.csr_matrix([[30.0]]), "log2p1") and not exceeds(sparse.csr_matrix([[30.0]]), "sqrt")
