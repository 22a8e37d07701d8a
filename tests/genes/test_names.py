from __future__ import annotations

import pytest

from gene_gcn.genes.names import gene_kind, without_versions


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


def test_versions_are_dropped_unless_names_become_equal():
    names = ["ENSG00000141510.17", "NM_000546.6", "AC123.1", "9606.ENSP00000269305", "RP11-34P13.7"]
    short = ["ENSG00000141510", "NM_000546", "AC123.1", "9606.ENSP00000269305", "RP11-34P13.7"]
    assert without_versions(names, ["A"]) == [short, ["A"]]
    alike = ["ENSG00000141510.1", "ENSG00000141510.2"]
    assert without_versions(names, alike) == [names, alike]
