"""Marker genes in each of the forms that people write them in."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from gene_gcn.cells import MarkerLists, read_markers
from gene_gcn.errors import ArgumentError, LabelWarning, MissingGenesWarning

TABLE = pd.DataFrame(
    {"type": ["B", "B", "T", "T"], "gene": ["CD19", "MS4A1", "CD3E", "MS4A1"], "direction": [1, 1, 1, -1]}
)
FILES = {
    "m.yaml": "B: [CD19, MS4A1]\nT:\n  positive: CD3E\n  negative: [MS4A1]\n",
    "m.csv": 'type,gene,direction,why\nB,CD19,+,"a, b"\nB,MS4A1,,\nT,CD3E,positive,\nT,MS4A1,-,\n',
    "m.tsv": "type\tgene\tdirection\nB\tCD19\t1\nB\tMS4A1\t1\nT\tCD3E\t1\nT\tMS4A1\t-1\n",
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_each_kind_hold_the_same(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    pd.testing.assert_frame_equal(read_markers(tmp_path / name).table, TABLE)
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(FILES[name].encode()))
    pd.testing.assert_frame_equal(MarkerLists.of(str(tmp_path / f"{name}.gz")).table, TABLE)


def test_gene_sets_have_positive_markers(tmp_path):
    (tmp_path / "m.gmt").write_text("B cell\thttp://x\tCD19\tMS4A1\nT\t\tCD3E\n\n")
    found = read_markers(tmp_path / "m.gmt")
    assert found.types == ("B cell", "T") and found.table["gene"].tolist() == ["CD19", "MS4A1", "CD3E"]


def test_objects():
    mapping = {"B": ["CD19", "MS4A1"], "T": {"positive": {"CD3E"}, "negative": ["MS4A1"]}}
    for markers in (mapping, TABLE, MarkerLists.of(mapping)):
        pd.testing.assert_frame_equal(MarkerLists.of(markers).table, TABLE)
    assert MarkerLists.of({"B": "CD19, MS4A1", "T": ["CD3E", "CD3E"]}).table["gene"].tolist() == [
        "CD19",
        "MS4A1",
        "CD3E",
    ]


@pytest.mark.parametrize(
    ("markers", "message"),
    [
        (5, "of type int cannot be read"),
        ({"B": ["CD19"]}, "positive markers of 1 types; two are needed"),
        ({"B": ["CD19"], "T": {"negative": ["CD19"]}}, "positive markers of 1 types"),
        ({"B": ["CD19"], "T": 3}, "the markers of 'T' must be a list of genes, not 3"),
        ({"B": ["CD19"], "T": [True]}, "True is not text; put names that YAML or pandas reads otherwise in"),
        ({"B": ["CD19"], "T": ["", "CD3E"]}, "a type or a gene is empty"),
        ({"B": ["CD19"], "T": {"up": ["CD3E"]}}, "'T' has 'up'; a type has a list"),
        (
            {"B": {"positive": ["A"], "negative": ["A"]}, "T": ["B"]},
            "A is a positive and a negative",
        ),
        (pd.DataFrame({"cell": ["B"]}), r"lacks the columns \['type', 'gene'\]"),
        (pd.DataFrame({"type": ["B"], "gene": ["X"], "direction": ["up"]}), "the direction 'up' is unknown"),
    ],
)
def test_what_cannot_be_read_is_refused(markers, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        MarkerLists.of(markers)
    assert caught.value.argument == "markers"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.yaml", "B: [CD19\n", "not valid YAML"),
        ("m.yaml", "- CD19\n", "must have lines"),
        ("m.yaml", "B: [CD19]\nNO: [CD3E]\n", "False is not text"),
        ("m.gmt", "B\tCD19\n", "no genes for"),
        ("m.csv", "", "is empty"),
        ("m.txt", "type,gene\nB,CD19\n", "lacks the columns"),
        ("m.xlsx", "x", "has an ending of no known kind"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_markers(tmp_path / name)
    assert name in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="markers="):
        read_markers(tmp_path / "none.yaml")


def test_markers_among_genes():
    genes = ("MS4A1", "ACTB", "CD3E")
    markers = MarkerLists.of({"B": ["CD19", "MS4A1"], "T": {"positive": ["CD3E"], "negative": ["MS4A1"]}})
    with pytest.warns(MissingGenesWarning, match=r"1 of 4 markers are not among .*: CD19 \(B\)"):
        found, signs = markers.among(genes)
    assert found.types == ("B", "T") and len(found.table) == 3
    np.testing.assert_array_equal(signs, [[1, -1], [0, 0], [0, 1]])


def test_types_without_a_gene_are_said_to_be_left_out():
    markers = MarkerLists.of({"B": ["MS4A1"], "T": ["CD3E"], "NK": ["GNLY"]})
    with pytest.warns(LabelWarning, match="No marker of NK is among"):
        found, signs = markers.among(("CD3E", "MS4A1"))
    assert found.types == ("B", "T") and signs.shape == (2, 2)
    with pytest.raises(ArgumentError, match="1 of 3 types .* human symbols .* mouse symbols"):
        markers.among(("MS4A1", "Actb", "Cd3e"))
