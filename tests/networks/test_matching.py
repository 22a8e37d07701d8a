"""Names are told apart, and each of a user's names means one gene of the network, by the documented rule."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gene_gcn.networks import GeneNetwork
from gene_gcn.networks.matching import (
    biogrid_aliases,
    gene_kind,
    match_genes,
    string_aliases,
    without_versions,
)

NETWORK = GeneNetwork(["TP53", "MDM2", "ACTB", "LONE"], [[0, 1], [1, 2]], [1, 2])


def table(*rows):
    return pd.DataFrame(rows, columns=["alias", "name", "source"])


ALIASES = table(
    ("ENSG00000141510", "TP53", "Ensembl_gene"),
    ("7157", "TP53", "Ensembl_HGNC_entrez_id"),
    ("P53", "TP53", "Ensembl_HGNC_alias_symbol"),
    ("HDMX", "MDM2", "Ensembl_HGNC_alias_symbol"),
    ("HDMX", "ACTB", "Ensembl_HGNC_symbol"),
    ("BOTH", "TP53", "UniProt_GN_Synonyms"),
    ("BOTH", "MDM2", "Ensembl_HGNC_prev_symbol"),
    ("MDM2", "ACTB", "Ensembl_HGNC_symbol"),
    ("OFF", "OFFLINE", "Ensembl_HGNC_symbol"),
    ("TWIN", "TP53", "UniProt_GN_Name_Paralog"),
)


@pytest.mark.parametrize(
    ("genes", "kind"),
    [
        (["TP53", "HLA-A", "MT-CO1", "C1orf112"], "human symbols"),
        (["Trp53", "Hba-a1", "mt-Nd1", "0610007P14Rik"], "mouse symbols"),
        (["ENSG00000141510", "ENSG00000135679.26"], "human Ensembl gene ids"),
        (["ENSMUSG00000059552"], "mouse Ensembl gene ids"),
        (["9606.ENSP00000269305", "ENSMUSP00000269305.1"], "Ensembl protein ids"),
        (["ENST00000269305.9"], "Ensembl transcript ids"),
        (["ENSDARG00000035559"], "Ensembl ids"),
        (["7157", "4193"], "Entrez numbers"),
        (["NM_000546.6", "XP_011522390"], "RefSeq ids"),
        (["FBgn0039044"], "FlyBase ids"),
        (["YAL001C", "YBR160W", "YCL019W-A"], "yeast systematic names"),
        (["AT1G01010", "At2g01010"], "Arabidopsis loci"),
        (["ENSG00000141510", "ENSG00000135679", "MALAT1"], "human Ensembl gene ids"),
        (["0", "1", "2"], "positions"),
        (["tp53", "mdm2"], "names of no known kind"),
        (["TP53", "Trp53"], "names of no known kind"),
        ([], "positions"),
    ],
)
def test_kinds(genes, kind):
    assert gene_kind(genes) == kind


def test_versions_are_dropped_unless_that_makes_names_alike():
    names = ["ENSG00000141510.17", "NM_000546.6", "AC123.1", "9606.ENSP00000269305", "RP11-34P13.7"]
    short = ["ENSG00000141510", "NM_000546", "AC123.1", "9606.ENSP00000269305", "RP11-34P13.7"]
    assert without_versions(names, ["A"]) == [short, ["A"]]
    alike = ["ENSG00000141510.1", "ENSG00000141510.2"]
    assert without_versions(names, alike) == [names, alike]


@pytest.mark.parametrize(
    ("gene", "name", "how"),
    [
        ("TP53", "TP53", "name"),
        ("MDM2", "MDM2", "name"),  # the preferred name, though it is also the official alias of another gene
        ("ENSG00000141510.17", "TP53", "alias"),
        ("7157", "TP53", "alias"),
        ("HDMX", "ACTB", "alias"),  # an official symbol before a synonym
        ("BOTH", None, "ambiguous"),
        ("OFF", "OFFLINE", "alias"),  # known, but it has no edge
        ("TWIN", None, "unknown"),  # a paralog's name
        ("lone", "LONE", "case"),
        ("p53", "TP53", "case"),
        ("both", None, "ambiguous"),
        ("NONE", None, "unknown"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*only when case is ignored")
def test_the_rule(gene, name, how):
    match = match_genes([gene], NETWORK, ALIASES)
    assert (match.matched, match.how) == ((name,), (how,))
    assert match.connected == (name in ("TP53", "MDM2", "ACTB"),)


def test_one_gene_of_the_network_goes_to_the_best_of_several():
    genes = ["p53", "P53", "7157", "TP53", "ENSG00000141510"]
    assert match_genes(genes, NETWORK, ALIASES).how == ("duplicate",) * 3 + ("name", "duplicate")
    match = match_genes(["P53", "7157", "ENSG00000141510"], NETWORK, ALIASES)  # an id before a synonym
    assert match.how == ("duplicate", "alias", "duplicate")
    assert match.dropped == ("P53", "ENSG00000141510")
    assert match_genes(["ENSG00000141510.2", "ENSG00000141510.1"], NETWORK, ALIASES).how == (
        "alias",
        "duplicate",
    )


@pytest.mark.filterwarnings("ignore:.*only when case is ignored")
def test_case_is_ignored_only_where_that_is_clear():
    network = GeneNetwork(["Abc", "ABC", "Def"], [[0, 1], [1, 2]])
    assert match_genes(["abc", "Abc", "DEF"], network).how == ("ambiguous", "name", "case")
    assert match_genes(["def", "DEF"], network).how == ("ambiguous", "ambiguous")
    assert match_genes(["Def", "DEF"], network).how == ("name", "duplicate")


def test_counts_and_summary():
    match = match_genes(["TP53", "P53", "7157", "LONE", "BOTH", "X", "mdm2"], NETWORK, ALIASES)
    assert match.counts == {
        "genes": 7, "matched": 3, "connected": 2, "name": 2, "alias": 0, "case": 1,
        "duplicate": 2, "ambiguous": 1, "unknown": 1,
    }  # fmt: skip
    assert (
        str(match)
        == match.summary()
        == (
            "3 of 7 genes (human symbols) matched (43%: 2 by name, 1 by case), 2 connected.\n"
            "4 dropped: 2 duplicate, 1 ambiguous, 1 unknown (P53, 7157, BOTH…)."
        )
    )
    assert match.to_frame()["name"].tolist() == ["TP53", None, None, "LONE", None, None, "MDM2"]
    assert match_genes(["TP53"], NETWORK).summary().endswith("1 connected.")
    assert match_genes([], NETWORK).counts["matched"] == 0


def test_another_species_is_suspected():
    with pytest.warns(UserWarning, match=r"2 of 2 genes match only when case is ignored .*to_organism"):
        match_genes(["Mdm2", "Actb"], NETWORK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        match_genes(["Mdm2", "ACTB", "TP53"], NETWORK)


def test_the_network_under_the_users_names():
    genes = ["X", "ENSG00000141510.17", "ENSG00000141510.18", "mdm2"]
    applied = match_genes(genes, NETWORK, ALIASES).apply(NETWORK)
    assert applied.genes == tuple(genes)
    expected = [["ENSG00000141510.17", "mdm2", 0.5]]
    assert applied.to_frame().values.tolist() == expected
    assert applied.source == NETWORK.source
    assert match_genes(["X"], NETWORK).apply(NETWORK) == GeneNetwork(["X"], [[], []])
    # A name of the network's that the user's means otherwise takes nothing along.
    swapped = table(("MDM2.old", "MDM2", "x"))
    assert match_genes(["MDM2.old", "ACTB"], NETWORK, swapped).apply(NETWORK).num_edges == 1


@settings(deadline=None, max_examples=50)
@given(st.permutations(["TP53", "P53", "7157", "LONE", "BOTH", "X", "HDMX", "ACTB", "OFF"]), st.randoms())
def test_the_order_of_aliases_does_not_matter_and_no_gene_is_given_twice(genes, random):
    rows = list(range(len(ALIASES)))
    random.shuffle(rows)
    match = match_genes(genes, NETWORK, ALIASES)
    assert match_genes(genes, NETWORK, ALIASES.iloc[rows]) == match
    given_out = [name for name in match.matched if name is not None]
    assert len(given_out) == len(set(given_out)) == match.counts["matched"]
    assert [name is None for name in match.matched] == [gene in match.dropped for gene in genes]
    assert sum(match.counts[key] for key in list(match.counts)[3:]) == len(genes)


def test_matching_its_own_names_changes_nothing():
    match = match_genes(NETWORK.genes, NETWORK, ALIASES)
    assert match.matched == NETWORK.genes and match.apply(NETWORK) == NETWORK
    assert match_genes(NETWORK.genes, NETWORK) == match


def test_wrong_arguments():
    with pytest.raises(ValueError, match="occur more than once"):
        match_genes(["A", "A"], NETWORK)
    with pytest.raises(ValueError, match="network is a list; match_genes takes a GeneNetwork"):
        match_genes(["A"], ["A"])
    with pytest.raises(ValueError, match=r"aliases lacks the columns \['name'\]"):
        match_genes(["A"], NETWORK, pd.DataFrame({"alias": ["A"]}))


@pytest.mark.parametrize("dtype", [object, "category"])
def test_aliases_of_string(dtype):
    rows = [
        ("9606.ENSP1", "TP53", "Ensembl_HGNC_symbol"),
        ("9606.ENSP1", "NP_000537.3", "Ensembl_RefSeq"),
        ("9606.ENSP1", "191170", "Ensembl_HGNC_omim_id"),
        ("9606.ENSP1", "MDM2", "UniProt_GN_Name_Paralog"),
        ("9606.ENSP1", "Tumor protein p53", "Ensembl_HGNC_name"),
        ("9606.ENSP1", "P53", "BLAST_KEGG_NAME Ensembl_HGNC_alias_symbol"),
        ("9606.ENSP2", "X2", "Ensembl_gene"),
    ]
    raw = pd.DataFrame(rows, columns=["protein", "alias", "source"], dtype=dtype)
    names = pd.Series({"9606.ENSP1": "TP53", "9606.ENSP3": "ACTB"})
    aliases = string_aliases(raw, names)
    assert set(zip(aliases["alias"], aliases["name"], strict=True)) == {
        ("TP53", "TP53"), ("NP_000537", "TP53"), ("P53", "TP53"), ("X2", "ENSP2"),
        ("9606.ENSP1", "TP53"), ("ENSP1", "TP53"), ("9606.ENSP2", "ENSP2"), ("ENSP2", "ENSP2"),
        ("9606.ENSP3", "ACTB"), ("ENSP3", "ACTB"),
    }  # fmt: skip
    genes = ["NP_000537.9", "9606.ENSP3", "191170"]
    assert match_genes(genes, NETWORK, aliases).matched == ("TP53", "ACTB", None)
    assert string_aliases(raw.head(0).astype(object), names)["alias"].nunique() == 4


def test_aliases_of_biogrid():
    table = pd.DataFrame(
        {
            "symbol": ["TP53", "MDM2"],
            "entrez": ["7157", "4193"],
            "systematic": ["", "YMDM"],
            "synonyms": ["P53|LFS1", ""],
        }
    )
    aliases = biogrid_aliases(table)
    assert sorted(aliases.astype(str).itertuples(index=False, name=None)) == [
        ("4193", "MDM2", "entrez"),
        ("7157", "TP53", "entrez"),
        ("LFS1", "TP53", "synonym"),
        ("P53", "TP53", "synonym"),
        ("YMDM", "MDM2", "systematic name"),
    ]
    assert match_genes(["4193", "LFS1"], NETWORK, aliases).matched == ("MDM2", "TP53")


def test_real_aliases(shared_data):
    from gene_gcn.networks.string_db.network import parse_aliases, parse_info

    folder = shared_data / "mirror" / "string" / "download"
    names = parse_info(folder / "protein.info.v12.0" / "9606.protein.info.v12.0.txt.gz")
    raw = parse_aliases(folder / "protein.aliases.v12.0" / "9606.protein.aliases.v12.0.txt.gz")
    network = GeneNetwork(sorted(set(names)), [[0], [1]])
    aliases = string_aliases(raw, names)
    genes = ["ENSG00000198851.10", "CD19", "4818", "9606.ENSP00000269305"]
    assert match_genes(genes, network, aliases).matched == ("CD3E", "CD19", "NKG7", "TP53")
