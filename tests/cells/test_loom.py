"""Loom files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from example_cells import CELLS, COUNTS, GENES, TYPES, assert_example

from gene_gcn.cells import read_cells
from gene_gcn.errors import ArgumentError


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
    assert_example(cells)
    assert list(cells.obs) == ["cell_type"] and cells.var["Chromosome"].tolist() == ["1", "2", "3", "X"]
    np.testing.assert_array_equal(cells.layers["spliced"].toarray(), COUNTS * 2)


def write_loom(path, **attributes):
    with h5py.File(path, "w") as file:
        file["matrix"] = COUNTS.T
        file["row_attrs/Gene"], file["col_attrs/CellID"] = np.array(GENES, "S"), np.array(CELLS, "S")
        for name, values in attributes.items():
            file[f"col_attrs/{name}"] = values


def test_attributes_that_are_not_lists_of_numbers_or_texts_are_left_out(tmp_path):
    write_loom(
        tmp_path / "a.loom", n=np.arange(3), ok=np.array([True, False, True]), raw=np.void(b"\x80\x04")
    )
    with h5py.File(tmp_path / "a.loom", "a") as file:
        file["col_attrs/group/x"] = np.arange(3)
        bytes_each = file["col_attrs"].create_dataset("bytes", (3,), h5py.vlen_dtype(np.uint8))
        bytes_each[0] = np.frombuffer(b"cos\nsystem\n(S'true'\ntR.", np.uint8)
    assert list(read_cells(tmp_path / "a.loom").obs) == ["n", "ok"]


def test_attribute_of_another_length_is_named(tmp_path):
    write_loom(tmp_path / "a.loom", batch=np.arange(2))
    with pytest.raises(ArgumentError, match="'batch' has 2 values for 3 columns; loom has genes as rows"):
        read_cells(tmp_path / "a.loom")


def test_matrix_that_is_a_group_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.loom", "w") as file:
        file["matrix/data"], file["row_attrs/Gene"] = np.arange(3), np.array(GENES, "S")
    with pytest.raises(ArgumentError, match="damaged or not a loom file: it has no 'matrix'"):
        read_cells(tmp_path / "a.loom")
