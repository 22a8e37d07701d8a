from __future__ import annotations

import pandas as pd
import pytest

from gene_gcn.networks import GeneNetwork, match_genes
from gene_gcn.networks.aliases import biogrid_aliases, string_aliases

NETWORK = GeneNetwork(["TP53", "MDM2", "ACTB", "LONE"], [[0, 1], [1, 2]], [1, 2])


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
    from gene_gcn.networks.string_db.tables import parse_aliases, parse_info

    folder = shared_data / "mirror" / "string" / "download"
    names = parse_info(folder / "protein.info.v12.0" / "9606.protein.info.v12.0.txt.gz")
    raw = parse_aliases(folder / "protein.aliases.v12.0" / "9606.protein.aliases.v12.0.txt.gz")
    network = GeneNetwork(sorted(set(names)), [[0], [1]])
    aliases = string_aliases(raw, names)
    genes = ["ENSG00000198851.10", "CD19", "4818", "9606.ENSP00000269305"]
    assert match_genes(genes, network, aliases).matched == ("CD3E", "CD19", "NKG7", "TP53")
