"""The autoencoder as a transformer: scikit-learn's contract, AnnData, and codes that tell types apart."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from gene_gcn import CellEmbedding
from gene_gcn.errors import EmptyCellsWarning


@parametrize_with_checks([CellEmbedding(max_epochs=5)])
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="sklearn")  # of its own data
        check(estimator)


def simulate(seed=0, n=150):
    """Counts of three types with 15 genes of their own each."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n) % 3
    rate = np.where(np.arange(45) // 15 == kind[:, None], 5.0, 0.5)
    return anndata.AnnData(
        sparse.csr_matrix(rng.poisson(rate).astype(np.float32)),
        obs=pd.DataFrame({"cell_type": [f"type {k}" for k in kind]}, index=[f"c{i}" for i in range(n)]),
        var=pd.DataFrame(index=[f"G{i}" for i in range(45)]),
    )


@pytest.fixture(scope="module")
def cells():
    return simulate()


@pytest.fixture(scope="module")
def fitted(cells):
    return CellEmbedding((20, 6), max_epochs=60, random_state=0).fit(cells)


def test_codes_tell_types_apart_without_having_seen_them(cells, fitted):
    codes, query = fitted.transform(cells), simulate(1)
    assert codes.shape == (150, 6) and codes.dtype == np.float32 and codes.min() >= 0
    classifier = LogisticRegression(max_iter=1000).fit(codes, cells.obs["cell_type"])
    assert classifier.score(fitted.transform(query), query.obs["cell_type"]) > 0.9


def test_training_lowers_the_error_and_stops_early(cells):
    history = CellEmbedding((20, 6), random_state=0, max_epochs=1000).fit(cells).history_
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[0]
    assert len(history) < 1000 and history["validation_loss"].notna().all()


def test_forms_of_the_same_cells_have_the_same_codes(cells, fitted):
    expected = fitted.transform(cells)
    shuffled = cells[:, np.random.default_rng(0).permutation(45)].copy()
    for form in (cells.to_df(), cells.X.tocsc(), shuffled):
        np.testing.assert_allclose(fitted.transform(form), expected, atol=1e-5)
    np.testing.assert_array_equal(clone(fitted).fit(cells).transform(cells), expected)  # the same seed


@pytest.mark.parametrize("as_path", [str, Path])
def test_cells_are_read_from_a_file(cells, fitted, tmp_path, as_path):
    cells.write_h5ad(tmp_path / "x.h5ad")
    path = as_path(tmp_path / "x.h5ad")
    np.testing.assert_array_equal(clone(fitted).fit_transform(path), fitted.transform(cells))
    table = clone(fitted).set_output(transform="pandas").fit(path).transform(path)
    np.testing.assert_array_equal(table, fitted.transform(cells))
    with pytest.raises(FileNotFoundError, match="'absent.h5ad' does not exist"):
        fitted.transform(as_path("absent.h5ad"))


def test_genes_as_rows_are_refused(cells, fitted):
    with pytest.raises(ValueError, match="rows of X are named like 45 genes of the model: transpose"):
        fitted.transform(cells.T.copy())
    rows = cells.T.copy()
    rows.obs_names = [f"ENSG{i:011}" for i in range(45)]
    with pytest.raises(ValueError, match="X has genes as rows .ENSG00000000000, "):
        clone(fitted).fit(rows)


@pytest.mark.parametrize("form", ["anndata", "frame", "sparse", "array"])
def test_an_empty_sample_has_an_empty_result(cells, fitted, form):
    query = cells[:0].copy()
    X = {"anndata": query, "frame": query.to_df(), "sparse": query.X, "array": query.X.toarray()}[form]
    with pytest.warns(EmptyCellsWarning, match="X contains no cells, so the result is empty"):
        codes = fitted.transform(X)
    assert codes.shape == (0, 6) and codes.dtype == np.float32
    if form == "anndata":
        with pytest.warns(EmptyCellsWarning):
            fitted.annotate(query)
        assert query.obsm["X_gene_gcn"].shape == (0, 6)


def test_cells_with_few_genes_are_counted(cells):
    query = simulate(1)
    X = query.X.tolil()
    X[0] = 0
    X[1] = 0
    X[1, 7] = 1
    query.X = X.tocsr()
    embedding = CellEmbedding((6,), max_epochs=2, random_state=0).fit(cells)
    with pytest.warns(EmptyCellsWarning) as warned:
        codes = embedding.transform(query)
    empty, few = (str(warning.message) for warning in warned)
    assert empty.startswith("1 of 150 cells express none of the model's 45 genes")
    assert few.startswith("1 of 150 cells express fewer than 2 of the model's genes, so their codes are")
    np.testing.assert_array_equal(codes[2:], embedding.transform(query[2:].copy()))


def test_annotate_writes_obsm(cells, fitted, tmp_path):
    query = cells.copy()
    assert fitted.annotate(query) is None
    query.write_h5ad(tmp_path / "a.h5ad")
    np.testing.assert_array_equal(
        anndata.read_h5ad(tmp_path / "a.h5ad").obsm["X_gene_gcn"], fitted.transform(cells)
    )
    with pytest.raises(
        ValueError, match="annotate takes an AnnData, but adata is a csr_matrix; use transform"
    ):
        fitted.annotate(cells.X)


def test_pipeline_and_names(cells, fitted):
    X, y = cells.to_df(), cells.obs["cell_type"]
    pipeline = make_pipeline(clone(fitted), LogisticRegression(max_iter=1000)).fit(X, y)
    assert pipeline.score(simulate(1).to_df(), y) > 0.9
    assert list(fitted.get_feature_names_out()) == [f"cellembedding{i}" for i in range(6)]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"hidden_channels": ()}, r"hidden_channels=\(\)"),
        ({"batch_size": 0}, "batch_size=0 must be a whole"),
        ({"validation_fraction": 1}, "validation_fraction=1"),
        ({"max_epochs": 1.5}, "max_epochs=1.5"),
        ({"device": "gpu0"}, "device='gpu0'"),
        ({"layer": "counts"}, "layer='counts'"),
        ({"normalization": "rank"}, "normalization='rank'"),
    ],
)
def test_wrong_parameters_are_named(cells, parameters, message):
    with pytest.raises(ValueError, match=message):
        CellEmbedding(**parameters).fit(cells)


def test_queries_of_other_genes_are_refused(cells, fitted):
    query = cells.copy()
    query.var_names = [f"other{i}" for i in range(45)]
    with pytest.raises(ValueError, match="genes in common"):
        fitted.transform(query)
    with pytest.raises(ValueError, match="not fitted yet"):
        CellEmbedding().transform(cells)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_fit_leaves_no_half_model(cells, monkeypatch, error):
    fitted = CellEmbedding((6,), max_epochs=2, random_state=0).fit(cells)
    expected, unfitted = fitted.transform(cells), CellEmbedding((6,))

    def interrupt(*args, **kwargs):
        raise error("interrupted")

    with monkeypatch.context() as patch:
        patch.setattr("gene_gcn.estimators.embedding.train_autoencoder", interrupt)
        for embedding in (fitted, unfitted):
            with pytest.raises(error):
                embedding.fit(cells[:, :20].to_df())
    np.testing.assert_array_equal(fitted.transform(cells), expected)
    assert not hasattr(fitted, "feature_names_in_")
    with pytest.raises(NotFittedError):
        unfitted.transform(cells)
