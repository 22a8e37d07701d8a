"""Files of cells are copied in parts, with annotations, also from one format to the other."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from stored_cells import typed_cells

from gene_gcn.cells import annotated_copies, read_cells, write_predictions
from gene_gcn.cells.stored import open_matrix

zarr = pytest.importorskip("zarr")


@pytest.fixture
def cells():
    """Cells with all that an AnnData can hold."""
    cells = typed_cells(90)
    cells.raw = cells.copy()
    cells.layers["dense"] = cells.X.toarray()
    cells.layers["by_genes"] = cells.X.tocsc()
    cells.obsm["X_pca"] = np.random.default_rng(0).normal(size=(90, 4))
    cells.obsm["frame"] = pd.DataFrame({"a": np.arange(90)}, index=cells.obs_names)
    cells.obsp["graph"] = sparse.eye(90, format="csr")
    cells.varm["loadings"] = np.ones((40, 2))
    cells.uns = {"text": "a", "nested": {"number": 3, "array": np.arange(7)}, "gene_gcn": {"version": "old"}}
    cells.obs["note"] = pd.array([None, *["b"] * 89], dtype="string")
    return cells


def write(cells, path):
    (cells.write_zarr if path.name.endswith(".zarr") else cells.write_h5ad)(path)


@pytest.mark.parametrize("ending", [".h5ad", ".zarr"])
@pytest.mark.parametrize("origin", [".h5ad", ".zarr"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2")
def test_copies_hold_all_and_the_annotations(cells, tmp_path, monkeypatch, origin, ending):
    monkeypatch.setattr(annotated_copies, "AT_ONCE", 64)
    source, target = tmp_path / f"cells{origin}", tmp_path / f"annotated{ending}"
    write(cells, source)
    before = read_cells(source)
    tables = open_matrix(source).frame
    annotate(tables)
    write_predictions(target, tables, source=source)
    after = read_cells(target)
    assert after.obs["gene_gcn"].tolist() == tables.obs["gene_gcn"].tolist()
    assert after.uns["gene_gcn"].keys() == {"types"} and after.obsm["gene_gcn_proba"].shape == (90, 2)
    del after.obs["gene_gcn"], after.obs["gene_gcn_confidence"], after.obsm["gene_gcn_proba"]
    del after.uns["gene_gcn"], before.uns["gene_gcn"]
    assert_equal(after, before)
    assert sorted(place.name for place in tmp_path.iterdir()) == sorted([source.name, target.name])


@pytest.mark.filterwarnings("ignore:Writing zarr v2")
def test_consolidated_metadata_are_renewed(cells, tmp_path):
    source = tmp_path / "cells.zarr"
    cells.write_zarr(source)
    zarr.consolidate_metadata(str(source))
    tables = open_matrix(source).frame
    annotate(tables)
    assert (source / ".zmetadata").exists()
    for name in ("new.zarr", "new.zarr"):  # the second replaces the first
        write_predictions(tmp_path / name, tables, source=source)
    assert "gene_gcn" in zarr.open_consolidated(str(tmp_path / "new.zarr"))["obs"]


def annotate(cells):
    cells.obs["gene_gcn"] = pd.Categorical(np.array(["B", "T"])[np.arange(90) % 2])
    cells.obs["gene_gcn_confidence"] = np.linspace(0, 1, 90)
    cells.obsm["gene_gcn_proba"] = pd.DataFrame(np.ones((90, 2)), cells.obs_names, ["B", "T"])
    cells.uns["gene_gcn"] = {"types": np.array(["B", "T"], dtype=object)}


def assert_equal(after: anndata.AnnData, before: anndata.AnnData):
    from anndata.tests.helpers import assert_equal

    assert_equal(after, before, exact=True)
    assert type(after.X) is type(before.X) and type(after.layers["by_genes"]) is sparse.csc_matrix
