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
from gene_gcn.errors import ArgumentError, DuplicateGenesWarning, GeneGCNWarning, GeneNamesWarning


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.tsv.gz", "A.CSV", "a.txt", "a.txt.gz"])
def test_tables(frame, tmp_path, name):
    frame.to_csv(tmp_path / name, sep="," if "csv" in name.lower() else "\t")
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
        warnings.simplefilter("error", GeneGCNWarning)
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
        ("", "no cells"),
        ("1,2,2\n3,4,4\n", "has no header"),
        ("gene,c1,c2\nENSG00000000001,1,2\nENSG00000000002,0,1\n", "genes as rows"),
        ("gene,AAACCTGAGAAACCAT-1,AAACCTGAGAAACCTA-1\nCD4,1,2\nCD8A,0,1\n", "genes as rows"),
        ("just one column\nc1\n", "not a table"),
        ("Experiment\n\ncell,A,B\nc1,1,2\n", "its first line, which must name the genes, is followed"),
        ("my own experiment\n\ncell,A\nc1,1\n", "3 fields and the line after it has 1; the first line must"),
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


def test_table_without_cells_is_an_empty_sample(tmp_path):
    (tmp_path / "a.csv").write_text("cell,A,B\n")
    cells = read_cells(tmp_path / "a.csv")
    assert cells.shape == (0, 2) and list(cells.var_names) == ["A", "B"]
    cells = read_cells(tmp_path / "a.csv", obs_columns=["B"])
    assert list(cells.var_names) == ["A"] and list(cells.obs) == ["B"]


@pytest.mark.parametrize("comment", ["##\n## BD Rhapsody\n", "# made by X, in 2020\n", "\n", "sep=,\n"])
def test_comments_before_the_header(tmp_path, comment):
    (tmp_path / "a.csv").write_text(comment + "Cell_Index,A,B\n7,1,2\n9,0,4\n")
    cells = read_cells(tmp_path / "a.csv")
    assert list(cells.obs_names) == ["7", "9"] and cells.X.toarray().tolist() == [[1, 2], [0, 4]]


def test_header_that_looks_like_a_comment(tmp_path):
    (tmp_path / "a.tsv").write_text("# notes\n#cell\tA\tB\nc1\t1\t2\n")
    assert list(read_cells(tmp_path / "a.tsv").var_names) == ["A", "B"]


@pytest.mark.parametrize("separator", [";", "\t", " "])
def test_decimal_commas(tmp_path, separator):
    lines = [["cell", "A", "B", "note"], ["c1", "1,5", "2", "0,5"], ["c2", "0", "0,25", "x"]]
    (tmp_path / "a.txt").write_text(
        "\n".join(separator.join(line) for line in [*lines[:2], ["c2", "0", "0,25", "1"]])
    )
    assert read_cells(tmp_path / "a.txt").X.toarray().tolist() == [[1.5, 2, 0.5], [0, 0.25, 1]]


def test_commas_that_may_mark_thousands_are_refused(tmp_path):
    (tmp_path / "a.tsv").write_text("cell\tA\tB\nc1\t1,500\t2\nc2\t0\t1\n")
    with pytest.raises(ArgumentError, match="'1,500'.*may mark thousands"):
        read_cells(tmp_path / "a.tsv")


def test_table_without_names_of_cells(tmp_path):
    (tmp_path / "a.csv").write_text("GENE0,GENE1\n3,1\n0,0\n3,2\n")
    with pytest.warns(GeneNamesWarning, match="first column, 'GENE0', taken as a gene.*numbered"):
        cells = read_cells(tmp_path / "a.csv")
    assert list(cells.var_names) == ["GENE0", "GENE1"] and list(cells.obs_names) == ["0", "1", "2"]
    assert cells.X.toarray().tolist() == [[3, 1], [0, 0], [3, 2]]
    (tmp_path / "b.csv").write_text("odd,GENE1\n3,1\n0,0\n5,2\n")
    with pytest.warns(GeneNamesWarning, match="'odd', taken as the names of the cells, a guess"):
        assert list(read_cells(tmp_path / "b.csv").obs_names) == ["3", "0", "5"]


@pytest.mark.parametrize("corner", ["", "cell", "Unnamed: 0", "Cell_Index", "barcode", "cell_id", "CellID"])
def test_cells_named_by_numbers(tmp_path, corner):
    (tmp_path / "a.csv").write_text(f"{corner},A\n8,1\n3,0\n8,2\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error", GeneGCNWarning)
        assert list(read_cells(tmp_path / "a.csv").obs_names) == ["8", "3", "8"]


def test_measures_of_cells_are_not_genes(tmp_path):
    (tmp_path / "a.csv").write_text("cell,nCount_RNA,A,percent.mt\nc1,900,1,0.5\nc2,800,0,1.5\n")
    with pytest.warns(GeneNamesWarning, match=r"not genes \(nCount_RNA, percent.mt\)"):
        cells = read_cells(tmp_path / "a.csv")
    assert list(cells.var_names) == ["A"] and cells.obs["nCount_RNA"].tolist() == [900, 800]


def test_descriptions_with_gaps_can_be_written(tmp_path):
    text = "cell,doublet,note,batch,A\nc1,True,good,,1\nc2,,,2,0\nc3,False,3,1,0\nc4,True,x,1,0\n"
    (tmp_path / "a.csv").write_text(text)
    cells = read_cells(tmp_path / "a.csv", obs_columns=["batch"])
    assert cells.obs["doublet"].isna().tolist() == [False, True, False, False]
    assert cells.obs["note"].dropna().tolist() == ["good", "3", "x"]
    assert cells.obs["batch"].fillna(0).tolist() == [0, 2, 1, 1]
    cells.write_h5ad(tmp_path / "a.h5ad")


def test_descriptions_that_begin_with_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("gene_gcn.cells.text_tables.HEAD", 3)
    rows = [f"c{i},{name},{i}" for i, name in enumerate(["1", "x", "y", "2", "3", "4"])]
    (tmp_path / "a.csv").write_text("cell,cluster,A\n" + "\n".join(rows))
    cells = read_cells(tmp_path / "a.csv")
    assert cells.obs["cluster"].tolist() == ["1", "x", "y", "2", "3", "4"]


def test_utf16_as_excel_writes_it(frame, tmp_path):
    (tmp_path / "a.txt").write_bytes(frame.to_csv(sep="\t").encode("utf-16"))
    assert_example(read_cells(tmp_path / "a.txt"))


def test_other_encodings_are_refused(frame, tmp_path):
    (tmp_path / "a.csv").write_bytes(frame.rename(index={"c2": "naïve"}).to_csv().encode("latin-1"))
    with pytest.raises(
        ArgumentError, match=r"a.csv' is not a table, or not in UTF-8 .*save it as .csv in UTF-8"
    ):
        read_cells(tmp_path / "a.csv")


@pytest.mark.parametrize("corner", ["", "cell"])
@pytest.mark.parametrize("in_header", [False, True])
def test_separators_at_the_end_of_rows(frame, tmp_path, corner, in_header):
    header, *rows = frame.rename_axis(corner).to_csv().splitlines()
    lines = [header + "," * in_header, *(row + "," for row in rows)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    cells = read_cells(tmp_path / "a.csv")
    assert list(cells.var_names) == ["CD3E", "NA", "MS4A1", "LYZ", ""]
    with pytest.warns(GeneNamesWarning, match="1 of the 5 genes of X have no name and are left out"):
        expression = read_expression(cells)
    np.testing.assert_array_equal(expression.X.toarray(), frame.drop(columns="cell_type"))


def test_blanks_around_names_are_not_part_of_them(tmp_path):
    (tmp_path / "a.csv").write_text("cell, A, B\nc1, 1, 2\nc2, 0, 4\n")
    cells = read_cells(tmp_path / "a.csv")
    assert list(cells.var_names) == ["A", "B"] and cells.X.toarray().tolist() == [[1, 2], [0, 4]]


@pytest.mark.parametrize(
    ("separator", "number", "mark"),
    [(";", "1.234", "point"), ("\t", "12.345", "point"), (",", '"1,234"', "comma")],
)
def test_marks_of_thousands_are_refused(tmp_path, separator, number, mark):
    lines = [["cell", "A", "B"], ["c1", number, "2"], ["c2", "250", "17"]]
    (tmp_path / "a.txt").write_text("\n".join(map(separator.join, lines)))
    with pytest.raises(
        ArgumentError, match=f"numbers with {mark}s .*which may mark thousands or decimals; write"
    ):
        read_cells(tmp_path / "a.txt")


@pytest.mark.parametrize("values", [["1.234", "0.693"], ["1.2", "1.234"], ["1.234", "2.345"]])
def test_decimals_of_three_digits_are_read(tmp_path, values):
    (tmp_path / "a.tsv").write_text(f"cell\tA\tB\nc1\t{values[0]}\t0\nc2\t{values[1]}\t0\n")
    X = read_cells(tmp_path / "a.tsv").X.toarray()
    np.testing.assert_array_equal(X[:, 0], np.array(values, np.float32))


def test_reads_without_a_gene_spike_ins_and_embeddings_are_left_out(tmp_path):
    (tmp_path / "a.csv").write_text(
        "cell,A,__no_feature,ERCC-00002,UMAP_1,leiden\nc1,1,500,9,-3.5,0\nc2,2,400,9,1,1\n"
    )
    with pytest.warns(GeneNamesWarning, match=r"not genes \(__no_feature, ERCC-00002, UMAP_1, …\)"):
        cells = read_cells(tmp_path / "a.csv")
    assert list(cells.var_names) == ["A"] and "ERCC-00002" in cells.obs


def test_remedy_for_genes_as_rows_can_be_followed(frame, tmp_path):
    genes = frame.drop(columns="cell_type").T.set_axis(["ACTB", "GAPDH", "CD3E", "LYZ"])
    genes.to_csv(tmp_path / "a.tsv", sep="\t")
    with pytest.raises(ArgumentError, match="genes as rows") as caught:
        read_cells(tmp_path / "a.tsv")
    remedy = str(caught.value).partition("Transpose it: ")[2].rstrip(".")
    names = {"pandas": pd, "FILE": tmp_path / "a.tsv", "NEW_FILE": tmp_path / "b.csv"}
    eval(remedy, names)
    assert list(read_cells(tmp_path / "b.csv").var_names) == list(genes.index)
