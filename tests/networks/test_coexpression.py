from __future__ import annotations

import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from gene_gcn import networks
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
        network = networks.coexpression(X, genes, n_neighbors=n_neighbors, min_correlation=min_correlation)
    assert_close(network, by_definition(X, genes, n_neighbors, min_correlation))


def test_genes_without_signal_have_no_edges():
    X, genes = expression()
    network = networks.coexpression(X, genes, min_correlation=0.01)
    assert network.num_genes == 50
    assert network.degree[[3, 4, 5]].tolist() == [0, 0, 0]
    assert networks.coexpression(np.zeros((5, 2)), ["A", "B"]).num_edges == 0
    assert networks.coexpression(np.zeros((5, 0)), []).num_edges == 0


def test_every_input_gives_the_same_network():
    X, genes = expression()
    expected = networks.coexpression(X, genes)
    cells = [f"cell{i}" for i in range(len(X))]
    adata = anndata.AnnData(
        sp.csr_matrix(X),
        obs=pd.DataFrame(index=cells),
        var=pd.DataFrame(index=genes),
        layers={"other": X[::-1] * 3},
    )
    inputs = [
        networks.coexpression(sp.csr_matrix(X), genes),
        networks.coexpression(sp.csc_array(X), np.array(genes)),
        networks.coexpression(pd.DataFrame(X, columns=genes)),
        networks.coexpression(adata),
        networks.coexpression(adata[:, :]),
    ]
    for network in inputs:
        assert network == expected
    assert_close(
        networks.coexpression(adata, layer="other"), expected
    )  # scale and order of cells do not matter
    np.testing.assert_array_equal(adata.X.toarray(), X)
    assert expected.source.name == "co-expression"


def test_permuting_genes_permutes_the_network():
    X, genes = expression()
    order = np.random.default_rng(0).permutation(len(genes))
    permuted = networks.coexpression(X[:, order], [genes[i] for i in order])
    assert_close(permuted.align(genes), networks.coexpression(X, genes))


def test_counts_are_normalised():
    rng = np.random.default_rng(0)
    counts = rng.poisson(rng.gamma(2, 2, (60, 1)) * rng.gamma(1, 1, 20), (60, 20))
    genes = [f"G{i}" for i in range(20)]
    depth = counts.sum(axis=1, keepdims=True)
    normalised = np.sqrt(counts / depth * np.median(depth))
    expected = by_definition(normalised, genes, 10, 0.1)
    for X in (counts, counts.astype(float), sp.csr_matrix(counts)):
        assert_close(networks.coexpression(X, genes, min_correlation=0.1), expected)
    as_they_are = networks.coexpression(counts, genes, min_correlation=0.1, counts=False)
    assert_close(as_they_are, by_definition(counts, genes, 10, 0.1))
    empty_cell = np.vstack([counts, np.zeros((1, 20))])
    assert np.isfinite(networks.coexpression(empty_cell, genes).edge_weight.numpy()).all()


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (np.ones((5, 2)), {}, "without names of genes; pass genes="),
        (np.ones((5, 2)), {"genes": ["A"]}, "genes has 1 names but X has 2 columns"),
        (np.ones((5, 2)), {"genes": ["A", "A"]}, "more than once"),
        (np.ones((2, 2)), {"genes": ["A", "B"]}, "at least 3 cells"),
        (np.ones(5), {"genes": ["A"]}, r"X has shape \(5,\)"),
        (np.full((5, 2), np.nan), {"genes": ["A", "B"]}, "missing or infinite"),
        (np.full((5, 2), "x"), {"genes": ["A", "B"]}, "it must hold numbers"),
        (-np.ones((5, 2)), {"genes": ["A", "B"], "counts": True}, "negative values"),
        (np.ones((5, 2)), {"genes": ["A", "B"], "layer": "x"}, "layer='x' is for AnnData only"),
        (pd.DataFrame(np.ones((5, 2)), columns=["A", "B"]), {"genes": ["A", "B"]}, "X has its own names"),
        (np.ones((5, 2)), {"genes": ["A", "B"], "n_neighbors": 0}, "n_neighbors=0 must be"),
        (np.ones((5, 2)), {"genes": ["A", "B"], "min_correlation": 0}, "min_correlation=0 must be above 0"),
        (anndata.AnnData(np.ones((5, 2))), {"layer": "x"}, r"layer='x' is not in X.layers; it has \[\]"),
    ],
)
def test_wrong_arguments(X, options, message):
    with pytest.raises(ValueError, match=message):
        networks.coexpression(X, **options)


def test_real_cells(shared_data):
    adata = anndata.read_h5ad(shared_data / "cells" / "pbmc3k.h5ad")[:500]
    network = networks.coexpression(adata)
    assert network.num_genes == adata.n_vars
    frame = network.to_frame()
    partners = frame[(frame["source"] == "CD79A") | (frame["target"] == "CD79A")]
    assert {"CD79B", "MS4A1"} & (set(partners["source"]) | set(partners["target"]))
