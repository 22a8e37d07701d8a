"""What the labels of training cells come to."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from example_cells import make_cells

from gene_gcn.errors import ArgumentError, LabelWarning
from gene_gcn.estimators.targets import Targets


def test_types_are_numbered_and_weighted():
    labels = np.array(["b"] * 40 + ["a"] * 10 + [None] * 10, dtype=object)
    targets = Targets.read(make_cells(), labels, "balanced", allow_missing=True)
    assert (
        targets.classes.tolist() == ["a", "b"] and targets.is_labeled.tolist() == [True] * 50 + [False] * 10
    )
    assert targets.y.tolist() == [1] * 40 + [0] * 10
    np.testing.assert_allclose(targets.class_weight, [2.5, 0.625])
    np.testing.assert_allclose(targets.prior, [0.5, 0.5])
    unweighted = Targets.read(make_cells(), labels, None, allow_missing=True)
    assert unweighted.class_weight is None
    np.testing.assert_allclose(unweighted.prior, [0.2, 0.8])


def test_numbers_beside_missing_labels_keep_a_dtype():
    labels = np.array([None, 1, 2] * 20, dtype=object)
    targets = Targets.read(make_cells(), labels, None, allow_missing=True)
    assert targets.classes.dtype.kind == "i" and targets.classes.tolist() == [1, 2]


@pytest.mark.parametrize("as_array", [False, True])
def test_measurements_are_no_types(as_array):
    adata = make_cells()
    adata.obs["percent_mt"] = np.linspace(0, 1, 60)
    X, y = (adata.X, adata.obs["percent_mt"].to_numpy()) if as_array else (adata, "percent_mt")
    with pytest.raises(ArgumentError, match="numbers with decimals, such as 0.01695.*astype"):
        Targets.read(X, y, None, allow_missing=False)


def test_identifiers_of_cells_are_said_to_look_like_some():
    adata = make_cells()
    adata.obs["barcode"] = adata.obs_names
    with pytest.warns(LabelWarning, match="60 types for 60 labeled cells, as identifiers of cells would"):
        Targets.read(adata, "barcode", None, allow_missing=False)
    profiles = adata[:20].copy()  # one of each type
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Targets.read(profiles, "barcode", None, allow_missing=False)
