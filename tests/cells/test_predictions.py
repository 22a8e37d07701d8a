"""Predictions are written whole or not at all."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from example_cells import CELLS, assert_example

from gene_gcn.cells import check_writable, write_predictions, write_table
from gene_gcn.errors import ArgumentError


@pytest.fixture
def annotated(adata) -> anndata.AnnData:
    adata.obs["gene_gcn"] = pd.Categorical(["T", "B", "T"])
    adata.obs["gene_gcn_confidence"] = [0.5, 0.75, 1.0]
    adata.obsm["gene_gcn_proba"] = pd.DataFrame(
        [[0.2, 0.3, 0.5], [0.75, 0.25, 0.0], [0.0, 0.0, 1.0]], adata.obs_names, ["B", "N|K", "T"]
    )
    adata.uns["gene_gcn"] = {"types": np.array(["B", "N/K", "T"], dtype=object)}
    return adata


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.csv.gz", "with.dots.tsv.gz"])
def test_predictions_as_a_table(annotated, tmp_path, name):
    write_predictions(tmp_path / name, annotated)
    table = pd.read_csv(tmp_path / name, sep="\t" if ".tsv" in name else ",", dtype={"cell": str})
    assert table["cell"].tolist() == CELLS and table["label"].tolist() == ["T", "B", "T"]
    assert table["confidence"].tolist() == [0.5, 0.75, 1.0]
    assert table["second_label"].tolist() == ["N/K", "N/K", "B"]
    assert table["second_confidence"].tolist() == [0.3, 0.25, 0.0]
    assert len(table.columns) == 5


def test_table_of_sets_novelty_and_probabilities(annotated, tmp_path):
    annotated.obs["gene_gcn_novelty"] = [0.001, 0.5, 1.0]
    annotated.obsm["gene_gcn_set"] = pd.DataFrame(
        [[True, True, False], [False, True, False], [False, False, False]], annotated.obs_names
    )
    write_predictions(tmp_path / "p.csv", annotated, probabilities=True)
    table = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)
    assert table["novelty"].tolist() == [0.001, 0.5, 1.0]
    assert table["set"].tolist() == ["B|N/K", "N/K", ""]
    assert table["probability N/K"].tolist() == [0.3, 0.25, 0.0]


def test_predictions_as_anndata(annotated, tmp_path):
    write_predictions(tmp_path / "p.h5ad", annotated)
    back = anndata.read_h5ad(tmp_path / "p.h5ad")
    assert_example(back)
    assert list(back.obs["gene_gcn"]) == ["T", "B", "T"]


@pytest.mark.parametrize("name", ["t.csv", "t.tsv.gz"])
def test_any_table_of_cells(tmp_path, name):
    write_table(tmp_path / name, pd.DataFrame({"quality": [0.5, np.nan]}, index=["001", "c2"]))
    table = pd.read_csv(tmp_path / name, sep=None, engine="python", dtype={"cell": str})
    assert table["cell"].tolist() == ["001", "c2"] and table["quality"].isna().tolist() == [False, True]
    with pytest.raises(ArgumentError, match="A table cannot be written to .*t.h5ad.* must end in .csv, "):
        write_table(tmp_path / "t.h5ad", table)


def test_predictions_with_an_unknown_ending(annotated, tmp_path):
    with pytest.raises(ArgumentError, match="p.xlsx.*must end in .h5ad, .zarr, .csv"):
        write_predictions(tmp_path / "p.xlsx", annotated)


def test_reserved_column_is_renamed_in_the_file_only(annotated, tmp_path):
    annotated.raw = annotated
    for table in (annotated.obs, annotated.var, annotated.raw.var):
        table["_index"] = "x"
    check_writable(tmp_path / "p.h5ad", annotated)
    write_predictions(tmp_path / "p.h5ad", annotated)
    back = anndata.read_h5ad(tmp_path / "p.h5ad")
    for table, kept in (
        (back.obs, annotated.obs),
        (back.var, annotated.var),
        (back.raw.var, annotated.raw.var),
    ):
        assert "index_" in table and "_index" in kept and "index_" not in kept


def test_what_cannot_be_written_is_found_before(annotated, tmp_path):
    annotated.obs["gaps"] = ["a", None, "b"]
    check_writable(tmp_path / "p.h5ad", annotated)
    annotated.uns["odd"] = object()
    check_writable(tmp_path / "p.csv", annotated)
    with pytest.raises(
        ArgumentError, match=r"The .uns of these cells cannot be written to .h5ad: .*Write to a .csv"
    ):
        check_writable(tmp_path / "p.h5ad", annotated)
    assert list(tmp_path.iterdir()) == []
