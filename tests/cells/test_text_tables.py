"""Text tables of cells × genes."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from example_cells import assert_example, dense
from scipy import sparse

from gene_gcn.cells import read_cells, read_expression
from gene_gcn.errors import ArgumentError, DuplicateGenesWarning


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.tsv.gz", "A.CSV"])
def test_tables(frame, tmp_path, name):
    frame.to_csv(tmp_path / name, sep="\t" if ".tsv" in name else ",")
    cells = read_cells(tmp_path / name)
    assert_example(cells)
    assert sparse.issparse(cells.X) and cells.X.dtype == np.float32


def test_table_with_a_byte_order_mark_crlf_and_another_separator(frame, tmp_path):
    for separator, corner in [(";", "cell"), ("\t", "")]:
        text = frame.rename_axis(corner).to_csv(sep=separator, lineterminator="\r\n")
        (tmp_path / "a.csv").write_bytes(text.encode("utf-8-sig"))
        assert_example(read_cells(tmp_path / "a.csv"))


def test_table_written_by_r(frame, tmp_path):
    lines = frame.to_csv(sep="\t", quoting=2).splitlines()
    lines[0] = lines[0].removeprefix('""\t')  # write.table leaves the corner out
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    assert_example(read_cells(tmp_path / "a.tsv"))


def test_duplicate_genes_are_kept_and_summed_later(tmp_path):
    (tmp_path / "a.csv").write_text("cell,A,B,A\nc1,1,2,3\nc2,0,1,4\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cells = read_cells(tmp_path / "a.csv")
    assert list(cells.var_names) == ["A", "B", "A"]
    with pytest.warns(DuplicateGenesWarning, match="summed"):
        assert read_expression(cells).X.toarray().tolist() == [[4, 2], [4, 1]]


def test_numeric_columns_that_describe_cells(tmp_path):
    (tmp_path / "a.csv").write_text("cell,A,cluster,doublet,B\nc1,1,0,True,3\nc2,0,1,False,4\n")
    assert list(read_cells(tmp_path / "a.csv").var_names) == ["A", "cluster", "B"]
    cells = read_cells(tmp_path / "a.csv", obs_columns=["cluster", "absent"])
    assert list(cells.var_names) == ["A", "B"] and list(cells.obs) == ["cluster", "doublet"]
    assert cells.obs["cluster"].tolist() == [0, 1]


def test_empty_field_is_a_missing_value(tmp_path):
    (tmp_path / "a.csv").write_text("cell,A,B\nc1,1,\nc2,0,4\n")
    with pytest.raises(ArgumentError, match="NaN.*'c1'.*'B'"):
        read_expression(read_cells(tmp_path / "a.csv"))


def test_table_is_read_in_blocks(tmp_path, monkeypatch):
    X = np.random.default_rng(0).poisson(0.05, (400, 500)).astype(np.float32)
    pd.DataFrame(X, index=[f"c{i}" for i in range(400)]).add_prefix("g").to_csv(tmp_path / "a.csv")
    monkeypatch.setattr("gene_gcn.cells.matrix.BLOCK", 20_000)
    tracemalloc.start()
    cells = read_cells(tmp_path / "a.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(dense(cells), X)
    assert peak < 5 * X.nbytes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cell,A,B\n", "no cells"),
        ("just one column\nc1\n", "not a table"),
        ("cell,A,B\nc1,1\n", "not a table"),
        ("cell,A,B\nc1,1,2\nc2,1,2,3\n", "damaged or not a table"),
        ("cell,type\nc1,T\nc2,B\n", "no column of numbers"),
        ("cell,A,B\nc1,1,2\nc2,1,2\nc3,missing,1\n", "'A' mixes numbers and text .'missing'"),
        ("gene,c1,c2\nACTB,1,2\nGAPDH,1,2\nCD3E,0,1\n", "genes as rows"),
    ],
)
def test_file_that_is_not_a_table(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ArgumentError, match=message):
        read_cells(tmp_path / "a.csv")


def test_text_far_down_in_a_gene(tmp_path):
    rows = [f"c{i},{i},1" for i in range(500)]
    (tmp_path / "a.csv").write_text("cell,A,B\n" + "\n".join([*rows, "c500,oops,1"]))
    with pytest.raises(ArgumentError, match="a.csv.*oops"):
        read_cells(tmp_path / "a.csv")
