"""The Cell Ontology from OBO, from CELLxGENE's JSON, from its package, and fetched once."""

from __future__ import annotations

import gzip
import json
import sys

import pytest
import zstandard
from small_ontology import ONTOLOGY, as_json, as_obo

from gene_gcn.errors import ArgumentError
from gene_gcn.networks import DownloadError, cached
from gene_gcn.ontology import cell_ontology, fetch_obo
from gene_gcn.ontology.sources import VERSION

PATH = f"/{VERSION}/cl-basic.obo"


@pytest.fixture
def cl_host(host, monkeypatch):
    host.files[PATH] = as_obo().encode()
    monkeypatch.setenv("GENE_GCN_CL_URL", host.url)
    return host


def assert_same(ontology):
    assert set(ontology) == set(ONTOLOGY)
    for name, term in ontology.terms.items():
        known = ONTOLOGY[name]
        assert (term.label, set(term.synonyms)) == (known.label, set(known.synonyms))
        assert set(term.parents) == set(known.parents)
    assert ontology["CL:0000003"].id == "CL:0000000"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cl.obo", as_obo().encode()),
        ("cl.obo.gz", gzip.compress(as_obo().encode())),
        ("CL-ontology-v2026-03-26.json", as_json()),
        ("CL-ontology-v2026-03-26.json.zst", zstandard.compress(as_json())),
    ],
)
def test_every_file_gives_the_same_ontology(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    ontology = cell_ontology(tmp_path / name)
    assert_same(ontology)
    assert ontology.source.version == "v2026-03-26" and len(ontology.source.sha256) == 64
    assert str(ontology) == f"CellOntology({len(ONTOLOGY)} terms, Cell Ontology v2026-03-26)"


def test_fetched_once_and_read_offline(cl_host):
    assert_same(cell_ontology())
    cl_host.close()
    assert_same(cell_ontology())
    assert cl_host.paths() == [PATH]
    assert cached()[["name", "version"]].to_numpy().tolist() == [[f"cell_ontology{PATH}", VERSION]]


def test_what_is_downloaded_must_be_the_cell_ontology(cl_host, cache):
    cl_host.files[PATH] = as_obo().replace("CL:", "GO:").encode()
    with pytest.raises(DownloadError, match="lacks CL:0000000"):
        fetch_obo()
    cl_host.files[PATH] = b"<html>not found</html>"
    with pytest.raises(DownloadError, match="Or install the package cellxgene-ontology-guide"):
        cell_ontology()
    assert not list(cache.rglob("*.obo"))
    with pytest.raises(ArgumentError, match=r"version='latest' is not a release.*v2026-03-26"):
        fetch_obo("latest")


def test_a_file_that_changed_in_the_cache_is_refused(cl_host):
    fetch_obo().write_text(as_obo("2020-01-01"))
    with pytest.raises(OSError, match="has changed since it was recorded"):
        cell_ontology()


def test_the_newest_file_of_the_package_is_used(tmp_path, monkeypatch):
    data = tmp_path / "cellxgene_ontology_guide" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("raise AssertionError('imported')")
    (data / "CL-ontology-v2025-01-01.json.zst").write_bytes(b"older")
    (data / "CL-ontology-v2026-03-26.json.zst").write_bytes(zstandard.compress(as_json()))
    monkeypatch.syspath_prepend(tmp_path)
    assert_same(cell_ontology())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"<!doctype html><html>", "is a web page"),
        (b"name,id\n", "does not hold the terms"),
        (b'{"CL:0000000": 1}', "does not hold the terms"),
        (
            json.dumps({"CL:1": {"label": "a", "ancestors": {}, "deprecated": False}}).encode(),
            "lacks CL:0000000",
        ),
        (zstandard.compress(as_json())[:-40], "damaged|does not hold"),
        (b"format-version: 1.2\n\n[Term]\nid: CL:0000000\nis_a: \x00", "damaged OBO"),
        (gzip.compress(b"{}"), "lacks CL:0000000|does not hold"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, content, problem):
    (tmp_path / "given").write_bytes(content)
    with pytest.raises(ArgumentError, match=problem) as refused:
        cell_ontology(tmp_path / "given")
    assert "given" in str(refused.value)


def test_a_missing_file():
    with pytest.raises(FileNotFoundError, match="path='nowhere.obo' does not exist"):
        cell_ontology("nowhere.obo")


@pytest.mark.parametrize(("package", "name"), [("obonet", "cl.obo"), ("zstandard", "cl.json.zst")])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, package, name, cl_host):
    content = as_obo().encode() if name == "cl.obo" else zstandard.compress(as_json())
    (tmp_path / name).write_bytes(content)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ArgumentError, match=rf"needs the package {package}; .*gene-gcn\[ontology\]"):
        cell_ontology(tmp_path / name)
    if package == "obonet":
        with pytest.raises(ArgumentError, match=r"gene-gcn\[ontology\]"):
            fetch_obo()
        assert cl_host.seen == []
