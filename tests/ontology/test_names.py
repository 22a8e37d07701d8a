"""Free names: what matches exactly, what is suggested, and the table that a person edits."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_ontology import ONTOLOGY

from gene_gcn.errors import ArgumentError
from gene_gcn.ontology import map_names, read_map

T, B, NK, CD4 = "CL:0000084", "CL:0000236", "CL:0000623", "CL:0000624"


def mapped(*names, **options) -> pd.DataFrame:
    return map_names(names, ONTOLOGY, **options).set_index("name")


@pytest.mark.parametrize(
    ("name", "term", "match"),
    [
        ("B cell", B, "label"),
        ("B_cell", B, "label"),
        ("  b  CELL ", B, "label"),
        ("NK cell", NK, "synonym"),
        ("T-cell", T, "synonym"),
        ("B cells", "", "none"),
        ("B", "", "none"),
        ("monocyte (related)", "", "none"),  # not an exact synonym
        ("twin", "", "none"),  # of two terms
        ("", "", "none"),
    ],
)
def test_only_what_is_certain_is_filled_in(name, term, match):
    row = mapped(name).loc[name]
    assert (row["id"], row["match"]) == (term, match)
    assert row["label"] == (ONTOLOGY[term].label if term else "")
    assert not (term and row["suggestion_1"])


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("B cells", "CL:0000236 B cell (1.00)"),
        ("B", "CL:0000236 B cell"),
        ("NK", "CL:0000623 natural killer cell (1.00)"),
        ("CD4 T cells", "CL:0000624 CD4-positive, alpha-beta T cell (1.00)"),
        ("T_CD8", "CL:0000625"),
        ("CD8+ T", "CL:0000625"),
        ("Mono_CD14", "CL:0001054 CD14-positive monocyte (1.00)"),
        ("CD14+ Monocytes", "CL:0001054 CD14-positive monocyte (1.00)"),
        ("Naive CD4 T", "CL:0000895"),
        ("Monocite", "CL:0000576 monocyte (1.00)"),  # a misspelling
        ("CD14- monocyte", "CL:0000576"),
    ],
)
def test_first_suggestions(name, first):
    assert mapped(name).loc[name, "suggestion_1"].startswith(first)


def test_words_of_a_tissue_count():
    assert mapped("alpha", tissue="ganglion").loc["alpha", "suggestion_1"].startswith("CL:0004117")
    assert mapped("alpha", tissue="pancreatic").loc["alpha", "suggestion_1"].startswith("CL:0000171")


def test_names_without_a_word_in_common_have_no_suggestion():
    assert mapped("xyz123").loc["xyz123", [f"suggestion_{i}" for i in range(1, 6)]].eq("").all()


@given(st.text(max_size=30))
def test_any_text_is_mapped(name):
    table = map_names([name, name], ONTOLOGY)
    assert len(table) == 1 and table["match"].isin(["label", "synonym", "none"]).all()


def test_an_edited_table_comes_back_from_disk(tmp_path):
    table = map_names(["B cells", "T cell", "odd", "old"], ONTOLOGY)
    table.loc[0, "id"], table.loc[3, "id"] = f" {B} ", "CL:0000003"
    for name, separator in (("map.csv", ","), ("map.tsv", "\t")):
        table.to_csv(tmp_path / name, sep=separator, index=False)
        found = read_map(tmp_path / name, ONTOLOGY)
        assert found.ids == {"B cells": B, "T cell": T, "odd": "unknown", "old": "CL:0000000"}
    assert read_map(table, ONTOLOGY).ids == found.ids
    assert set(found.hierarchy(["B cells", "T cell"]).nodes) == {"B cells", "T cell", "lymphocyte"}


def test_the_name_na_is_a_name(tmp_path):
    (tmp_path / "map.csv").write_text(f"name,id\nNA,{B}\n")
    assert read_map(tmp_path / "map.csv", ONTOLOGY).ids == {"NA": B}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name,label\nB,x\n", "needs the column 'name', and 'parent' or 'id'"),
        ("name,parent\nB,x\n", "lacks the column 'id'"),
        ("name,id\nB,CL:7\n", "gives 'B' the id 'CL:7' is not a term"),
        ("name,id\nB,CL:0000236\nB,CL:0000084\n", "gives 'B' two ids, CL:0000236 and CL:0000084"),
        ("name,id\n ,CL:0000236\n", "rows without a name"),
        ("", "is empty"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, problem):
    (tmp_path / "map.csv").write_text(text)
    with pytest.raises(ArgumentError, match=problem):
        read_map(tmp_path / "map.csv", ONTOLOGY)
