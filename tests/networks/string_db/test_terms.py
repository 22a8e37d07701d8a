"""STRING's file of terms is downloaded once, checked row by row, and read under the names of genes."""

from __future__ import annotations

import gzip
import hashlib

import pytest
from host import INFO

from gene_gcn import networks
from gene_gcn.errors import ArgumentError, NetworkWarning
from gene_gcn.networks import DownloadError
from gene_gcn.networks.string_db.network import fetch_terms
from gene_gcn.networks.string_db.tables import parse_terms

TERMS = b"""\
#string_protein_id\tcategory\tterm\tdescription
9606.ENSP01\tBiological Process (Gene Ontology)\tGO:0006915\tApoptotic process
9606.ENSP01\tReactome Pathways\tHSA-69541\tStabilization of p53
9606.ENSP01\tProtein Domains (Pfam)\tPF00870\tP53 DNA-binding domain, "core"
9606.ENSP02\tReactome Pathways\tHSA-69541\tStabilization of p53
9606.ENSP03\tAnnotated Keywords (UniProt)\tKW-0206\tCytoskeleton
"""
ALIASES = b"""\
#string_protein_id\talias\tsource
9606.ENSP01\tENSG00000141510\tEnsembl_gene
9606.ENSP02\tENSG00000135679\tEnsembl_gene
"""
NAME = "9606.protein.enrichment.terms.v12.0.txt.gz"
PATH = f"/download/protein.enrichment.terms.v12.0/{NAME}"
PATHWAY = ["Reactome Pathways", "HSA-69541", "Stabilization of p53"]


@pytest.fixture
def terms_host(string_host):
    string_host.files[PATH] = gzip.compress(TERMS)
    path = "/download/protein.aliases.v12.0/9606.protein.aliases.v12.0.txt.gz"
    string_host.files[path] = gzip.compress(ALIASES)
    return string_host


def test_downloaded_once_then_offline(terms_host):
    terms = networks.string_terms("human")
    assert terms.genes == ("ACTB", "MDM2", "TP53") and len(terms.terms) == 4
    assert str(terms.source) == "STRING 12.0, Homo sapiens" and terms.source.license == "CC BY 4.0"
    assert terms.source.sha256 == hashlib.sha256(terms_host.files[PATH]).hexdigest()
    rows = terms.to_frame()
    assert rows.loc[rows["gene"] == "MDM2"].iloc[:, 1:].to_numpy().tolist() == [PATHWAY]
    assert 'P53 DNA-binding domain, "core"' in set(rows["description"])
    assert terms_host.paths() == [PATH, "/download/protein.info.v12.0/9606.protein.info.v12.0.txt.gz"]
    terms_host.close()
    again = networks.string_terms("Homo sapiens")
    assert again.to_frame().equals(rows) and again.source == terms.source
    listed = networks.cached().set_index("name").loc[f"string/12.0/{NAME}"]
    assert listed["sha256"] == terms.source.sha256 and listed["organism"] == "Homo sapiens"


@pytest.mark.parametrize("genes", [["TP53", "MDM2", "XIST"], ["ENSG00000141510.4", "ENSG00000135679"]])
def test_names_of_the_user_s_genes(terms_host, genes):
    terms = networks.string_terms("human", genes=genes)
    assert terms.genes == tuple(genes[:2])
    assert terms.terms["category"].nunique() == 3  # none of ACTB alone
    with pytest.raises(ArgumentError, match="None of the 1 genes"):
        networks.string_terms("human", genes=["ENSMUSG00000059552"])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (TERMS.replace(b"9606.ENSP03", b"10090.ENSP03"), r"row 5 \(10090.ENSP03 .* organism 9606"),
        (TERMS.replace(b"9606.ENSP03", b"no protein"), "row 5 .* does not describe a protein"),
        (TERMS.replace(b"\tHSA-69541", b"\t", 1), "row 2 .* does not describe a protein"),
        (TERMS.replace(b"\tReactome Pathways", b"\t ", 1), "row 2 .* does not describe a protein"),
        (TERMS.replace(b"\tHSA-69541\tStab", b"\nStab", 1), "row 2 .* does not describe a protein"),
        (TERMS[: TERMS.rindex(b"KW")], "row 5 .* does not describe a protein"),
        (TERMS.splitlines()[0] + b"\n", "has a header but no proteins"),
        (INFO, "is not a protein.enrichment.terms file of STRING"),
    ],
)
def test_bad_files_are_refused_and_not_kept(terms_host, bad, message):
    terms_host.files[PATH] = gzip.compress(bad)
    with pytest.raises(DownloadError, match=message):
        networks.string_terms("human")
    assert networks.cached().empty
    terms_host.files[PATH] = gzip.compress(TERMS)[:-9]
    with pytest.raises(DownloadError, match="damaged or incomplete"):
        networks.string_terms("human")
    terms_host.files[PATH] = gzip.compress(TERMS)
    assert len(networks.string_terms("human").genes) == 3


def test_versions_and_organisms_that_do_not_exist(terms_host):
    with pytest.raises(DownloadError, match="STRING 12.0 has no protein.enrichment.terms of Mus musculus"):
        fetch_terms("mouse")
    with pytest.raises(ArgumentError, match="is not a version of STRING"):
        networks.string_terms("human", version="../x")
    with pytest.raises(ArgumentError, match="info= belongs to a file of terms"):
        networks.string_terms("human", info="x")


def test_a_file_that_is_there(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(gzip.compress(TERMS))
    assert networks.string_terms(path=path).genes == ("ENSP01", "ENSP02", "ENSP03")
    (tmp_path / "9606.protein.info.v12.0.txt").write_bytes(INFO)
    terms = networks.string_terms(path=path, organism="human")
    assert terms.genes == ("ACTB", "MDM2", "TP53") and str(terms.source) == "STRING 12.0, Homo sapiens"
    assert networks.string_terms(path=path, genes=["other", "MDM2"]).genes == ("MDM2",)
    with pytest.raises(ArgumentError, match="organism='mouse' has taxid 10090"):
        networks.string_terms("mouse", path=path)
    (tmp_path / "info.txt").write_bytes(INFO.replace(b"9606.ENSP03", b"9606.ENSP99"))
    with pytest.warns(NetworkWarning, match="names only 2 of 3 proteins .* ENSP03 .* another version"):
        networks.string_terms(path=path, info=tmp_path / "info.txt")


def test_proteins_of_a_gene_share_its_terms(tmp_path):
    path, info = tmp_path / NAME, tmp_path / "info.txt"
    path.write_bytes(TERMS)
    info.write_bytes(INFO.replace(b"\tMDM2", b"\tTP53"))
    terms = networks.string_terms(path=path, info=info)
    assert terms.genes == ("ACTB", "TP53") and terms.membership.sum() == 4


def test_columns_and_an_empty_description(tmp_path):
    path = tmp_path / "terms.txt"
    path.write_bytes(TERMS + b"9606.ENSP03\tWikiPathways\tWP1\t\n")
    table = parse_terms(path)
    assert list(table.columns) == ["protein", "category", "term", "description"]
    assert table.astype(str).agg("\t".join, axis=1).tolist() == path.read_text().splitlines()[1:]
