"""Orthologs are found by whichever columns of a table name the genes of both sides."""

from __future__ import annotations

import pandas as pd
import pytest

from gene_gcn.errors import ArgumentError
from gene_gcn.genes.orthologs import match_pairs

# INS has two orthologs, Dup1 is that of two genes.
TABLE = pd.DataFrame(
    [
        ("INS", "ENSG01", "Ins1", "ENSMUSG01", 9),
        ("INS", "ENSG01", "Ins2", "ENSMUSG02", 12),
        ("GCG", "ENSG02", "Gcg", "ENSMUSG03", 12),
        ("DUPA", "ENSG03", "Dup1", "ENSMUSG04", 5),
        ("DUPB", "ENSG04", "Dup1", "ENSMUSG04", 4),
        ("HLA-A", None, "H2-K1", None, 3),
        ("GCG", "ENSG02", "Gcg", "ENSMUSG03", 12),
    ],
    columns=["human_symbol", "human_ensembl_gene", "mouse_symbol", "mouse_ensembl_gene", "support"],
)
HUMAN = ["DUPA", "DUPB", "GCG", "HLA-A", "INS", "XIST"]
MOUSE = ["Ins1", "Ins2", "Gcg", "Dup1", "H2-K1", "Xist"]


def named(pairs, query, model):
    return {(query[i], model[j]) for i, j in zip(*pairs, strict=True)}


EXPECTED = {
    ("Ins1", "INS"), ("Ins2", "INS"), ("Gcg", "GCG"), ("Dup1", "DUPA"), ("Dup1", "DUPB"), ("H2-K1", "HLA-A"),
}  # fmt: skip


def test_both_directions():
    pairs = match_pairs(TABLE, MOUSE, HUMAN)
    assert named(pairs, MOUSE, HUMAN) == EXPECTED and len(pairs.query) == len(EXPECTED)
    back = match_pairs(TABLE, HUMAN, MOUSE)
    assert named(back, HUMAN, MOUSE) == {(b, a) for a, b in EXPECTED}


def test_kinds_of_names_are_found_by_content():
    ids = ["ENSMUSG01.3", "ENSMUSG02.1", "ENSMUSG04.1"]  # with versions
    pairs = match_pairs(TABLE, ids, HUMAN)
    assert named(pairs, ids, HUMAN) == {
        ("ENSMUSG01.3", "INS"), ("ENSMUSG02.1", "INS"), ("ENSMUSG04.1", "DUPA"), ("ENSMUSG04.1", "DUPB"),
    }  # fmt: skip
    r_names = ["HLA.A", "INS"]  # as R spells them
    assert named(match_pairs(TABLE, MOUSE, r_names), MOUSE, r_names) == {
        ("H2-K1", "HLA.A"), ("Ins1", "INS"), ("Ins2", "INS"),
    }  # fmt: skip


def test_entrez_numbers():
    table = pd.DataFrame({"human": [3630, 2641, 100], "mouse": [16333, 14526, 200], "support": [3, 4, 5]})
    query, model = ["14526", "16333"], ["2641", "3630", "3"]
    assert named(match_pairs(table, query, model), query, model) == {("14526", "2641"), ("16333", "3630")}


@pytest.mark.parametrize(
    ("table", "query", "model", "message"),
    [
        (
            TABLE,
            HUMAN,
            HUMAN[:5],
            r"in one column, 'human_symbol', so they are of one species; leave out org",
        ),
        (TABLE, ["FBgn0000008"], HUMAN, "has none of the genes of X .FlyBase ids: FBgn0000008"),
        (TABLE, MOUSE, ["YAL001C"], "has none of the genes of the model"),
        (TABLE[["human_symbol", "support"]].astype({"support": float}), MOUSE, HUMAN, "1 columns of names"),
        (TABLE, ["Gcg"], ["INS"], "no pair of them in one row"),
    ],
)
def test_refusals(table, query, model, message):
    with pytest.raises(ArgumentError, match=message) as caught:
        match_pairs(table, query, model)
    assert caught.value.argument == "orthologs"


def test_real_table(shared_data):
    table = pd.read_csv(shared_data / "networks" / "orthologs-human-mouse-ensembl105.tsv.gz", sep="\t")
    mouse, human = ["Ins1", "Ins2", "Sst", "Cd3e", "Gm29427"], ["INS", "SST", "CD3E", "XIST"]
    assert named(match_pairs(table, mouse, human), mouse, human) >= {
        ("Ins1", "INS"), ("Ins2", "INS"), ("Sst", "SST"), ("Cd3e", "CD3E"),
    }  # fmt: skip
