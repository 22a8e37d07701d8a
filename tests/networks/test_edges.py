from __future__ import annotations

import gzip

import networkx as nx
import pandas as pd
import pytest

from gene_gcn import networks
from gene_gcn.networks import GeneNetwork, NetworkSource
from gene_gcn.networks.edges import parse_edges

EDGES = [("TP53", "MDM2", 900), ("NA", "ACTB", 450)]  # "NA" is a name, not a missing value
EXPECTED = GeneNetwork(["ACTB", "MDM2", "NA", "TP53"], [[1, 0], [3, 2]], [900, 450])


def text(separator, header=None, columns=3, end="\n"):
    lines = [header] if header else []
    lines += [separator.join(map(str, edge[:columns])) for edge in EDGES]
    return end.join(lines) + end


@pytest.mark.parametrize("separator", ["\t", ",", ", ", " ", "  "])
@pytest.mark.parametrize("header", [None, "source{0}target{0}weight", "#node1{0}node2{0}score", "X{0}Y{0}Z"])
@pytest.mark.parametrize("packed", [False, True])
def test_layouts(tmp_path, separator, header, packed):
    content = text(separator, header and header.format(separator)).encode()
    path = tmp_path / "edges"  # the name does not reveal the format
    path.write_bytes(gzip.compress(content) if packed else content)
    network = networks.read(path)
    assert network == EXPECTED
    assert networks.read(str(path)) == network
    assert network.source.name == "edges" and len(network.source.sha256) == 64


@pytest.mark.parametrize(
    "header",
    [
        None,
        "source\ttarget",
        "gene_a\tgene_b",
        "Gene1\tGene2",
        "from\tto",
        "TF\ttarget",
        "protein1\tprotein2",
    ],
)
def test_two_columns(tmp_path, header):
    path = tmp_path / "edges.tsv"
    path.write_text(text("\t", header, columns=2))
    table = parse_edges(path)
    assert table.astype(str).values.tolist() == [["TP53", "MDM2"], ["NA", "ACTB"]]
    assert networks.read(path).edge_weight.tolist() == [1, 1, 1, 1]


def test_header_argument(tmp_path):
    path = tmp_path / "edges.tsv"
    path.write_text("left\tright\nTP53\tMDM2\n")
    assert networks.read(path).num_edges == 2
    assert networks.read(path, header=True).genes == ("MDM2", "TP53")
    path.write_text("source\ttarget\nTP53\tMDM2\n")
    assert networks.read(path, header=False).num_edges == 2


def test_windows_line_endings_byte_order_mark_and_quotes(tmp_path):
    path = tmp_path / "edges.tsv"
    path.write_bytes(b"\xef\xbb\xbf" + text("\t", "source\ttarget\tweight", end="\r\n").encode())
    assert networks.read(path) == EXPECTED
    path.write_text("5'\"-gene\tB\t1\n")
    assert networks.read(path).genes == ("5'\"-gene", "B")


def test_columns_are_found_by_name(tmp_path):
    path = tmp_path / "edges.csv"
    path.write_text("note,weight,target,source\nx,900,MDM2,TP53\ny,450,ACTB,NA\n")
    assert networks.read(path) == EXPECTED


def test_frames_graphs_and_networks():
    frame = EXPECTED.to_frame()
    source = NetworkSource("mine")
    assert networks.read(frame, source=source) == EXPECTED
    assert networks.read(frame, source=source).source == source
    graph = nx.Graph([("A", "B")])
    assert networks.read(graph) == GeneNetwork(["A", "B"], [[0], [1]])
    assert networks.read(EXPECTED) is EXPECTED
    with pytest.raises(ValueError, match="edges is a list; pass the path"):
        networks.read([("A", "B")])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"<!DOCTYPE html>\n<html>", "is a web page"),
        (b"PK\x03\x04\x00\x00", "binary file"),
        (gzip.compress(b"A\tB\t1\n" * 100_000)[:-20], "damaged or incomplete gzip"),
        (b"A\nB\n", "has only one column"),
        (b"A\tB\t1\t2\n", "has 4 columns"),
        (b"A\tB\t1\nC\tD\thigh\n", "third column must contain numbers"),
        (b"A\tB\t1\nC\tD\t-3\n", r"edge_weight\[1\] is -3"),
        (b"A\tB\t1\nC\t\t3\n", "a gene is named ''"),
        (b"A\tB\nC\tD\tE\tF\n", "is not a table"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    path = tmp_path / "broken.tsv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        networks.read(path)
    assert "broken.tsv" in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="edges=.*none.tsv' does not exist"):
        networks.read(tmp_path / "none.tsv")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        networks.read(tmp_path)


def test_real_file(shared_data):
    path = shared_data / "networks" / "biogrid-4.4.232-human-symbols.tsv.gz"
    network = networks.read(path)
    assert network.num_edges == 794_969
    assert "gene_a" not in network.genes and "A1BG" in network.genes
    table = parse_edges(path)
    assert isinstance(table["source"].dtype, pd.CategoricalDtype)
    control = network.rewired(0)
    assert (control.degree == network.degree).all() and control.num_edges == network.num_edges
