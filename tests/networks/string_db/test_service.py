from __future__ import annotations

import json

import pytest

from gene_gcn import networks
from gene_gcn.errors import NetworkWarning
from gene_gcn.networks import DownloadError, GeneNetwork
from gene_gcn.networks.string_db import service as string_service

PROTEINS = {"TP53": ("P1", "TP53"), "p53": ("P1", "TP53"), "MDM2": ("P2", "MDM2"), "actin": ("P3", "ACTB")}
SCORES = {("P1", "P2"): 0.999, ("P1", "P3"): 0.41}


def service(form):
    """Answer as STRING does: ids in order of the query, each link once, scores 0 to 1."""
    assert form["species"] == "9606" and form["caller_identity"] == "gene_gcn"
    ids = form["identifiers"].split("\r")
    if "echo_query" in form:
        rows = [
            {"queryItem": gene, "queryIndex": i, "stringId": f"9606.{PROTEINS[gene][0]}",
             "preferredName": PROTEINS[gene][1]}
            for i, gene in enumerate(ids) if gene in PROTEINS
        ]  # fmt: skip
        return json.dumps(rows).encode()
    assert form["add_nodes"] == "0" and form["network_type"] in ("functional", "physical")
    rows = [
        {"stringId_A": f"9606.{a}", "stringId_B": f"9606.{b}", "preferredName_A": a, "score": score}
        for (a, b), score in SCORES.items()
        if {f"9606.{a}", f"9606.{b}"} <= set(ids) and 1000 * score >= float(form["required_score"])
    ]
    return json.dumps(rows + rows).encode()  # the service sometimes repeats pairs


@pytest.fixture
def api(string_host, monkeypatch):
    string_host.files["/api/json/version"] = b'[{"string_version": "12.0", "stable_address": "x"}]'
    for method in ("get_string_ids", "network"):
        string_host.forms[f"/api/json/{method}"] = service
    monkeypatch.setattr(string_service, "PAUSE", 0.05)
    monkeypatch.setattr(string_service, "_next_call", 0.0)
    return string_host


def test_network_of_genes(api):
    network = networks.string(genes=["TP53", "MDM2", "actin"], organism="human")
    assert network == GeneNetwork(["MDM2", "TP53", "actin"], [[0, 1], [1, 2]], [999, 410])
    assert str(network.source) == "STRING 12.0, Homo sapiens" and len(network.source.sha256) == 64
    assert [method for method, _, _ in api.seen] == ["POST"] * 3
    gaps = [later - earlier for earlier, later in zip(api.times, api.times[1:], strict=False)]
    assert min(gaps) >= 0.049
    api.close()
    again = networks.string(genes=["actin", "MDM2", "TP53"], organism=9606)  # the order does not matter
    assert again == network and again.source == network.source


def test_min_score_and_kind_are_requested(api):
    options = {"organism": "human", "min_score": 900, "network": "physical"}
    few = networks.string(genes=["TP53", "MDM2", "actin"], **options)
    assert few.genes == ("MDM2", "TP53") and few.source.name == "STRING physical"
    form = api.seen[-1][2]
    assert (form["required_score"], form["network_type"]) == ("900", "physical")


def test_several_names_of_a_protein(api):
    network = networks.string(genes=["p53", "TP53", "MDM2"], organism="human")
    assert network.genes == ("MDM2", "TP53")
    assert networks.string(genes=["p53", "MDM2"], organism="human").genes == ("MDM2", "p53")


def test_unknown_genes(api):
    with pytest.warns(NetworkWarning, match="STRING 12.0 does not know 1 of 3 genes in Homo sapiens: Xyz"):
        networks.string(genes=["TP53", "Xyz", "MDM2"], organism="human")
    with pytest.warns(NetworkWarning, match="Xyz"):  # from the cache too
        networks.string(genes=["TP53", "Xyz", "MDM2"], organism="human")
    with pytest.raises(ValueError, match="does not know 2 of 2 genes .* Are they genes of that organism"):
        networks.string(genes=["Xyz", "Abc"], organism="human")
    with pytest.raises(ValueError, match="links no two of the 2 genes with min_score=400"):
        networks.string(genes=["MDM2", "actin"], organism="human")


def test_batches(api, monkeypatch):
    monkeypatch.setattr(string_service, "BATCH", 2)
    monkeypatch.setattr(string_service, "PAUSE", 0.0)
    assert networks.string(genes=["TP53", "p53", "MDM2", "actin"], organism="human").num_edges == 2
    assert api.paths().count("/api/json/get_string_ids") == 2 and api.paths().count("/api/json/network") == 1


def test_wrong_arguments(api):
    for options, match in [
        ({"genes": "TP53"}, "genes='TP53' is a single name"),
        ({"genes": []}, "must be a list of names"),
        ({"genes": ["a\rb"]}, "must be a list of names"),
        ({"genes": map(str, range(2001))}, "2,001 names, but .* 2,000 at most; leave out genes="),
        ({"genes": ["A"], "path": "x"}, "genes= requests .* from STRING's service, but path= reads a file"),
        ({"genes": ["A"], "channels": ["fusion"]}, "but channels= reads a file"),
        ({"genes": ["A"], "version": "../x"}, "is not a version of STRING"),
        ({"genes": ["A"], "organism": None}, "genes= needs an organism, for instance organism='human'"),
    ]:
        with pytest.raises(ValueError, match=match):
            networks.string(**{"organism": "human", **options})
    assert not api.seen


def test_faults(api):
    api.answers("/api/json/get_string_ids", *[api.Answer(503)] * 3)
    with pytest.raises(DownloadError, match="HTTP 503"):
        networks.string(genes=["TP53", "MDM2"], organism="human")
    for body in (b'[{"Error": "not found"}]', b"<html>", b'{"a": 1}'):
        api.answers("/api/json/network", api.Answer(body=body))
        with pytest.raises(DownloadError, match="returned an unexpected answer"):
            networks.string(genes=["TP53", "MDM2"], organism="human")
    for score in ("NaN", "-1", "900", '"high"', "null"):
        link = f'[{{"stringId_A": "9606.P1", "stringId_B": "9606.P2", "score": {score}}}]'
        api.answers("/api/json/network", api.Answer(body=link.encode()))
        with pytest.raises(DownloadError, match="link without a score from 0 to 1"):
            networks.string(genes=["TP53", "MDM2"], organism="human")
    assert networks.cached().empty
    assert networks.string(genes=["TP53", "MDM2"], organism="human").num_edges == 1


def test_version_of_the_service(api, monkeypatch):
    with pytest.raises(DownloadError, match="has STRING 12.0, not 11.5; pass version='12.0'"):
        networks.string(genes=["TP53", "MDM2"], organism="human", version="11.5")
    monkeypatch.delenv("GENE_GCN_STRING_API")
    assert string_service._service("11.0b", None) == "https://version-11-0b.string-db.org/api"
