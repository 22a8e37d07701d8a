"""HCOP is downloaded once and checked; pairs with little support are left out."""

from __future__ import annotations

import gzip

import hcop_host
import pytest

from gene_gcn import networks, orthologs
from gene_gcn.errors import ArgumentError
from gene_gcn.networks import DownloadError


def symbols(table, *species):
    return table[[f"{name}_symbol" for name in species]].to_numpy().tolist()


def test_downloaded_once_then_offline(hcop):
    table = orthologs.hcop("mouse")
    assert symbols(table, "human", "mouse") == [
        ["INS", "Ins1"],
        ["INS", "Ins2"],
        ["SST", "Sst"],
        ["NA", "Na"],
    ]
    assert table["support"].tolist() == [4, 9, 12, 3]
    assert table["human_ensembl_gene"].str.startswith("ENSG").all()
    assert table["mouse_ensembl_gene"].isna().all()  # "-" is a missing name
    assert table["mouse_entrez_gene"].str.startswith("9").all()
    assert hcop.paths() == [hcop_host.path_of("mouse")]
    hcop.close()
    assert orthologs.hcop("human", "Mus musculus").equals(table)
    listed = networks.cached().set_index("name").loc["hcop/human_mouse_hcop_fifteen_column.txt.gz"]
    assert listed["organism"] == "Mus musculus" and len(listed["sha256"]) == 64


def test_support(hcop):
    assert len(orthologs.hcop("mouse", min_support=1)) == 5
    assert symbols(orthologs.hcop("mouse", min_support=10), "human", "mouse") == [["SST", "Sst"]]
    with pytest.raises(ArgumentError, match="min_support=99 leaves none"):
        orthologs.hcop("mouse", min_support=99)
    assert len(orthologs.hcop("mouse")) == 4  # the file is still there


def test_species_with_a_space_in_the_columns(hcop):
    assert symbols(orthologs.hcop("fly"), "human", "fruit_fly") == [["SST", "AstC"]]


def test_two_other_species_are_joined_through_human(hcop):
    table = orthologs.hcop("mouse", "rat")
    expected = [["Ins1", "Ins2"], ["Ins2", "Ins2"], ["Sst", "SSTRAT"]]
    assert symbols(table, "mouse", "rat") == expected
    assert table["support"].tolist() == [4, 5, 11]  # the smaller one
    assert "human_symbol" not in table


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("marmoset",), "Callithrix jacchus is not among the species of HCOP .*orthologs="),
        (("mouse", "mouse"), "are both Mus musculus"),
        (("martian",), "not a known name"),
    ],
)
def test_refusals(hcop, pair, message):
    with pytest.raises(ArgumentError, match=message):
        orthologs.hcop(*pair)
    assert hcop.paths() == []


@pytest.mark.parametrize(
    "text",
    [
        "human\tmouse\nINS\tIns1\n",
        hcop_host.MOUSE.replace("mouse_symbol", "mouse_sign"),
        hcop_host.header("mouse", "mgi") + "\n",
        hcop_host.MOUSE[:-30],  # cut off within a row
    ],
)
def test_damaged_files_are_not_kept(hcop, cache, text):
    hcop.files[hcop_host.path_of("mouse")] = gzip.compress(text.encode())
    with pytest.raises(DownloadError):
        orthologs.hcop("mouse")
    assert not list(cache.rglob("*.gz"))


def test_without_a_connection_the_remedy_is_named():
    with pytest.raises(DownloadError, match="rat_hcop_fifteen_column.*pass its path"):
        orthologs.hcop("rat")
