"""One label per cell, from a column or given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from example_cells import make_cells

from gene_gcn.cells import read_labels
from gene_gcn.errors import ArgumentError


def test_labels_from_a_column_or_given():
    adata = make_cells()
    labels = adata.obs["cell_type"]
    expected = np.asarray(labels, dtype=object)
    for y in ("cell_type", labels, labels.astype(object), list(labels), expected[:, None]):
        out = read_labels(adata, y)
        assert out.shape == (60,)
        np.testing.assert_array_equal(out, expected)
    integers = pd.Series(pd.Categorical(np.arange(60) % 3))
    assert read_labels(adata.X, integers).dtype.kind == "i"


def test_unusable_labels():
    adata = make_cells()
    with pytest.raises(
        ArgumentError, match=r"y='celltype' is not.*Did you mean 'cell_type'\?.*\['cell_type'\]"
    ):
        read_labels(adata, "celltype")
    with pytest.raises(ArgumentError, match="names a column of .obs, but X is a csr_matrix"):
        read_labels(adata.X, "cell_type")
    with pytest.raises(ArgumentError, match=r"shape \(59,\), but X has 60 cells"):
        read_labels(adata, list(adata.obs["cell_type"])[1:])
    with pytest.raises(ArgumentError, match="different order"):
        read_labels(adata, adata.obs["cell_type"][::-1])
    with pytest.raises(ArgumentError, match="y to be passed"):
        read_labels(adata, None)
    with pytest.raises(ArgumentError, match="1 class .B., but at least 2"):
        read_labels(adata, ["B"] * 60, min_classes=2)
    for missing in (None, np.nan, pd.NA, ""):
        y = pd.Series(adata.obs["cell_type"].astype(object))
        y.iloc[[4, 7]] = missing
        adata.obs["holes"] = y
        with pytest.raises(ArgumentError, match="2 labels are missing or empty .cells cell4, cell7."):
            read_labels(adata, "holes")
