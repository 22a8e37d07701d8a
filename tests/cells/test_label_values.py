"""Labels that are missing, look alike, or are equal though written differently."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gene_gcn.cells import find_near_twins, is_missing, labels_as_text, to_same_kind


def test_missing_labels():
    labels = np.array(
        [None, np.nan, pd.NA, "", " ", "nan", "<NA>", "unknown", "unassigned", "Nano", 0], object
    )
    assert is_missing(labels).tolist() == [True] * 7 + [False] * 4
    assert is_missing(np.array(["null", "none of these"])).tolist() == [True, False]
    assert is_missing(np.array([0.0, np.nan])).tolist() == [False, True]


def test_near_twins_differ_in_case_spaces_or_composition_only():
    composed, decomposed, marked = "Zellen \u00e4", "Zellen a\u0308", "Zellen \u200b\u00e4"
    labels = [
        "Alpha",
        "Alpha ",
        "alpha",
        "CD4+",
        "CD4-",
        "CD4",
        composed,
        decomposed,
        marked,
        "B  cell",
        "B cell",
        3,
    ]
    assert find_near_twins(labels) == [
        ["Alpha", "Alpha ", "alpha"],
        [composed, decomposed, marked],
        ["B  cell", "B cell"],
    ]
    assert find_near_twins(["B", "T"]) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0, 1, 1], [0.0, 1.0, 1.0]),
        ([0, 1, 1], ["0", "1", "1"]),
        ([0.0, 1.0, 1.0], ["0", "1", "1"]),
        ([0, 1, 1], ["0.0", "1.0", "1.0"]),
        (["0", "1", "1"], ["0.0", "1.0", "1.0"]),
        (["0", "1", "unassigned"], ["0", "1", "unassigned"]),
    ],
)
def test_labels_are_compared_by_value(first, second):
    for pair in ((first, second), (second, first)):
        one, other = to_same_kind(*map(np.asarray, pair))
        assert (one == other).all()


def test_text_is_text():
    one, other = to_same_kind(np.array(["1", "01", "B"]), np.array(["01", "1", "B"]))
    assert (one == other).tolist() == [False, False, True]
    one, other = to_same_kind(np.array([1.0, 2.5]), np.array(["1", "B"]))
    assert one.tolist() == ["1", "2.5"] and other.tolist() == ["1", "B"]
    assert labels_as_text(np.array([0.0, 2.5])).tolist() == ["0", "2.5"]
