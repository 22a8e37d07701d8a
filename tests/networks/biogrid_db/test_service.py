from __future__ import annotations

import logging

import pytest

from gene_gcn import networks
from gene_gcn.networks import DownloadError, GeneNetwork
from gene_gcn.networks.biogrid_db import service

KEY = "0123456789abcdefSECRET"
COLUMNS = [
    "#BioGRID Interaction ID",
    "Entrez Gene Interactor A",
    "Entrez Gene Interactor B",
    "BioGRID ID Interactor A",
    "BioGRID ID Interactor B",
    "Systematic Name Interactor A",
    "Systematic Name Interactor B",
    "Official Symbol Interactor A",
    "Official Symbol Interactor B",
    "Synonyms Interactor A",
    "Synonyms Interactor B",
    "Experimental System",
    "Experimental System Type",
    "Author",
    "Pubmed ID",
    "Organism Interactor A",
    "Organism Interactor B",
    "Throughput",
    "Score",
    "Modification",
    "Phenotypes",
    "Qualifications",
    "Tags",
    "Source Database",
]
ROWS = [
    ("TP53", "MDM2", "physical", "1"),
    ("MDM2", "TP53", "physical", "2"),
    ("TP53", "ACTB", "physical", "3"),
    ("TP53", "MDM2", "genetic", "4"),
    ("MDM2", "ACTB", "genetic", "5"),
]


def line(a, b, evidence, publication):
    values = dict.fromkeys(COLUMNS, "-")
    values |= {f"Official Symbol Interactor {side}": name for side, name in zip("AB", (a, b), strict=True)}
    values |= {"Experimental System Type": evidence, "Pubmed ID": publication}
    values |= {f"Organism Interactor {side}": "9606" for side in "AB"}
    return "\t".join(values.values())


@pytest.fixture
def api(host, monkeypatch):
    def interactions(form):
        if form["accesskey"] != KEY:
            return host.Answer(403, b"Invalid access key " + form["accesskey"].encode())
        assert (form["searchNames"], form["includeInteractors"], form["taxId"]) == ("true", "false", "9606")
        genes, start = form["geneList"].split("|"), int(form["start"])
        rows = [line(*row) for row in ROWS if row[0] in genes and row[1] in genes]
        page = rows[start : start + int(form["max"])]
        return "".join(f"{row}\n" for row in ["\t".join(COLUMNS), *page]).encode()

    host.forms["/interactions"] = interactions
    host.forms["/version"] = lambda form: b"4.4.240"
    monkeypatch.setenv("GENE_GCN_BIOGRID_API", host.url)
    monkeypatch.setattr(service, "ROWS", 2)
    return host


GENES = ["TP53", "MDM2", "ACTB"]


def test_network_of_genes(api):
    network = networks.biogrid("human", genes=GENES, access_key=KEY)
    assert network == GeneNetwork(["ACTB", "MDM2", "TP53"], [[1, 0], [2, 2]], [1.0986123, 0.6931472])
    assert str(network.source) == "BioGRID physical 4.4.240, Homo sapiens"
    pages = [form["start"] for _, path, form in api.seen if path == "/interactions"]
    assert pages == ["0", "2", "4"]  # five rows, two at a time
    api.close()
    again = networks.biogrid(9606, genes=GENES[::-1])  # cached: neither a key nor a connection is needed
    assert again == network and again.source == network.source
    assert networks.biogrid("human", genes=GENES, evidence="all").num_edges == 3  # from the same answer


def test_key_from_the_environment(api, monkeypatch):
    with pytest.raises(
        ValueError, match="pass access_key= or set the environment variable BIOGRID_ACCESS_KEY"
    ):
        networks.biogrid("human", genes=GENES)
    assert not api.seen
    monkeypatch.setenv("BIOGRID_ACCESS_KEY", KEY)
    assert networks.biogrid("human", genes=GENES).num_edges == 2


def test_key_is_never_shown(api, cache, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    shown = []
    for key, answer in [
        ("wrongSECRET", None),
        (KEY, api.Answer(200, f'{{"STATUS":"ERROR","MESSAGES":["bad {KEY}"]}}'.encode())),
        (KEY, api.Answer(302, headers={"Location": f"https://elsewhere.invalid/?accesskey={KEY}"})),
        (KEY, api.Answer(400, f"no {KEY}".encode())),
    ]:
        api.answers("/interactions", *([answer] if answer else []))
        with pytest.raises(DownloadError) as error:
            networks.biogrid("human", genes=GENES, access_key=key)
        chain = [error.value, error.value.__cause__, error.value.__context__]
        shown += [str(each) for each in chain if each is not None]
        assert networks.cached().empty
    network = networks.biogrid("human", genes=GENES, access_key=KEY)
    shown += [repr(network), str(network.source), str(network.to_dict()), caplog.text, *capfd.readouterr()]
    shown += [networks.cached().to_csv()]
    for path in cache.rglob("*"):
        shown += [str(path), path.read_bytes().decode("latin1") if path.is_file() else ""]
    assert "SECRET" not in "".join(shown)
    assert all("SECRET" not in path for path in api.paths())  # not in addresses either


def test_faults(api):
    api.answers("/version", *[api.Answer(503)] * 3)
    with pytest.raises(DownloadError, match="HTTP 503"):
        networks.biogrid("human", genes=GENES, access_key=KEY)
    api.answers("/interactions", api.Answer(body=b"<html>"))
    with pytest.raises(DownloadError, match="did not return a table"):
        networks.biogrid("human", genes=GENES, access_key=KEY)
    with pytest.raises(ValueError, match="knows no interaction between the 2 genes"):
        networks.biogrid("human", genes=["GAPDH", "ACTB"], access_key=KEY)
    assert networks.cached().empty
    api.answers("/interactions", api.Answer(503), api.Answer(429))
    assert networks.biogrid("human", genes=GENES, access_key=KEY).num_edges == 2


def test_without_a_version(api):
    api.answers("/version", api.Answer(404))
    assert networks.biogrid("human", genes=GENES, access_key=KEY).source.version is None


def test_wrong_arguments(api):
    for options, match in [
        ({"genes": "TP53"}, "genes='TP53' is a single name"),
        ({"genes": []}, "must be a list of official symbols"),
        ({"genes": ["A|B"]}, "must be a list of official symbols"),
        ({"genes": map(str, range(2001))}, "2,001 names, but"),
        ({"organism": None}, "genes= needs an organism, for instance organism='human'"),
        ({"path": "x"}, "genes= requests the latest release .*; leave out path="),
        ({"version": "4.4.232"}, "genes= requests the latest release .*; leave out version="),
    ]:
        with pytest.raises(ValueError, match=match):
            networks.biogrid(**{"organism": "human", "genes": GENES, "access_key": KEY, **options})
    assert not api.seen
