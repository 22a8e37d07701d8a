from __future__ import annotations

import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from gene_gcn import networks
from gene_gcn.cells.scale import FORWARD
from gene_gcn.errors import ArgumentError, EmptyCellsWarning, ScaleWarning
from gene_gcn.networks import GeneNetwork

MODULE = sys.modules[networks.coexpression.__module__]


def expression(num_cells=80, num_genes=50, seed=0):
    """Expression with six programmes, some zeros, and genes that never vary."""
    rng = np.random.default_rng(seed)
    X = rng.gamma(1, size=(num_cells, 6)) @ rng.gamma(0.3, size=(6, num_genes)) + rng.gamma(
        1, 0.5, (num_cells, num_genes)
    )
    X[rng.random(X.shape) < 0.3] = 0
    X[:, 3], X[:, 4] = 0, 0.7
    X[2:, 5] = 0
    return X.astype(np.float32), [f"G{i}" for i in range(num_genes)]


def by_definition(X, genes, n_neighbors, min_correlation, min_cells=3):
    """The same rule with numpy's whole correlation matrix."""
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.nan_to_num(np.corrcoef(X.astype(np.float64), rowvar=False))
    r[np.std(X, axis=0) < 1e-5] = 0
    few = (X != 0).sum(axis=0) < min_cells
    r[few], r[:, few] = 0, 0
    np.fill_diagonal(r, 0)
    chosen = np.zeros_like(r, dtype=bool)
    for i, row in enumerate(r):
        best = np.argsort(-row)[:n_neighbors]
        chosen[i, best[row[best] >= min_correlation]] = True
    index = np.argwhere(chosen).T
    return GeneNetwork(genes, index, r[tuple(index)])


def assert_close(one, two):
    assert one.genes == two.genes
    np.testing.assert_array_equal(one.edge_index.numpy(), two.edge_index.numpy())
    np.testing.assert_allclose(one.edge_weight.numpy(), two.edge_weight.numpy(), rtol=1e-4)


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(1, 12), st.sampled_from([0.05, 0.2, 0.5]), st.sampled_from([3, 7, 50]))
def test_is_the_definition_whatever_the_blocks(seed, n_neighbors, min_correlation, width):
    X, genes = expression(seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "_BLOCK_GENES", width)
        patch.setattr(MODULE, "_MIN_BLOCK_GENES", 1)
        network = networks.coexpression(
            X, genes, normalization="none", n_neighbors=n_neighbors, min_correlation=min_correlation
        )
    assert_close(network, by_definition(X, genes, n_neighbors, min_correlation))


def test_genes_without_signal_have_no_edges():
    X, genes = expression()
    network = networks.coexpression(X, genes, normalization="none", min_correlation=0.01)
    assert network.num_genes == 50
    assert network.degree[[3, 4, 5]].tolist() == [0, 0, 0]
    assert networks.coexpression(np.zeros((5, 2)), ["A", "B"], normalization="none").num_edges == 0


def test_every_input_gives_the_same_network():
    X, genes = expression()
    expected = networks.coexpression(X, genes, normalization="none")
    cells = [f"cell{i}" for i in range(len(X))]
    adata = anndata.AnnData(
        sparse.csr_matrix(X),
        obs=pd.DataFrame(index=cells),
        var=pd.DataFrame(index=genes),
        layers={"other": X[::-1] * 3},
    )
    adata.raw = adata
    inputs = [
        (sparse.csr_matrix(X), {"genes": genes}),
        (sparse.csc_array(X), {"genes": np.array(genes)}),
        (pd.DataFrame(X, columns=genes), {}),
        (adata, {}),
        (adata[:, :], {}),
        (adata, {"use_raw": True}),
    ]
    for cells, options in inputs:
        assert networks.coexpression(cells, normalization="none", **options) == expected
    other = networks.coexpression(adata, layer="other", normalization="none")
    assert_close(other, expected)  # the order of cells and a constant factor do not matter
    np.testing.assert_array_equal(adata.X.toarray(), X)
    assert expected.source.name == "co-expression"


def test_permuting_genes_permutes_the_network():
    X, genes = expression()
    order = np.random.default_rng(0).permutation(len(genes))
    permuted = networks.coexpression(X[:, order], [genes[i] for i in order])
    assert_close(permuted.align(genes), networks.coexpression(X, genes))


def test_counts_are_normalized():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(2, 2, (60, 1)) * rng.gamma(1, 1, 20), (60, 20))
    genes = [f"G{i}" for i in range(20)]
    depth = counts.sum(axis=1, keepdims=True)
    normalized = np.sqrt(counts / depth * np.median(depth))
    expected = by_definition(normalized, genes, 10, 0.1)
    for X in (counts, counts.astype(float), sparse.csr_matrix(counts)):
        assert_close(networks.coexpression(X, genes, min_correlation=0.1), expected)
    as_they_are = networks.coexpression(counts, genes, min_correlation=0.1, normalization="none")
    assert_close(as_they_are, by_definition(counts, genes, 10, 0.1))
    empty_cell = np.vstack([counts, np.zeros((1, 20))])
    with pytest.warns(EmptyCellsWarning, match="1 of 61 cells"):
        assert np.isfinite(networks.coexpression(empty_cell, genes).edge_weight.numpy()).all()


@pytest.mark.parametrize("scale", FORWARD)
def test_scale_of_counts_does_not_matter(scale):
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(2, 2, (60, 1)) * rng.gamma(1, 1, 20), (60, 20)) + 1
    genes = [f"G{i}" for i in range(20)]
    X = FORWARD[scale](counts / counts.sum(axis=1, keepdims=True) * 1e4)
    assert_close(networks.coexpression(X, genes), networks.coexpression(counts, genes))


def test_negative_values_are_correlated_as_they_are():
    X, genes = expression()
    scaled = X - X.mean(axis=0)
    expected = by_definition(scaled, genes, 10, 0.2)
    assert_close(networks.coexpression(scaled, genes, normalization="none"), expected)
    with pytest.warns(ScaleWarning, match="not normalized"):
        assert_close(networks.coexpression(scaled, genes), expected)
    with pytest.raises(ArgumentError, match="negative values"):
        networks.coexpression(anndata.AnnData(scaled, var=pd.DataFrame(index=genes)))


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (np.ones((5, 2)), {}, "without gene names; pass one for each column with genes="),
        (np.ones((5, 2)), {"genes": ["A"]}, "genes has 1 names, but X has 2 columns"),
        (np.ones((5, 2)), {"genes": ["A", "A"]}, "more than once"),
        (np.ones((2, 2)), {"genes": ["A", "B"]}, "need at least 3"),
        (np.ones(5), {"genes": ["A"]}, r"Expected 2D array.*X has shape \(5,\)"),
        (np.full((5, 2), np.nan), {"genes": ["A", "B"]}, "Input X contains NaN"),
        (np.full((5, 2), "x"), {"genes": ["A", "B"]}, "dtype <U1, which is not numeric"),
        (-np.ones((5, 2)), {"genes": ["A", "B"], "normalization": "sqrt"}, "negative values"),
        (np.ones((5, 2)), {"genes": ["A", "B"], "normalization": "cpm"}, "'cpm' is not supported"),
        (np.zeros((5, 2)), {"genes": ["A", "B"]}, "zero everywhere"),
        (np.zeros((5, 0)), {"genes": []}, r"0 feature\(s\)"),
        (np.ones((5, 2)), {"genes": ["A", "B"], "layer": "x"}, "layer='x' selects a part of an AnnData"),
        (
            pd.DataFrame(np.ones((5, 2)), columns=["A", "B"]),
            {"genes": ["A", "B"]},
            "with gene names of its own",
        ),
        (np.ones((5, 2)), {"genes": ["A", "B"], "n_neighbors": 0}, "n_neighbors=0 must be"),
        (np.ones((5, 2)), {"genes": ["A", "B"], "min_correlation": 0}, "min_correlation=0 must be above 0"),
        (
            anndata.AnnData(np.ones((5, 2))),
            {"layer": "x"},
            "layer='x' is not in this AnnData; it has no layers",
        ),
    ],
)
def test_wrong_arguments(X, options, message):
    with pytest.raises(ArgumentError, match=message):
        networks.coexpression(X, **options)


def test_real_cells(shared_data):
    adata = anndata.read_h5ad(shared_data / "cells" / "pbmc3k.h5ad")[:500]
    network = networks.coexpression(adata)
    assert network.num_genes == adata.n_vars
    frame = network.to_frame()
    partners = frame[(frame["source"] == "CD79A") | (frame["target"] == "CD79A")]
    assert {"CD79B", "MS4A1"} & (set(partners["source"]) | set(partners["target"]))
