"""10x files and pandas HDFStores."""

from __future__ import annotations

import warnings

import h5py
import numpy as np
import pandas as pd
import pytest
from example_cells import CELLS, COUNTS, dense
from scipy import sparse

from gene_gcn.cells import read_cells
from gene_gcn.errors import ArgumentError


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
def test_unreadable_hdfstore(tmp_path, monkeypatch, series, message):
    monkeypatch.setattr("gene_gcn.cells.hdf5.find_spec", lambda name: None)
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
