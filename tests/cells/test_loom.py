"""Loom files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from example_cells import CELLS, COUNTS, GENES, TYPES, assert_example

from gene_gcn.cells import read_cells


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
