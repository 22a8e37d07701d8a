"""The organism of genes is that of most names."""

from __future__ import annotations

import pytest

from gene_gcn.genes.organism_of_genes import organism_of_genes


@pytest.mark.parametrize(
    ("genes", "taxid"),
    [
        (["TP53", "MDM2", "CD3E"], "9606"),
        (["ENSG00000141510.17", "ENSG00000135679"], "9606"),
        (["Trp53", "Mdm2", "0610007P14Rik"], "10090"),
        (["ENSMUSG00000059552", "ENSMUSG00000020184"], "10090"),
        (["ENSRNOG00000010756", "ENSRNOG00000006304.5"], "10116"),
        (["ENSMMUG00000008639", "ENSMMUG00000001614"], "9544"),  # Macaca mulatta, not Mus musculus
        (["ENSDARG00000035559", "ENSDARG00000016235"], "7955"),
        (["ENSMUSG00000059552", "ENSDARG00000035559", "ENSDARG00000016235"], "7955"),
        (["mm10___Trp53", "mm10___Mdm2"], "10090"),
        (["rn6_TP53", "rn6_MDM2"], "10116"),  # the genome counts more than capitals
        (["YAL001C", "YBR111W-A"], "4932"),
        (["FBgn0000008", "FBgn0000014"], "7227"),
    ],
)
def test_organism(genes, taxid):
    found = organism_of_genes(genes)
    assert found is not None and found.taxid == taxid


@pytest.mark.parametrize(
    "genes", [[], ["0", "1", "2"], ["7157", "4193"], ["ENSXXXG00000000001", "ENSXXXG00000000002"]]
)
def test_unknown(genes):
    assert organism_of_genes(genes) is None


def test_every_organism_of_the_tables_is_known():
    from gene_gcn.genes import organism_of_genes as module
    from gene_gcn.genes.organisms import find_organism

    for table in (module._OF_KIND, module._OF_GENOME, module._OF_ENSEMBL):
        assert all(find_organism(name).scientific_name for name in table.values())
