from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.errors import ArgumentError
from gene_gcn.networks.edge_columns import EdgeColumns, are_by_position, checked_scores, find_edge_columns


@pytest.mark.parametrize(
    ("headings", "expected"),
    [
        (["source", "target", "weight"], EdgeColumns(0, 1, 2)),
        (["Weight", "x", "Target", "Source"], EdgeColumns(3, 2, 0)),
        (["weight", "Weight", "source", "target"], EdgeColumns(2, 3, 0)),
        (["#node1", "node2", "node1_string_id", "combined_score"], EdgeColumns(0, 1, 3)),
        (["source", "target", "score", "combined_score"], EdgeColumns(0, 1, 3)),
        (["source", "target", "note", "score"], EdgeColumns(0, 1, 3, is_guess=True)),
        (["source", "target", "note"], EdgeColumns(0, 1, others=(2,))),
        (["a", "b"], None),
    ],
)
def test_headings(headings, expected):
    assert find_edge_columns(headings, "path", "The file") == expected


def test_ambiguous_headings():
    with pytest.raises(ArgumentError, match=r"several columns that can be scores \(score, similarity\)"):
        find_edge_columns(["source", "target", "score", "similarity"], "path", "The file")
    with pytest.raises(ArgumentError, match=r"several columns named \['Source', 'SOURCE'\]"):
        find_edge_columns(["Source", "SOURCE", "target"], "path", "The file")


def test_tables_of_two_or_three_columns_are_read_by_position():
    for headings, expected in [
        (["a", "b"], True),
        (["gene1", "gene2", "value"], True),
        (["value", "gene1", "gene2"], False),
        (["source", "target", "value"], False),
        (["a", "b", "c", "d"], False),
    ]:
        assert are_by_position(headings, find_edge_columns(headings, "path", "The file")) is expected


def test_scores():
    def ends(at):
        return f"A{at}", f"B{at}"

    assert checked_scores(["0.5", 2], ends, "weight", "frame").tolist() == [0.5, 2]
    assert checked_scores([], ends, "combined_score", "frame").shape == (0,)
    for scores, message in {
        (1, "x"): r"row 2 \(A1, B1\): combined_score is 'x', which is not a number",
        (1, np.nan): "is nan, but scores must be positive and finite",
        (1, None): "is nan",
        (1001, 1): r"row 1 \(A0, B0\): .* is 1001, but STRING's scores go up to 1,000",
    }.items():
        with pytest.raises(ArgumentError, match=message):
            checked_scores(scores, ends, "combined_score", "frame")
