"""A query that stays on disk is annotated as in memory."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from stored_cells import Rows, log1p, typed_cells

from gene_gcn import GeneGCNClassifier
from gene_gcn.cells import blocks
from gene_gcn.errors import ArgumentError, EmptyCellsWarning, MissingGenesWarning
from gene_gcn.estimators.stored_query import StoredQuery

TRAINING = typed_cells(600)
QUERY = typed_cells(9000, seed=5)  # three blocks


@pytest.fixture(scope="module")
def clf():
    return GeneGCNClassifier(random_state=0).fit(TRAINING, "cell_type")


def shifted(cells, factor=50.0):
    """The same cells with some genes seen several times as often, as in another laboratory."""
    cells = cells.copy()
    scale = np.where(np.arange(cells.n_vars) % 3, 1.0, factor).astype(np.float32)
    cells.X = cells.X.multiply(scale).tocsr()
    return cells


def backed(cells, folder):
    path = folder / f"query{len(list(folder.iterdir())) or ''}.h5ad"
    cells.write_h5ad(path)
    return ad.read_h5ad(path, backed="r")


@pytest.mark.parametrize("cells", [QUERY, QUERY[:, 10:], log1p(QUERY), QUERY[:, ::-1]])
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.MissingGenesWarning")
def test_probabilities_are_those_in_memory(clf, tmp_path, cells):
    cells = cells.copy()
    expected = clf.predict_proba(cells)
    np.testing.assert_allclose(clf.predict_proba(backed(cells, tmp_path)), expected, atol=1e-6)
    assert clf.predict(backed(cells, tmp_path)).tolist() == clf.classes_[expected.argmax(1)].tolist()


@pytest.mark.parametrize("cells", [QUERY, shifted(QUERY), QUERY[:30].copy()])
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.ShiftWarning")
def test_annotations_are_those_in_memory(clf, tmp_path, cells):
    """Also of a query whose shift is removed: it is that of the same cells."""
    stored, cells = backed(cells, tmp_path), cells.copy()
    for each in (stored, cells):
        clf.annotate(each, unknown=True, alpha=0.1)
    pd.testing.assert_frame_equal(
        stored.obs.filter(like="gene_gcn"), cells.obs.filter(like="gene_gcn"), atol=1e-5
    )
    for name in ("gene_gcn_proba", "gene_gcn_set"):
        pd.testing.assert_frame_equal(stored.obsm[name], cells.obsm[name], atol=1e-5)
    assert stored.uns["gene_gcn"]["shift"] == pytest.approx(cells.uns["gene_gcn"]["shift"])
    assert stored.uns["gene_gcn"]["shift_removed"] == cells.uns["gene_gcn"]["shift_removed"]
    np.testing.assert_allclose(clf.novelty(backed(cells, tmp_path)), clf.novelty(cells), atol=1e-5)
    assert (clf.predict_set(stored) == clf.predict_set(cells)).mean() > 0.999


def test_a_shift_is_estimated_from_a_part_of_many_cells(clf, tmp_path, monkeypatch):
    cells = shifted(QUERY)
    clf.annotate(cells)
    assert cells.uns["gene_gcn"]["shift_removed"]
    monkeypatch.setattr("gene_gcn.estimators.stored_query.SAMPLE", 2000)
    stored = backed(shifted(QUERY), tmp_path)
    clf.annotate(stored)
    assert stored.uns["gene_gcn"]["shift"] == pytest.approx(cells.uns["gene_gcn"]["shift"], rel=0.3)
    assert (stored.obs["gene_gcn"].astype(str) == cells.obs["gene_gcn"].astype(str)).mean() > 0.99
    difference = stored.obsm["gene_gcn_proba"] - cells.obsm["gene_gcn_proba"]
    assert difference.abs().to_numpy().mean() < 0.01


def test_clusters_of_stored_cells_agree(clf, tmp_path):
    cells = QUERY.copy()
    cells.obs["leiden"] = cells.obs["cell_type"].astype(str)
    stored = backed(cells, tmp_path)
    for each in (cells, stored):
        clf.annotate(each, over="leiden")
    assert stored.obs["gene_gcn"].astype(str).tolist() == cells.obs["gene_gcn"].astype(str).tolist()


def test_a_path_is_read_in_blocks_where_it_is_large(clf, tmp_path, monkeypatch):
    backed(QUERY, tmp_path)
    monkeypatch.setattr(blocks, "LARGEST_IN_MEMORY", 1000)
    read = []
    old = blocks.CellBlocks.read
    monkeypatch.setattr(blocks.CellBlocks, "read", lambda self, span: read.append(span) or old(self, span))
    assert (clf.predict(tmp_path / "query.h5ad") == clf.predict(QUERY)).all()
    assert [span[1:] for span in read[-3:]] == [(0, 4096), (4096, 8192), (8192, 9000)]
    tables = ad.AnnData(obs=QUERY.obs.copy())
    clf.annotate(tables, X=tmp_path / "query.h5ad")
    assert (tables.obs["gene_gcn"].astype(str) == clf.predict(QUERY)).mean() > 0.99
    with pytest.raises(ArgumentError, match="9,000 cells, but adata has 10"):
        clf.annotate(tables[:10].copy(), X=tmp_path / "query.h5ad")


def test_objects_with_slices_are_queries_too(clf):
    rows = Rows(QUERY.X, QUERY.var_names)
    np.testing.assert_allclose(clf.predict_proba(rows), clf.predict_proba(QUERY), atol=1e-6)
    assert max(rows.read) <= 256


def test_warnings_are_given_once_for_all_blocks(clf, tmp_path):
    cells = QUERY[:, 5:].copy()
    filled = np.ones(len(cells), np.float32)
    filled[[3, 5000, 8999]] = 0
    cells.X = (sparse.diags(filled) @ cells.X).tocsr()
    with pytest.warns() as issued:
        clf.predict(backed(cells, tmp_path))
    ours = [warning for warning in issued if warning.category.__module__ == "gene_gcn.errors"]
    assert [warning.category for warning in ours] == [MissingGenesWarning, EmptyCellsWarning]
    assert "3 of 9,000 cells express none" in str(ours[1].message)


def test_models_trained_by_gradients_predict_stored_cells(tmp_path):
    trained = GeneGCNClassifier(optimizer="sgd", max_epochs=2, random_state=0).fit(TRAINING, "cell_type")
    stored, cells = backed(QUERY, tmp_path), QUERY.copy()
    for each in (stored, cells):
        trained.annotate(each)
    np.testing.assert_allclose(stored.obsm["gene_gcn_proba"], cells.obsm["gene_gcn_proba"], atol=1e-5)


@pytest.mark.parametrize("cells", [QUERY, shifted(QUERY)])
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.ShiftWarning")
def test_annotations_go_on_from_finished_blocks(clf, tmp_path, monkeypatch, cells):
    """To the bit, with the warnings of all blocks; what is finished is not read again."""
    state, options = tmp_path / "state", {"unknown": True, "alpha": 0.1}
    expected, stored = backed(cells, tmp_path), backed(cells, tmp_path)
    clf.annotate(expected, **options)
    read = []
    old = StoredQuery.read

    def interrupted(self, number):
        read.append(number)
        if len(read) == 3:
            raise KeyboardInterrupt
        return old(self, number)

    monkeypatch.setattr(StoredQuery, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        clf.annotate(ad.read_h5ad(stored.filename, backed="r"), checkpoint=state, **options)
    clf.annotate(stored, checkpoint=state, **options)
    assert read == [0, 1, 2, 2]
    pd.testing.assert_frame_equal(stored.obs, expected.obs, check_exact=True)
    for name in ("gene_gcn_proba", "gene_gcn_set"):
        pd.testing.assert_frame_equal(stored.obsm[name], expected.obsm[name], check_exact=True)
    with pytest.raises(ArgumentError, match="of a run with other options"):
        clf.annotate(stored, checkpoint=state, unknown=True)
    with pytest.raises(ArgumentError, match="stay on disk, but these are in memory"):
        clf.annotate(QUERY.copy(), checkpoint=state)


def test_warnings_are_given_again_by_a_run_that_goes_on(clf, tmp_path):
    cells = QUERY[:, 5:].copy()
    filled = np.ones(len(cells), np.float32)
    filled[[3, 5000, 8999]] = 0
    cells.X = (sparse.diags(filled) @ cells.X).tocsr()
    stored, told = backed(cells, tmp_path), []
    for _ in range(2):
        with pytest.warns() as issued:
            clf.annotate(stored, checkpoint=tmp_path / "state")
        told.append([str(warning.message) for warning in issued])
    assert told[0] == told[1] and any("3 of 9,000 cells express none" in text for text in told[1])
