from __future__ import annotations

import pytest

from gene_gcn.genes.names import (
    gene_kind,
    genome_of,
    is_nameless,
    match_names,
    merge_versions,
    names_no_gene,
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
        (["2", "0"], "positions"),
        (["5", "17"], "positions"),
        (["V1", "V2", "V3"], "positions"),
        (["7157", "100133144"], "Entrez numbers"),
        (["AAACCTGAGAAACCAT-1", "S1_AAACCTGAGAAACCTA-1", "S1:AAACCTGAGAAACCTAx"], "cell barcodes"),
        (["tp53", "mdm2"], "names of no known kind"),
        (["TP53", "Trp53"], "names of no known kind"),
        ([], "positions"),
    ],
)
def test_kinds(genes, kind):
    assert gene_kind(genes) == kind


@pytest.mark.parametrize(
    ("gene", "other"),
    [
        ("ENSG00000141510.17", "ENSG00000141510"),
        ("ENSG00000141510.17", "ENSG00000141510.3"),
        ("NM_000546.6", "NM_000546"),
        ("HLA-A", "HLA.A"),
        ("7SK", "X7SK"),
        ("RP11-34P13.7", "RP11.34P13.7"),
        ("TP53", "GRCh38_TP53"),
        ("TP53", "GRCh38______TP53"),
        ("TP53", "hg19_TP53"),
        ("Trp53", "mm10___Trp53"),
        ("HLA-A", "GRCh38-HLA-A"),
        ("Trp53", "mm10---Trp53"),
        ("ENSG00000141510.17", "GRCh38_ENSG00000141510"),
    ],
)
def test_names_match_in_any_spelling(gene, other):
    genes, query = ["A", gene, "B"], [other, "C", "B"]
    assert match_names(genes, query).tolist() == [1, -1, 2]
    assert match_names(query, genes).tolist() == [-1, 0, 2]


def test_genomes():
    names = ["GRCh38_TP53", "GRCh38-3.0.0.premrna_TP53", "mm10---Trp53", "T2T-CHM13_TP53", "TP53", "rn7SK"]
    assert [genome_of(name) for name in names] == ["GRCh38", "GRCh38", "mm10", "T2T", "", ""]


def test_equal_names_match_first_and_ambiguous_ones_do_not():
    assert match_names(["HLA-A", "HLA.A"], ["HLA.A"]).tolist() == [1]
    assert match_names(["HLA-A"], ["HLA_A", "HLA.A", "HLA A"]).tolist() == [-1, -1, -1]
    assert match_names(["AC123.1"], ["AC123"]).tolist() == [-1]


def test_one_id_with_two_versions_does_not_stop_the_others():
    genes = [f"ENSG{i:011}.1" for i in range(5)]
    query = [*(f"ENSG{i:011}.2" for i in range(5)), "ENSG00000000000.3"]
    assert match_names(genes, query).tolist() == [-1, 1, 2, 3, 4, -1]
    merged = merge_versions(query)
    assert merged == ["ENSG00000000000", *query[1:5], "ENSG00000000000"]
    assert merge_versions(genes) == genes
    assert merge_versions(["ENSG00000000000", "ENSG00000000000.1"]) == ["ENSG00000000000"] * 2


def test_columns_that_are_not_genes():
    for name in ["nCount_RNA", "nFeature_SCT", "percent.mt", "pct_counts_mt", "n_genes", "RNA_snn_res.0.8"]:
        assert names_no_gene(name)
    for name in ["__no_feature", "__alignment_not_unique", "N_noFeature", "UMAP_1", "leiden", "ERCC-00002"]:
        assert names_no_gene(name)
    for name in ["ERCC1", "ERCC-1", "PC", "NO_1", "NCOUNT", "MT-CO1", "PERCC1", "TP53", "S100A1"]:
        assert not names_no_gene(name)
    assert all(map(is_nameless, [None, float("nan"), "", "nan", "nan-1", "None"]))
    assert not any(map(is_nameless, ["NA", "NAN", "NANOG"]))
