"""Cell files in: the same cells whatever the format. Results out: whole or not at all."""

from __future__ import annotations

import gzip
import tracemalloc
import warnings

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn.cells.expression import read_expression
from gene_gcn.cells.files import ENDINGS, read_cells, write_predictions
from gene_gcn.storage.atomic import replacing

GENES = ["CD3E", "NA", "MS4A1", "LYZ"]
CELLS = ["001", "c2", "c3"]
COUNTS = np.array([[3, 0, 0, 1], [0, 0, 7, 2.5], [0, 4, 0, 0]], np.float32)
TYPES = ["T cell", "B cell", "mono, classical"]


@pytest.fixture
def frame() -> pd.DataFrame:
    table = pd.DataFrame(COUNTS, index=CELLS, columns=GENES)
    table.insert(1, "cell_type", TYPES)
    return table


@pytest.fixture
def adata() -> anndata.AnnData:
    return anndata.AnnData(
        sparse.csr_matrix(COUNTS),
        obs=pd.DataFrame({"cell_type": TYPES}, index=CELLS),
        var=pd.DataFrame(index=GENES),
    )


def dense(cells: anndata.AnnData) -> np.ndarray:
    return cells.X.toarray() if sparse.issparse(cells.X) else cells.X


def check(cells: anndata.AnnData) -> None:
    assert list(cells.obs_names) == CELLS and list(cells.var_names) == GENES
    assert list(cells.obs["cell_type"]) == TYPES
    np.testing.assert_array_equal(dense(cells), COUNTS)


# ---- formats ----


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.tsv.gz", "A.CSV"])
def test_tables(frame, tmp_path, name):
    frame.to_csv(tmp_path / name, sep="\t" if ".tsv" in name else ",")
    cells = read_cells(tmp_path / name)
    check(cells)
    assert sparse.issparse(cells.X) and cells.X.dtype == np.float32


def test_a_table_with_its_own_corner_windows_lines_a_mark_and_another_separator(frame, tmp_path):
    for separator, corner in [(";", "cell"), ("\t", "")]:
        text = frame.rename_axis(corner).to_csv(sep=separator, lineterminator="\r\n")
        (tmp_path / "a.csv").write_bytes(text.encode("utf-8-sig"))
        check(read_cells(tmp_path / "a.csv"))


def test_a_table_as_r_writes_it(frame, tmp_path):
    lines = frame.to_csv(sep="\t", quoting=2).splitlines()
    lines[0] = lines[0].removeprefix('""\t')  # write.table leaves the corner out
    (tmp_path / "a.tsv").write_text("\n".join(lines))
    check(read_cells(tmp_path / "a.tsv"))


def test_genes_that_repeat_in_a_table_stay_and_are_summed_later(tmp_path):
    (tmp_path / "a.csv").write_text("cell,A,B,A\nc1,1,2,3\nc2,0,1,4\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cells = read_cells(tmp_path / "a.csv")
    assert list(cells.var_names) == ["A", "B", "A"]
    with pytest.warns(UserWarning, match="summed"):
        assert read_expression(cells).X.toarray().tolist() == [[4, 2], [4, 1]]


def test_columns_of_numbers_that_describe_cells(tmp_path):
    (tmp_path / "a.csv").write_text("cell,A,cluster,doublet,B\nc1,1,0,True,3\nc2,0,1,False,4\n")
    assert list(read_cells(tmp_path / "a.csv").var_names) == ["A", "cluster", "B"]
    cells = read_cells(tmp_path / "a.csv", obs_columns=["cluster", "absent"])
    assert list(cells.var_names) == ["A", "B"] and list(cells.obs) == ["cluster", "doublet"]
    assert cells.obs["cluster"].tolist() == [0, 1]


def test_an_empty_field_is_missing_and_refused_by_name(tmp_path):
    (tmp_path / "a.csv").write_text("cell,A,B\nc1,1,\nc2,0,4\n")
    with pytest.raises(ValueError, match="NaN.*'c1'.*'B'"):
        read_expression(read_cells(tmp_path / "a.csv"))


def test_a_table_is_read_in_blocks(tmp_path, monkeypatch):
    X = np.random.default_rng(0).poisson(0.05, (400, 500)).astype(np.float32)
    pd.DataFrame(X, index=[f"c{i}" for i in range(400)]).add_prefix("g").to_csv(tmp_path / "a.csv")
    monkeypatch.setattr("gene_gcn.cells.files.BLOCK", 20_000)
    tracemalloc.start()
    cells = read_cells(tmp_path / "a.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(dense(cells), X)
    assert peak < 5 * X.nbytes


def test_h5ad(adata, tmp_path):
    adata.write_h5ad(tmp_path / "a.h5ad")
    check(read_cells(tmp_path / "a.h5ad"))


@pytest.mark.parametrize("version", [2, 3])
def test_10x(tmp_path, version):
    """The layout of Cell Ranger: genes × cells, by columns."""
    by_gene = sparse.csc_matrix(COUNTS.T.round().astype(np.int32))
    symbols = ["CD3E", "DUP", "DUP", "LYZ"]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("matrix" if version == 3 else "GRCh38")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(by_gene, name)
        group["shape"], group["barcodes"] = by_gene.shape, np.array(CELLS, "S")
        features = group.create_group("features") if version == 3 else group
        ids = np.array([f"ENSG{i}" for i in range(4)], "S")
        features["id" if version == 3 else "genes"] = ids
        features["name" if version == 3 else "gene_names"] = np.array(symbols, "S")
        if version == 3:
            features["feature_type"] = np.array(["Gene Expression"] * 4, "S")
            features["genome"] = np.array(["GRCh38"] * 4, "S")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cells = read_cells(tmp_path / "a.h5")
    assert list(cells.obs_names) == CELLS and list(cells.var_names) == symbols
    assert cells.var["gene_ids"].tolist() == [f"ENSG{i}" for i in range(4)]
    np.testing.assert_array_equal(dense(cells), COUNTS.round())


@pytest.mark.parametrize("text", ["S", h5py.string_dtype()], ids=["fixed", "variable"])
def test_loom(tmp_path, text):
    with h5py.File(tmp_path / "a.loom", "w") as file:
        file["matrix"] = COUNTS.T
        file["layers/spliced"] = COUNTS.T * 2
        file["row_attrs/Gene"], file["row_attrs/Chromosome"] = (
            np.array(v, object).astype(text) for v in (GENES, ["1", "2", "3", "X"])
        )
        file["col_attrs/CellID"] = np.array(CELLS, object).astype(text)
        file["col_attrs/cell_type"] = np.array(TYPES, object).astype(text)
        file["col_attrs/umap"] = np.zeros((3, 2))  # not one value per cell: left out
    cells = read_cells(tmp_path / "a.loom")
    check(cells)
    assert list(cells.obs) == ["cell_type"] and cells.var["Chromosome"].tolist() == ["1", "2", "3", "X"]
    np.testing.assert_array_equal(cells.layers["spliced"].toarray(), COUNTS * 2)


def test_real_cells_are_the_same_from_every_format(shared_data, tmp_path):
    cells = read_cells(shared_data / "cells" / "panc8_small.h5ad")[:60].copy()
    table = cells.to_df()
    table["cell_type"] = cells.obs["cell_type"].astype(str)
    table.to_csv(tmp_path / "a.csv.gz")
    with h5py.File(tmp_path / "a.loom", "w") as file:
        file["matrix"] = table[cells.var_names].to_numpy().T
        file["row_attrs/Gene"], file["col_attrs/CellID"] = list(cells.var_names), list(cells.obs_names)
    for name in ("a.csv.gz", "a.loom"):
        back = read_cells(tmp_path / name)
        assert list(back.var_names) == list(cells.var_names) and list(back.obs_names) == list(cells.obs_names)
        np.testing.assert_allclose(dense(back), cells.to_df().to_numpy(), rtol=1e-6)


def write_hdfstore(path, frame, series):
    """pandas' fixed format, by hand: it needs PyTables, which is optional. Columns of each type are together."""
    with h5py.File(path, "w") as store:
        group = store.create_group("rpkm")
        blocks = [frame.select_dtypes(dtype) for dtype in dict.fromkeys(frame.dtypes)]
        group.attrs.update({"pandas_type": np.bytes_("frame"), "nblocks": len(blocks)})
        group["axis0"], group["axis1"] = np.array(frame.columns, "S"), np.array(frame.index, "S")
        for i, block in enumerate(blocks):
            group[f"block{i}_items"], group[f"block{i}_values"] = (
                np.array(block.columns, "S"),
                block.to_numpy(),
            )
        for name, values in series.items():
            group = store.create_group(name)
            group.attrs["pandas_type"] = np.bytes_("series")
            if values.dtype.kind != "O":
                group["values"] = values
                continue
            objects = group.create_dataset("values", (1,), h5py.vlen_dtype(np.uint8))
            objects[0] = np.zeros(9, np.uint8)


@pytest.mark.parametrize("block", [1, 100])
def test_hdfstore(tmp_path, monkeypatch, block):
    monkeypatch.setattr("gene_gcn.cells.files.BLOCK", block)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.poisson(0.5, (12, 5)), index=[f"c{i}" for i in range(12)], columns=list("EADCB"))
    frame = frame.astype({"E": float, "D": float})
    labels = np.array(["T cell", "B"] * 6, "S")
    write_hdfstore(tmp_path / "train_data.h5", frame, {"labels": labels, "donor": np.arange(12)})
    cells = read_cells(tmp_path / "train_data.h5")
    assert list(cells.var_names) == list("EADCB") and list(cells.obs_names) == list(frame.index)
    np.testing.assert_array_equal(cells.X.toarray(), frame.to_numpy())
    assert cells.obs["labels"].tolist() == ["T cell", "B"] * 6 and cells.obs["donor"].tolist() == list(
        range(12)
    )


def test_hdfstore_of_pandas(tmp_path):
    pytest.importorskip("tables", reason="pandas writes an HDFStore by PyTables, which is optional")
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3), index=list("wxyz"), columns=["G1", "G2", "G3"])
    with pd.HDFStore(tmp_path / "a.h5") as store:
        store["rpkm"], store["labels"] = frame, pd.Series(["T", "B", "T", "NK"])
    cells = read_cells(tmp_path / "a.h5")
    np.testing.assert_array_equal(cells.to_df(), frame)
    assert cells.obs["labels"].tolist() == ["T", "B", "T", "NK"]


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"labels": np.array(["a", "b"], object)}, "'labels' holds Python objects.*pip install tables"),
        ({"labels": np.arange(3)}, "'labels' has 3 values for 2 cells"),
    ],
)
def test_hdfstore_that_cannot_be_read(tmp_path, monkeypatch, series, message):
    monkeypatch.setattr("gene_gcn.cells.files.find_spec", lambda name: None)
    write_hdfstore(tmp_path / "a.h5", pd.DataFrame({"G": [1, 2]}, index=["c", "d"]), series)
    with pytest.raises(ValueError, match=message):
        read_cells(tmp_path / "a.h5")


def test_hdfstore_in_the_table_format(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as store:
        store.create_group("rpkm").attrs["pandas_type"] = np.bytes_("frame_table")
    with pytest.raises(ValueError, match="one in the fixed format must hold the cells"):
        read_cells(tmp_path / "a.h5")


# ---- what is wrong with a file ----


def test_absent_files_folders_and_unknown_endings(tmp_path):
    (tmp_path / "a.mtx").write_text("")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_cells(tmp_path / "absent.h5ad")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read_cells(tmp_path)
    with pytest.raises(ValueError, match="known are .h5ad, .h5, .loom, .csv"):
        read_cells(tmp_path / "a.mtx")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "content", [b"", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08\x00garbage", b"<html>\n<body>no</body>\n"]
)
def test_damaged_files_are_told_in_one_sentence(tmp_path, ending, content):
    (tmp_path / f"a{ending}").write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read_cells(tmp_path / f"a{ending}")
    assert str(tmp_path / f"a{ending}") in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", [".h5ad", ".csv.gz"])
def test_files_cut_off(adata, frame, tmp_path, ending):
    file = tmp_path / f"a{ending}"
    adata.write_h5ad(file) if ending == ".h5ad" else file.write_bytes(gzip.compress(frame.to_csv().encode()))
    file.write_bytes(file.read_bytes()[: int(0.7 * file.stat().st_size)])
    with pytest.raises(ValueError, match="damaged"):
        read_cells(file)


def test_another_kind_of_hdf5(adata, tmp_path):
    adata.write_h5ad(tmp_path / "a.h5ad")
    for ending, kind in [(".h5", "a 10x .h5 file"), (".loom", "a loom file")]:
        (tmp_path / "a.h5ad").rename(tmp_path / f"a{ending}")
        with pytest.raises(ValueError, match=f"not {kind}"):
            read_cells(tmp_path / f"a{ending}")
        (tmp_path / f"a{ending}").rename(tmp_path / "a.h5ad")


@pytest.mark.parametrize(
    "text, message",
    [
        ("cell,A,B\n", "no cells"),
        ("just one column\nc1\n", "not a table"),
        ("cell,A,B\nc1,1\n", "not a table"),
        ("cell,A,B\nc1,1,2\nc2,1,2,3\n", "damaged or not a table"),
        ("cell,type\nc1,T\nc2,B\n", "no column of numbers"),
        ("cell,A,B\nc1,1,2\nc2,1,2\nc3,missing,1\n", "'A' holds numbers and text.*'missing'"),
        ("gene,c1,c2\nACTB,1,2\nGAPDH,1,2\nCD3E,0,1\n", "genes as rows"),
    ],
)
def test_tables_that_are_none(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_cells(tmp_path / "a.csv")


def test_text_far_down_in_a_gene(tmp_path):
    rows = [f"c{i},{i},1" for i in range(500)]
    (tmp_path / "a.csv").write_text("cell,A,B\n" + "\n".join([*rows, "c500,oops,1"]))
    with pytest.raises(ValueError, match="a.csv.*oops"):
        read_cells(tmp_path / "a.csv")


# ---- results ----


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    target = tmp_path / "new" / "a.csv"
    with replacing(target) as file:
        assert file.suffix == ".csv" and file.parent == target.parent
        file.write_text("first")
    with pytest.raises(KeyboardInterrupt), replacing(target) as file:
        file.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "first" and [p.name for p in target.parent.iterdir()] == ["a.csv"]


@pytest.fixture
def annotated(adata) -> anndata.AnnData:
    adata.obs["gene_gcn"] = pd.Categorical(["T", "B", "T"])
    adata.obs["gene_gcn_confidence"] = [0.5, 0.75, 1.0]
    return adata


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.csv.gz", "with.dots.tsv.gz"])
def test_predictions_as_a_table(annotated, tmp_path, name):
    write_predictions(tmp_path / name, annotated)
    table = pd.read_csv(tmp_path / name, sep="\t" if ".tsv" in name else ",", dtype={"cell": str})
    assert table["cell"].tolist() == CELLS and table["label"].tolist() == ["T", "B", "T"]
    assert table["confidence"].tolist() == [0.5, 0.75, 1.0]


def test_predictions_as_anndata(annotated, tmp_path):
    write_predictions(tmp_path / "p.h5ad", annotated)
    back = anndata.read_h5ad(tmp_path / "p.h5ad")
    check(back)
    assert list(back.obs["gene_gcn"]) == ["T", "B", "T"]


def test_predictions_of_an_unknown_kind(annotated, tmp_path):
    with pytest.raises(ValueError, match="p.xlsx.*endings .h5ad, .csv"):
        write_predictions(tmp_path / "p.xlsx", annotated)
