"""A database's network under the user's gene names, of whatever kind."""

from __future__ import annotations

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest

from gene_gcn import networks
from gene_gcn.errors import GeneNamesWarning

ALIASES = b"""\
#string_protein_id\talias\tsource
9606.ENSP01\tENSG00000141510\tEnsembl_gene
9606.ENSP02\tENSG00000135679\tEnsembl_gene
9606.ENSP01\tP53\tEnsembl_HGNC_alias_symbol
"""


@pytest.fixture
def host(string_host):
    string_host.files["/download/protein.aliases.v12.0/9606.protein.aliases.v12.0.txt.gz"] = gzip.compress(
        ALIASES
    )
    return string_host


@pytest.mark.parametrize(
    "genes",
    [
        ["TP53", "MDM2", "XIST"],
        ["P53", "MDM2", "XIST"],
        ["ENSG00000141510.17", "ENSG00000135679", "ENSG00000229807"],
    ],
)
def test_any_kind_of_names(host, genes):
    network, match = networks.for_genes("string", genes)
    assert network.genes == tuple(genes)
    assert network.num_edges == 1 and network.degree.tolist() == [1, 1, 0]
    assert match.dropped == (genes[2],)
    assert match.counts["connected"] == 2


@pytest.mark.parametrize(
    "genes",
    [
        ["GRCh38_TP53", "GRCh38_MDM2"],
        ["hg19-P53", "hg19-MDM2"],
        ["GRCh38_ENSG00000141510", "GRCh38_ENSG00000135679.2"],
    ],
)
def test_genome_before_names(host, genes):
    with pytest.warns(GeneNamesWarning, match="in another spelling"):
        network, match = networks.for_genes("string", genes)
    assert network.genes == tuple(genes) and network.num_edges == 1
    assert match.kind in ("human symbols", "human Ensembl gene ids")


def test_organism_of_a_genome(host):
    with pytest.raises(networks.DownloadError, match="Rattus norvegicus"):
        networks.for_genes("string", ["rn6_Actb", "rn6_Mdm2"])
    with pytest.raises(
        ValueError, match=r"of 2 genomes \(GRCh38, mm10\), but a network is of one; keep the genes"
    ):
        networks.for_genes("string", ["GRCh38_TP53", "mm10_Trp53"], "human")


def test_errors(host):
    with pytest.raises(ValueError, match=r"cannot be inferred; pass organism="):
        networks.for_genes("string", ["@", "?"])
    with pytest.raises(ValueError, match=r"None of the 1 genes .*Is organism='human' right"):
        networks.for_genes("string", ["CD3E"], "human")
    with pytest.raises(ValueError, match="database='kegg' is unknown"):
        networks.for_genes("kegg", ["CD3E"], "human")


def test_classifier_downloads_by_name_and_is_offline_afterwards(host, tmp_path):
    from gene_gcn import GeneGCNClassifier

    rng = np.random.default_rng(0)
    kind = np.arange(40) % 2
    counts = rng.poisson(np.where(kind[:, None] == np.arange(3) % 2, 6, 1)) + 1
    X = pd.DataFrame(counts, columns=["ENSG00000141510", "ENSG00000135679", "ENSG00000229807"])
    clf = GeneGCNClassifier("string", max_epochs=3, random_state=0).fit(X, kind)
    assert clf.network_.num_edges == 1
    assert "2 of 3 genes (human Ensembl gene ids) matched" in str(clf.gene_match_)
    assert str(clf.network_.source) == "STRING 12.0, Homo sapiens"
    host.close()
    again = GeneGCNClassifier("string", organism="human", max_epochs=3, random_state=0).fit(X, kind)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    again.save(tmp_path / "model")
    source = GeneGCNClassifier.load(tmp_path / "model").network_.source
    assert source.license == "CC BY 4.0" and "doi:" in source.citation


def test_real_cells(host, shared_data):
    host.files.clear()
    host.folders["/download"] = shared_data / "mirror" / "string" / "download"
    zheng = anndata.read_h5ad(shared_data / "cells/zheng_sorted_pbmc.h5ad", backed="r").var
    by_symbol, symbols = networks.for_genes("string", list(zheng.index.unique()))
    by_id, ids = networks.for_genes("string", list(zheng["gene_ids"].unique()))
    assert symbols.counts["connected"] > 13_000 and by_symbol.num_edges > 120_000
    assert ids.counts["connected"] > 13_000 and by_id.num_edges > 120_000
    assert ids.kind == "human Ensembl gene ids"


@pytest.mark.parametrize(
    "genes", [range(100), range(1, 101), range(99, -1, -1), range(0, 100, 7), [3, 17, 0]]
)
@pytest.mark.parametrize("database", ["string", "biogrid"])
def test_positions_are_not_entrez_numbers(host, database, genes):
    with pytest.raises(ValueError, match=r"these are positions, .*gene_column="):
        networks.for_genes(database, list(map(str, genes)), "human")
    assert not host.seen


def test_entrez_numbers_are_matched(host):
    path = "/download/protein.aliases.v12.0/9606.protein.aliases.v12.0.txt.gz"
    entrez = b"9606.ENSP01\t7157\tEnsembl_HGNC_entrez_id\n9606.ENSP02\t4193\tEnsembl_HGNC_entrez_id\n"
    host.files[path] = gzip.compress(ALIASES + entrez)
    assert networks.for_genes("string", ["7157", "4193", "60"], "human")[0].num_edges == 1
