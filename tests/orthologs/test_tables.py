"""Tables of orthologs are read from files of any common layout."""

from __future__ import annotations

import gzip

import hcop_host
import pandas as pd
import pytest

from gene_gcn.errors import ArgumentError
from gene_gcn.orthologs import match_orthologs, read_orthologs

PAIRS = [["INS", "Ins1"], ["INS", "Ins2"], ["NAN", "Nan"], ["GCG", None]]
BIOMART = (
    "Gene stable ID\tGene name\tMouse gene name\tMouse homology type\n"
    "ENSG1\tINS\tIns1\tortholog_one2many\n"
    "ENSG1\tINS\tIns2\tortholog_one2many\n"
    "ENSG2\tNAN\tNan\tortholog_one2one\n"
    "ENSG3\tGCG\t\t\n"
)


@pytest.mark.parametrize("suffix", [".tsv", ".tsv.gz"])
def test_export_of_biomart(tmp_path, suffix):
    path = tmp_path / f"mart{suffix}"
    path.write_bytes(gzip.compress(BIOMART.encode()) if suffix.endswith("gz") else BIOMART.encode())
    table = read_orthologs(path)
    assert table[["Gene name", "Mouse gene name"]].astype(object).to_numpy().tolist() == PAIRS
    found = match_orthologs(path, ["Ins1", "Ins2", "Gcg"], ["INS", "GCG"])
    assert found.counts == {"one": 0, "several": 1, "none": 1, "by_vectors": 0}


def test_csv_of_r_and_data_frames(tmp_path):
    frame = pd.DataFrame(PAIRS, columns=["human", "mouse"])
    (tmp_path / "r.csv").write_text('"human","mouse"\n"INS","Ins1"\n"INS","Ins2"\n"NAN","Nan"\n"GCG",NA\n')
    assert read_orthologs(tmp_path / "r.csv").equals(read_orthologs(frame))


def test_file_of_hcop_keeps_what_several_databases_support(tmp_path):
    path = tmp_path / "mouse.txt"
    path.write_text(hcop_host.MOUSE)
    assert read_orthologs(path)["mouse_symbol"].tolist() == ["Ins1", "Ins2", "Sst", "Na"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is empty"), ("human\nINS\n", r"shape \(1, 1\)"), ("human\tmouse\n", r"shape \(0, 2\)"),
     ("<html>not found</html>", "is a web page")],
)  # fmt: skip
def test_files_that_are_no_tables(tmp_path, text, message):
    (tmp_path / "t.tsv").write_text(text)
    with pytest.raises(ArgumentError, match=message):
        read_orthologs(tmp_path / "t.tsv")


def test_other_arguments(tmp_path):
    with pytest.raises(ArgumentError, match="'t.tsv' is neither 'hcop' nor 'string' nor a file"):
        read_orthologs("t.tsv")
    with pytest.raises(FileNotFoundError, match="orthologs="):
        read_orthologs(tmp_path / "t.tsv")
    with pytest.raises(ArgumentError, match="has type dict"):
        read_orthologs({"INS": "Ins1"})
