from __future__ import annotations

from copy import copy

import anndata
import numpy as np
import pytest
from command_line import GENES, make_cells
from scipy import sparse

from gene_gcn.cells import open_cells
from gene_gcn.errors import EmptyCellsWarning
from gene_gcn.report.cells_read import MOST_CELLS, Spread, read


def test_counts_are_described_and_nothing_is_warned_of(clf, recwarn):
    cells = make_cells(1)
    found, sample = read(clf, cells)
    depth, genes = cells.X.sum(1).A1, np.diff(cells.X.indptr)
    assert (found.n_cells, found.n_genes, found.n_matched, found.n_missing) == (90, 30, 30, 0)
    assert found.scale == "raw counts, inferred from the values" and found.scale_is_certain
    assert found.depth == Spread(*np.percentile(depth, (5, 50, 95)))
    assert found.genes_per_cell == Spread(*np.percentile(genes, (5, 50, 95)))
    assert found.n_empty == 0 and found.notes == () and not len(recwarn)
    assert sample.is_all and sample.X.shape == (90, 30) and sample.names == {}


def test_what_is_missing_is_noted(clf):
    cells = make_cells(1)[:, ::-1][:, :20].copy()
    cells.X = sparse.csr_matrix(np.log1p(cells.X.toarray()))
    cells.X[:2] = 0
    found, sample = read(clf, cells)
    assert (found.n_matched, found.n_missing, found.n_empty, found.depth) == (20, 10, 2, None)
    assert "log1p" in found.scale
    assert any("10 of the model's 30 genes (33.3%) are missing" in note for note in found.notes)
    assert any("2 of 90 cells express none" in note for note in found.notes)
    assert sample.measured.tolist() == [name in cells.var_names for name in clf.genes_]


def test_a_scale_that_the_user_stated_is_told(clf):
    stated = copy(clf).set_params(scale="counts")
    assert read(stated, make_cells(1))[0].scale == "counts, as stated"


def test_other_spellings_of_genes_are_kept_for_figures(clf):
    cells = make_cells(1)
    cells.var_names = [f"GRCh38_{name}" for name in GENES]
    found, sample = read(clf, cells)
    assert found.n_matched == 30 and sample.names["GENE7"] == "GRCh38_GENE7"


def test_many_cells_are_sampled_the_same_way_each_time(clf):
    cells = make_cells(1, MOST_CELLS + 100)
    (found, first), (_, second) = read(clf, cells), read(clf, cells)
    assert found.n_cells == MOST_CELLS + 100 and first.adata.n_obs == MOST_CELLS and not first.is_all
    assert first.adata.obs_names.equals(second.adata.obs_names) and first.adata.obs_names.is_unique


def test_cells_on_disk_are_read(clf, tmp_path):
    make_cells(1).write_h5ad(tmp_path / "a.h5ad")
    backed = anndata.read_h5ad(tmp_path / "a.h5ad", backed="r")
    found, sample = read(clf, backed)
    assert found == read(clf, make_cells(1))[0] and not sample.adata.isbacked
    backed.file.close()


@pytest.mark.parametrize("where", [{}, {"layer": "counts"}, {"use_raw": True}, {"gene_column": "symbol"}])
def test_of_cells_that_stay_on_disk_a_part_is_read(clf, tmp_path, monkeypatch, where):
    """From where the classifier reads them; the page is about as many cells as there are."""
    clf, cells = copy(clf).set_params(**where), make_cells(1)
    cells.X = sparse.diags((np.arange(90) > 1).astype(np.float32)) @ cells.X
    if "layer" in where or "use_raw" in where:
        cells.layers["counts"], cells.raw = cells.X.copy(), cells.copy()
        cells.X = cells.X * 0.5
    if "gene_column" in where:
        cells.var["symbol"], cells.var_names = cells.var_names, cells.var["other"].to_numpy()
    cells.write_h5ad(tmp_path / "a.h5ad")
    tables = anndata.AnnData(obs=cells.obs.copy())
    with pytest.warns(EmptyCellsWarning, match="2 of 90 cells"):
        clf.annotate(tables, X=open_cells(tmp_path / "a.h5ad", **where))
    found, sample = read(clf, tables, open_cells(tmp_path / "a.h5ad", **where, normalize=False))
    expected, all_cells = read(clf, cells)
    assert found == expected and sample.is_all and (sample.X != all_cells.X).nnz == 0
    monkeypatch.setattr("gene_gcn.report.cells_read.MOST_CELLS", 40)
    found, sample = read(clf, tables, tmp_path / "a.h5ad")
    assert (found.n_cells, found.n_measured, found.n_empty) == (90, 40, 2) and not sample.is_all
    assert sample.X.shape == (40, 30) and sample.adata.obs_names.isin(cells.obs_names).all()
    assert sample.adata.obsm["gene_gcn_proba"].shape == (40, 3)


def test_spread():
    assert Spread.of(np.empty(0)) is None and Spread.of(np.array([3.0])) == Spread(3, 3, 3)
