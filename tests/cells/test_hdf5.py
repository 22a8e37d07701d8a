"""10x files and pandas HDFStores."""

from __future__ import annotations

import pickle
import warnings

import h5py
import numpy as np
import pandas as pd
import pytest
from example_cells import CELLS, COUNTS, dense
from scipy import sparse

from gene_gcn.cells import read_cells
from gene_gcn.errors import ArgumentError, GeneGCNWarning, GeneNamesWarning


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
        warnings.simplefilter("error", GeneGCNWarning)
        cells = read_cells(tmp_path / "a.h5")
    assert list(cells.obs_names) == CELLS and list(cells.var_names) == symbols
    assert cells.var["gene_ids"].tolist() == [f"ENSG{i}" for i in range(4)]
    np.testing.assert_array_equal(dense(cells), COUNTS.round())


def write_hdfstore(path, frame, series):
    """Write pandas' fixed format without PyTables, which is optional; columns of one dtype are together."""
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
    monkeypatch.setattr("gene_gcn.cells.matrix.BLOCK", block)
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
    gaps = pd.Series(["T", None, 2, "T"], dtype=object)
    with warnings.catch_warnings(), pd.HDFStore(tmp_path / "a.h5") as store:
        warnings.simplefilter("ignore")  # pandas: performance of objects
        store["rpkm"], store["labels"], store["gaps"] = frame, pd.Series(["T", "B", "T", "NK"]), gaps
    cells = read_cells(tmp_path / "a.h5")
    np.testing.assert_array_equal(cells.to_df(), frame)
    assert cells.obs["labels"].tolist() == ["T", "B", "T", "NK"]
    assert cells.obs["gaps"].fillna("").tolist() == ["T", "", "2", "T"]


class RunsCode:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("nested", [False, True])
def test_no_code_in_a_file_is_run(tmp_path, nested):
    evil = RunsCode(open, str(tmp_path / "ran"), "w")
    evil = np.array([evil, "B"], object) if nested else evil
    write_hdfstore(tmp_path / "a.h5", pd.DataFrame({"G": [1, 2]}, index=["c", "d"]), {})
    with h5py.File(tmp_path / "a.h5", "a") as store:
        group = store.create_group("labels")
        group.attrs["pandas_type"] = np.bytes_("series")
        objects = group.create_dataset("values", (1,), h5py.vlen_dtype(np.uint8))
        objects[0] = np.frombuffer(pickle.dumps(evil), np.uint8)
    with pytest.raises(
        ArgumentError, match="'labels' holds Python objects, which are not read.*names '_?io open'"
    ):
        read_cells(tmp_path / "a.h5")
    assert not (tmp_path / "ran").exists()


def test_objects_among_the_values_of_a_frame_are_refused(tmp_path):
    pytest.importorskip("tables", reason="pandas writes an HDFStore by PyTables, which is optional")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pd.DataFrame({"G": [1.0, 2.0], "type": ["T", "B"]}, index=["c", "d"]).to_hdf(
            tmp_path / "a.h5", key="x"
        )
    with pytest.raises(ArgumentError, match=r"columns of the frame \(type\) are not numbers"):
        read_cells(tmp_path / "a.h5")


def write_10x(path, genomes, names, kinds=None):
    """Write the layout of Cell Ranger 3 with one feature per name."""
    by_gene = sparse.csc_matrix(np.arange(3 * len(names), dtype=np.int32).reshape(len(names), 3))
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(by_gene, name)
        group["shape"], group["barcodes"] = by_gene.shape, np.array(CELLS, "S")
        columns = {"id": names, "name": names, "genome": genomes}
        columns["feature_type"] = kinds or ["Gene Expression"] * len(names)
        for name, values in columns.items():
            group[f"features/{name}"] = np.array(values, "S")


def test_features_that_are_not_genes_are_left_out(tmp_path):
    kinds = ["Gene Expression", "Antibody Capture"]
    write_10x(tmp_path / "a.h5", ["GRCh38", ""], ["CD3E", "CD3"], kinds)
    with pytest.warns(GeneNamesWarning, match="not genes, which are left out: 1 Antibody Capture"):
        cells = read_cells(tmp_path / "a.h5")
    assert list(cells.var_names) == ["CD3E"]


def test_one_of_two_genomes_is_chosen(tmp_path):
    write_10x(tmp_path / "a.h5", ["GRCh38", "mm10"], ["GRCh38_CD3E", "mm10___Cd3e"])
    with pytest.raises(ArgumentError, match="genes of GRCh38, mm10; choose genome='GRCh38' or genome='mm10'"):
        read_cells(tmp_path / "a.h5")
    assert list(read_cells(tmp_path / "a.h5", genome="mm10").var_names) == ["Cd3e"]
    with h5py.File(tmp_path / "b.h5", "w") as file:
        for genome, n in (("hg19", 2), ("mm10", 1)):
            group = file.create_group(genome)
            by_gene = sparse.csc_matrix(np.ones((n, 3), np.int32))
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(by_gene, name)
            group["shape"], group["barcodes"] = by_gene.shape, np.array(CELLS, "S")
            group["genes"] = group["gene_names"] = np.array([f"G{i}" for i in range(n)], "S")
    with pytest.raises(ArgumentError, match="genes of hg19, mm10; choose"):
        read_cells(tmp_path / "b.h5")
    assert read_cells(tmp_path / "b.h5", genome="hg19").n_vars == 2


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"labels": np.array(["a", "b"], object)}, "'labels' holds Python objects.*save it as text"),
        ({"labels": np.arange(3)}, "'labels' has 3 values for 2 cells"),
    ],
)
def test_unreadable_hdfstore(tmp_path, series, message):
    write_hdfstore(tmp_path / "a.h5", pd.DataFrame({"G": [1, 2]}, index=["c", "d"]), series)
    with pytest.raises(ArgumentError, match=message):
        read_cells(tmp_path / "a.h5")


def test_hdfstore_in_the_table_format(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as store:
        store.create_group("rpkm").attrs["pandas_type"] = np.bytes_("frame_table")
    with pytest.raises(
        ArgumentError, match=r"exactly one frame .* in the fixed format.* it holds 'rpkm' \(frame_table\)"
    ):
        read_cells(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("assays/RNA", "of SeuratDisk.*Convert"),
        ("mod/rna", "a MuData.*mudata"),
        ("barcode_idx", "a list of molecules"),
    ],
)
def test_formats_of_other_programs_are_known_by_what_they_hold(tmp_path, group, message):
    for name in ("a.h5", "a.h5ad"):
        with h5py.File(tmp_path / name, "w") as file:
            file[f"{group}/x"] = np.zeros(3)
            file.create_group("obs"), file.create_group("var")
        with pytest.raises(ArgumentError, match=f"{name}' is {message}"):
            read_cells(tmp_path / name)


@pytest.mark.parametrize("array", ["indices", "indptr"])
def test_damaged_10x_file_does_not_end_the_process(tmp_path, array):
    write_10x(tmp_path / "a.h5", ["GRCh38"] * 2, ["CD3E", "LYZ"])
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file[f"matrix/{array}"][-1] = 4000
    with pytest.raises(ArgumentError, match=r"damaged or not a 10x .h5 file"):
        read_cells(tmp_path / "a.h5")
