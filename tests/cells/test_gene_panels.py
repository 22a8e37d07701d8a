"""Genes that one of several joined panels lacks are found, and ordinary sparse cells are left alone."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

from gene_gcn.cells import Normalizer, gene_panels, read_expression
from gene_gcn.cells.gene_panels import GenePanels, find_gene_panels
from gene_gcn.errors import MissingGenesWarning


def simulate(n=120, m=600, depth=800, seed=0):
    rng = np.random.default_rng(seed)
    share = np.random.default_rng(1).gamma(0.6, 1.0, m) + 0.02
    share /= share.sum()
    types = rng.gamma(2.0, 0.5, (3, m))[rng.integers(3, size=n)]
    return rng.poisson(share * types * depth * rng.uniform(0.3, 2.0, (n, 1))).astype(np.float32), share


@pytest.mark.parametrize("kept", [60, 200, 400])
@pytest.mark.parametrize("order", ["joined", "shuffled"])
def test_joined_panels_are_found(kept, order):
    X, share = simulate()
    rng = np.random.default_rng(2)
    measured = np.isin(np.arange(600), rng.choice(600, kept, replace=False))
    rows = rng.permutation(120) if order == "shuffled" else np.arange(120)
    X[70:] *= measured
    panels = find_gene_panels(sparse.csr_matrix(X[rows]), share, np.ones(600, bool))
    np.testing.assert_array_equal(panels.of_cell > 0, rows >= 70)
    found = panels.present[1]
    assert panels.present[0].all() and found[measured & (X[70:].sum(axis=0) > 0)].all()
    assert found.sum() <= kept


def test_three_panels_are_found():
    X, share = simulate(n=240)
    rng = np.random.default_rng(3)
    for start in (80, 160):
        X[start : start + 80] *= np.isin(np.arange(600), rng.choice(600, 250, replace=False))
    panels = find_gene_panels(sparse.csr_matrix(X), share, np.ones(600, bool))
    groups = [np.unique(panels.of_cell[start : start + 80]) for start in (0, 80, 160)]
    assert all(len(group) == 1 for group in groups) and len({int(g[0]) for g in groups}) == 3


def test_query_padded_with_zeros():
    X, share = simulate()
    X[:, 60:] = 0
    panels = find_gene_panels(sparse.csr_matrix(X), share, np.ones(600, bool))
    assert [len(cells) for cells, _ in panels] == [120]
    assert panels.present[1][:60].all() and not panels.present[1][60:].any()


@pytest.mark.parametrize("n", [1, 2, 5, 20, 120])
@pytest.mark.parametrize("depth", [20, 200, 2000])
def test_sparse_cells_have_all_genes(n, depth):
    for seed in range(5):
        X, share = simulate(n, depth=depth, seed=seed)
        assert len(find_gene_panels(sparse.csr_matrix(X), share, np.ones(600, bool)).present) == 1


def test_real_cells_have_all_genes(shared_data):
    train = read_expression(ad.read_h5ad(shared_data / "cells" / "pbmc3k.h5ad"))
    norm = Normalizer.fit(train)
    for name in ("zheng_sorted_pbmc", "symphony_pbmc_3tech", "panc8_small", "pbmc3k"):
        query = ad.read_h5ad(shared_data / "cells" / f"{name}.h5ad")
        for part in (query, query[:30], query[query.obs["cell_type"] == query.obs["cell_type"].iloc[0]]):
            expr = read_expression(part)
            shared = np.isin(np.arange(norm.n_genes), indexer := norm.match(expr))
            panels = norm.find_panels(expr, indexer)
            assert len(panels.present) == 1 and (panels.present[0] == shared).all()


def test_each_cell_is_scaled_by_the_genes_of_its_panel():
    X, _ = simulate(depth=3000)
    names = [f"G{i}" for i in range(600)]
    adata = ad.AnnData(X.copy(), var={"name": names})
    adata.var_names = names
    norm = Normalizer.fit(read_expression(adata))
    adata.X[70:, 200:] = 0
    expr = read_expression(adata)
    indexer = norm.match(expr)
    with pytest.warns(MissingGenesWarning, match="50 of 120 cells have no count in any of 400 .* 600 genes"):
        panels = norm.find_panels(expr, indexer)
    out = norm.transform(expr, indexer, panels)
    with pytest.warns(MissingGenesWarning, match="400 of the model's 600"):
        alone = norm.transform(read_expression(adata[70:, :200]))
    np.testing.assert_allclose(out[70:].toarray(), alone.toarray(), rtol=1e-5)
    np.testing.assert_array_equal(out[:70].toarray(), norm.transform(read_expression(adata[:70])).toarray())


def test_cells_without_expression_lack_no_genes():
    X, share = simulate()
    X[:7], X[:, np.argmax(share)] = 0, 0
    for part in (X, X[:7]):
        assert len(find_gene_panels(sparse.csr_matrix(part), share, np.ones(600, bool)).present) == 1


def reference_candidates(Z):
    """Groups of cells from one anchor after another, by plain loops over boolean arrays."""
    seen = []
    for anchor in np.argsort(-Z.mean(axis=0), kind="stable")[: gene_panels.ANCHORS]:
        inside = ~Z[:, anchor]
        for _ in range(gene_panels.ROUNDS):
            if not inside.any() or inside.all():
                break
            within, outside = Z[inside].mean(axis=0), Z[~inside].mean(axis=0)
            nearly = (outside > 0.1) & (within < 0.2 * outside)
            again = inside
            if nearly.sum() >= gene_panels.FEWEST_GENES // 2:
                again = Z[:, nearly].mean(axis=1) < 0.25 * Z[~inside][:, nearly].mean()
            if (again == inside).all():
                lacking = ~Z[inside].any(axis=0) & Z[~inside].any(axis=0)
                if lacking.sum() >= gene_panels.FEWEST_GENES // 2 and lacking.tolist() not in seen:
                    seen.append(lacking.tolist())
                break
            inside = again
    return np.array(seen, bool).reshape(-1, Z.shape[1])


@pytest.mark.parametrize("seed", range(12))
def test_all_anchors_at_once_give_what_each_gives_alone(seed):
    rng = np.random.default_rng(seed)
    X, _ = simulate(n=int(rng.integers(3, 150)), depth=int(rng.choice([200, 1000, 4000])), seed=seed)
    for _ in range(rng.integers(1, 4)):
        X[np.ix_(rng.random(len(X)) < 0.4, rng.random(600) < 0.5)] = 0
    Z = X[:, rng.permutation(600)[:300]] > 0
    found = gene_panels._candidates(Z.astype(np.float32))
    np.testing.assert_array_equal(found, reference_candidates(Z))


def test_single_panel():
    ((cells, genes),) = GenePanels.single(np.array([True, False]), 3)
    assert cells.tolist() == [0, 1, 2] and genes.tolist() == [True, False]
