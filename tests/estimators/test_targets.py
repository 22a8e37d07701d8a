"""What the labels of training cells come to."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from gene_gcn.errors import ArgumentError, LabelWarning
from gene_gcn.estimators.targets import Targets


def test_types_are_numbered_and_weighted():
    labels = np.array(["b"] * 40 + ["a"] * 10 + [None] * 10, dtype=object)
    targets = Targets.of(labels, "balanced")
    assert (
        targets.classes.tolist() == ["a", "b"] and targets.is_labeled.tolist() == [True] * 50 + [False] * 10
    )
    assert targets.y.tolist() == [1] * 40 + [0] * 10
    np.testing.assert_allclose(targets.class_weight, [2.5, 0.625])
    np.testing.assert_allclose(targets.prior, [0.5, 0.5])
    unweighted = Targets.of(labels, None)
    assert unweighted.class_weight is None
    np.testing.assert_allclose(unweighted.prior, [0.2, 0.8])


def test_numbers_beside_missing_labels_keep_a_dtype():
    labels = np.array([None, 1, 2] * 20, dtype=object)
    targets = Targets.of(labels, None)
    assert targets.classes.dtype.kind == "i" and targets.classes.tolist() == [1, 2]


def test_measurements_are_no_types():
    with pytest.raises(ArgumentError, match="numbers with decimals, such as 0.01695.*astype"):
        Targets.of(np.linspace(0, 1, 60), None)


def test_identifiers_of_cells_are_said_to_look_like_some():
    barcodes = np.array([f"cell{i}" for i in range(60)])
    with pytest.warns(LabelWarning, match="60 types for 60 labeled cells, as identifiers of cells would"):
        Targets.of(barcodes, None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Targets.of(barcodes[:20], None)  # one cell of each type, as in a reference of mean profiles
