"""Each of the user's names refers to one gene of the network, by the documented rules."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gene_gcn.errors import GeneNamesWarning, NetworkWarning
from gene_gcn.networks import GeneNetwork
from gene_gcn.networks.matching import match_genes, with_names_of

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
    ("gene", "name", "how"),
    [
        ("TP53", "TP53", "name"),
        ("MDM2", "MDM2", "name"),  # a preferred name, although it is also an official alias of another gene
        ("ENSG00000141510.17", "TP53", "alias"),
        ("7157", "TP53", "alias"),
        ("HDMX", "ACTB", "alias"),  # an official symbol ranks before a synonym
        ("BOTH", None, "ambiguous"),
        ("OFF", "OFFLINE", "alias"),  # known, but without edges
        ("TWIN", None, "unknown"),  # a paralog's name
        ("GRCh38_TP53", "TP53", "spelling"),
        ("hg19___ENSG00000141510.3", "TP53", "spelling"),
        ("GRCh38-tp53", "TP53", "case"),
        ("X7157", None, "unknown"),  # R's name of a number, or of column 7157
        ("lone", "LONE", "case"),
        ("p53", "TP53", "case"),
        ("both", None, "ambiguous"),
        ("NONE", None, "unknown"),
    ],
)
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.GeneGCNWarning")
def test_rules(gene, name, how):
    match = match_genes([gene], NETWORK, ALIASES)
    assert (match.matched, match.how) == ((name,), (how,))
    assert match.connected == (name in ("TP53", "MDM2", "ACTB"),)


def test_best_of_several_matches_wins():
    genes = ["p53", "P53", "7157", "TP53", "ENSG00000141510"]
    assert match_genes(genes, NETWORK, ALIASES).how == ("duplicate",) * 3 + ("name", "duplicate")
    match = match_genes(["P53", "7157", "ENSG00000141510"], NETWORK, ALIASES)  # an id ranks before a synonym
    assert match.how == ("duplicate", "alias", "duplicate")
    assert match.dropped == ("P53", "ENSG00000141510")
    assert match_genes(["ENSG00000141510.2", "ENSG00000141510.1"], NETWORK, ALIASES).how == (
        "alias",
        "duplicate",
    )


@pytest.mark.filterwarnings("ignore::gene_gcn.errors.NetworkWarning")
def test_case_is_ignored_only_if_unambiguous():
    network = GeneNetwork(["Abc", "ABC", "Def"], [[0, 1], [1, 2]])
    assert match_genes(["abc", "Abc", "DEF"], network).how == ("ambiguous", "name", "case")
    assert match_genes(["def", "DEF"], network).how == ("ambiguous", "ambiguous")
    assert match_genes(["Def", "DEF"], network).how == ("name", "duplicate")


def test_counts_and_summary():
    match = match_genes(["TP53", "P53", "7157", "LONE", "BOTH", "X", "mdm2"], NETWORK, ALIASES)
    assert match.counts == {
        "genes": 7, "matched": 3, "connected": 2, "name": 2, "alias": 0, "spelling": 0, "case": 1,
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


def test_warning_of_another_species():
    with pytest.warns(NetworkWarning, match=r"2 of 2 genes match only if case is ignored .*to_organism"):
        match_genes(["Mdm2", "Actb"], NETWORK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        match_genes(["Mdm2", "ACTB", "TP53"], NETWORK)


def test_other_spellings_are_said():
    network = GeneNetwork(["HLA-A", "7SK", "CD79A", "7"], [[0, 1, 2], [1, 2, 3]])
    genes = ["hg19_HLA.A", "X7SK", "X7", "CD79A"]
    said = r"knows 2 of the 4 genes in another spelling, hg19_HLA.A as HLA-A for instance"
    with pytest.warns(GeneNamesWarning, match=said):
        match = match_genes(genes, network)
    assert match.matched == ("HLA-A", "7SK", None, "CD79A")
    assert match.how == ("spelling", "spelling", "unknown", "name")
    with pytest.warns(GeneNamesWarning, match=said):
        renamed = with_names_of(network, genes)
    assert renamed.align(genes) == match.apply(network)
    assert with_names_of(network, network.genes) is network


def test_best_of_several_spellings_wins(recwarn):
    match = match_genes(["GRCh38_TP53", "TP53", "GRCh38_P53"], NETWORK, ALIASES)
    assert match.how == ("duplicate", "name", "duplicate")
    assert not recwarn.list


def test_apply_uses_the_users_names():
    genes = ["X", "ENSG00000141510.17", "ENSG00000141510.18", "mdm2"]
    applied = match_genes(genes, NETWORK, ALIASES).apply(NETWORK)
    assert applied.genes == tuple(genes)
    expected = [["ENSG00000141510.17", "mdm2", 0.5]]
    assert applied.to_frame().values.tolist() == expected
    assert applied.source == NETWORK.source
    assert match_genes(["X"], NETWORK).apply(NETWORK) == GeneNetwork(["X"], [[], []])
    # MDM2 is matched under another name; its edges do not go to a gene of the user's by its old name.
    swapped = table(("MDM2.old", "MDM2", "x"))
    assert match_genes(["MDM2.old", "ACTB"], NETWORK, swapped).apply(NETWORK).num_edges == 1


@settings(deadline=None, max_examples=50)
@given(st.permutations(["TP53", "P53", "7157", "LONE", "BOTH", "X", "HDMX", "ACTB", "OFF"]), st.randoms())
def test_order_of_aliases_does_not_matter_and_matches_are_unique(genes, random):
    rows = list(range(len(ALIASES)))
    random.shuffle(rows)
    match = match_genes(genes, NETWORK, ALIASES)
    assert match_genes(genes, NETWORK, ALIASES.iloc[rows]) == match
    names = [name for name in match.matched if name is not None]
    assert len(names) == len(set(names)) == match.counts["matched"]
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
