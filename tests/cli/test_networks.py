from __future__ import annotations

import gzip

import hcop_host
import numpy as np
import pytest
from command_line import run
from string_vector_files import h5_bytes

ALIASES = b"#string_protein_id\talias\tsource\n9606.ENSP01\tENSG00000141510\tEnsembl_gene\n"


@pytest.fixture
def with_aliases(string_host):
    path = "/download/protein.aliases.v12.0/9606.protein.aliases.v12.0.txt.gz"
    string_host.files[path] = gzip.compress(ALIASES)
    return string_host


def test_networks_are_fetched_listed_and_removed(with_aliases, capsys, error_of):
    assert run("fetch", "string", "--organism", "human") == 0
    printed = capsys.readouterr().out
    assert "STRING 12.0, Homo sapiens" in printed and "License   CC BY 4.0; please cite" in printed
    assert run("networks") == 0
    printed = capsys.readouterr().out
    assert "9606.protein.aliases.v12.0.txt.gz" in printed and "sha256" in printed
    assert run("networks", "--remove", "*aliases*") == 0
    assert "Removed   string/12.0/9606.protein.aliases.v12.0.txt.gz" in capsys.readouterr().out
    assert "Nothing in" in error_of("networks", "--remove", "*aliases*")


def test_organisms_that_cannot_be_fetched_are_named(string_host, error_of):
    string_host.close()
    assert error_of("fetch", "string", "--organism", "mouse")
    assert "human" in error_of("fetch", "string", "--organism", "humman")


def test_missing_aliases_are_reported(string_host, capsys):
    assert run("fetch", "string") == 0
    assert "genes are matched by its preferred names only" in capsys.readouterr().out


def test_terms_are_fetched_on_request(with_aliases, capsys, error_of):
    path = "/download/protein.enrichment.terms.v12.0/9606.protein.enrichment.terms.v12.0.txt.gz"
    row = b"9606.ENSP01\tReactome Pathways\tHSA-69541\tStabilization of p53\n"
    with_aliases.files[path] = gzip.compress(b"#string_protein_id\tcategory\tterm\tdescription\n" + row)
    assert run("fetch", "string") == 0 and path not in with_aliases.paths()
    assert run("fetch", "string", "--terms") == 0 and path in with_aliases.paths()
    assert "GeneTerms(1 genes, 1 terms, STRING 12.0, Homo sapiens)" in capsys.readouterr().out
    assert run("networks") == 0
    assert "9606.protein.enrichment.terms.v12.0.txt.gz" in capsys.readouterr().out
    assert "--terms is for STRING" in error_of("fetch", "biogrid", "--terms")


def test_orthologs_are_fetched(host, monkeypatch, capsys, error_of):
    hcop_host.serve(host)
    monkeypatch.setenv("GENE_GCN_HCOP_URL", f"{host.url}/hcop")
    assert run("fetch", "hcop", "--organism", "mouse") == 0
    assert "4 pairs of human genes and those of Mus musculus" in capsys.readouterr().out
    assert run("networks") == 0 and "hcop/human_mouse_hcop" in capsys.readouterr().out
    assert "are both Homo sapiens" in error_of("fetch", "hcop")
    assert "HCOP has no releases" in error_of("fetch", "hcop", "--organism", "rat", "--version", "1")
    assert "--vectors is for STRING" in error_of("fetch", "hcop", "--vectors")


def test_vectors_are_fetched_on_request(with_aliases, capsys):
    name = "protein.network.embeddings.v12.0"
    content = h5_bytes(["9606.ENSP01", "9606.ENSP02"], np.eye(2))
    with_aliases.files[f"/download/{name}/9606.{name}.h5"] = content
    assert run("fetch", "string", "--vectors") == 0
    assert "Vectors   2 genes, 2 dimensions" in capsys.readouterr().out
