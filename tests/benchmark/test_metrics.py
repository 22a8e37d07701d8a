"""Metrics against values computed by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from gene_gcn.benchmark.metrics import evaluate, expected_calibration_error, recall_per_type

TRUE = np.array(["a", "a", "a", "b", "b", "c"])
PRED = np.array(["a", "a", "b", "b", "b", "a"])


def test_metrics_by_hand():
    f1 = {"a": 2 * 2 / (3 + 3), "b": 2 * 2 / (2 + 3), "c": 0.0}
    metrics = evaluate(TRUE, PRED)
    assert metrics == pytest.approx(
        {
            "accuracy": 4 / 6,
            "macro_f1": np.mean(list(f1.values())),
            "weighted_f1": (3 * f1["a"] + 2 * f1["b"]) / 6,
            "balanced_accuracy": np.mean([2 / 3, 1, 0]),
        }
    )
    assert all(type(value) is float for value in metrics.values())


def test_recall_by_hand():
    table = recall_per_type(TRUE, PRED)
    assert table.index.tolist() == ["a", "b", "c"] and table.index.name == "type"
    assert table["cells"].tolist() == [3, 2, 1] and table["correct"].tolist() == [2, 2, 0]
    assert table["recall"].tolist() == pytest.approx([2 / 3, 1, 0])


def test_calibration_error_by_hand():
    confidence = [0.95, 0.97, 0.4, 0.62, 0.65, 1 / 15]  # the last one on the edge of the first bin
    # Bins of 1/15: (14/15, 1] right, right; (5/15, 6/15] wrong; (9/15, 10/15] right, right; (0, 1/15] wrong.
    by_hand = (2 * abs(1 - 0.96) + abs(0 - 0.4) + 2 * abs(1 - 0.635) + abs(0 - 1 / 15)) / 6
    assert expected_calibration_error(TRUE, PRED, confidence) == pytest.approx(by_hand)
    assert expected_calibration_error(TRUE, TRUE, np.ones(6)) == 0
    assert expected_calibration_error(TRUE, TRUE, np.zeros(6)) == 1
    assert expected_calibration_error(TRUE, PRED, np.full(6, 0.5), n_bins=1) == pytest.approx(4 / 6 - 0.5)


def test_order_of_cells_and_names_of_types_do_not_matter():
    order = np.random.default_rng(0).permutation(len(TRUE))
    other = {"a": "z", "b": "Ä b", "c": "0"}
    renamed = [np.array([other[v] for v in labels[order]], dtype=object) for labels in (TRUE, PRED)]
    assert evaluate(*renamed) == pytest.approx(evaluate(TRUE, PRED))


@pytest.mark.parametrize("make", [list, pd.Series, pd.Categorical, lambda v: np.asarray(v, object)])
def test_any_kind_of_labels(make):
    assert evaluate(make(TRUE), make(PRED)) == evaluate(TRUE, PRED)
    assert recall_per_type(make(TRUE), make(PRED)).equals(recall_per_type(TRUE, PRED))


def test_numbers_and_numerals_are_the_same_types():
    assert evaluate([0, 1, 1], ["0", "1", "0"])["accuracy"] == pytest.approx(2 / 3)
    assert evaluate([0.0, 1.0, 1.0], ["0", "1", "0"])["accuracy"] == pytest.approx(2 / 3)
    assert evaluate([0.0, 1.0, 1.0], [0, 1, 0])["accuracy"] == pytest.approx(2 / 3)


def test_perfect_and_unknown_types_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert set(evaluate(TRUE, TRUE).values()) == {1.0}
        metrics = evaluate(["a", "a"], ["a", "never seen"])
    assert metrics["accuracy"] == metrics["balanced_accuracy"] == 0.5


@pytest.mark.parametrize(("true", "pred"), [([], []), (["a"], ["a", "b"]), ([["a"]], [["a"]])])
def test_mismatched_labels_are_refused(true, pred):
    for function in (evaluate, recall_per_type):
        with pytest.raises(ValueError, match="one label per cell"):
            function(true, pred)
    with pytest.raises(ValueError, match=r"confidence has shape \(1,\)"):
        expected_calibration_error(TRUE, PRED, [0.5])
