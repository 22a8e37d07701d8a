"""What the `network` argument means, with and without gene names."""

from __future__ import annotations

import gzip

import networkx as nx
import numpy as np
import pytest
from scipy import sparse
from small_networks import GENES, small

from gene_gcn import networks
from gene_gcn.errors import Argument, ArgumentError, GeneNamesWarning
from gene_gcn.networks import read_network, resolve_network

NETWORK = small()
NAMES = [gene.lower() for gene in GENES]


@pytest.fixture
def edge_file(tmp_path):
    path = tmp_path / "edges.tsv"
    NETWORK.to_frame().to_csv(path, sep="\t", index=False)
    return path


# ---- read ----


@pytest.mark.parametrize("network", [None, "coexpression", "string", "biogrid", NETWORK])
def test_none_words_and_networks_stay(network):
    assert read_network(network) is network


def test_files_frames_and_graphs_are_read(edge_file):
    frame = NETWORK.to_frame()
    expected = NETWORK.align(sorted(GENES[:3]))
    for network in (edge_file, str(edge_file), frame, NETWORK.to_networkx()):
        assert read_network(network).align(expected.genes) == expected


def test_info_and_organism_apply_to_files(tmp_path, edge_file, string_host):
    links = gzip.decompress(
        string_host.files["/download/protein.links.v12.0/9606.protein.links.v12.0.txt.gz"]
    )
    info = gzip.decompress(string_host.files["/download/protein.info.v12.0/9606.protein.info.v12.0.txt.gz"])
    (tmp_path / "links.txt").write_bytes(links)
    (tmp_path / "names.txt").write_bytes(info)
    network = read_network(tmp_path / "links.txt", organism="human", info=tmp_path / "names.txt")
    assert network.genes == ("ACTB", "MDM2", "TP53") and network.source.organism == "Homo sapiens"
    assert read_network("string", organism="human") == "string"
    with pytest.raises(ArgumentError, match="cannot be read: organism='human' applies only to") as error:
        read_network(edge_file, organism="human")
    assert error.value.argument == "organism"
    assert error.value.parts[0] == Argument("network", str(edge_file))
    with pytest.raises(ArgumentError, match="cannot be read: info='x' applies only to") as error:
        read_network(edge_file, info="x")
    assert error.value.argument == "info"


def test_unreadable_networks(tmp_path):
    words = "is neither one of 'coexpression', 'string', 'biogrid' nor a file"
    with pytest.raises(ArgumentError, match=f"network='strong' {words}"):
        read_network("strong")
    with pytest.raises(FileNotFoundError, match=r"network='.*absent.tsv' does not exist"):
        read_network(tmp_path / "absent.tsv")
    empty = tmp_path / "empty.tsv"
    empty.write_text("")
    unnamed = nx.path_graph(3)
    for network, message in [
        (empty, r"network='.*empty.tsv' cannot be read: .*is empty"),
        (
            NETWORK.to_frame()[["source"]],
            "the DataFrame passed as network= cannot be read: .*'source'",
        ),
        (unnamed, "the Graph passed as network= cannot be read: genes contains 0"),
        (
            [("A", "B")],
            r"network=\[.*\] has type list; pass None, 'coexpression', 'string', 'biogrid', a path",
        ),
    ]:
        with pytest.raises(ArgumentError, match=message) as error:
            read_network(network)
        assert error.value.argument == "network"


# ---- resolve ----


def test_no_network():
    assert resolve_network(None, GENES) == (None, None)
    assert resolve_network(None, None, num_genes=3) == (None, None)


def test_networks_are_aligned_by_name(edge_file):
    genes = ["new", *GENES[::-1]]
    resolved = resolve_network(NETWORK, genes)
    assert resolved.network == NETWORK.align(genes) and resolved.match is None
    assert resolve_network(edge_file, genes).network == NETWORK.align(genes)


@pytest.mark.parametrize("spelled", ["GRCh38_{}", "hg19---{}"])
def test_names_in_another_spelling_are_matched(edge_file, spelled):
    names = [spelled.format(gene) for gene in GENES]
    with pytest.warns(GeneNamesWarning, match="in another spelling"):
        network, match = resolve_network(edge_file, names)
    assert match is None and network.genes == tuple(names)
    assert network.num_edges == NETWORK.num_edges


def test_too_little_overlap():
    with pytest.raises(ArgumentError, match="network and X share 0 genes and 0 edges between them") as error:
        resolve_network(NETWORK, NAMES)
    assert error.value.argument == "network" and Argument("gene_column") in error.value.parts
    assert "'TP53', 'MDM2' or 'ACTB'" in str(error.value) and "'tp53', 'mdm2' or 'actb'" in str(error.value)
    with pytest.raises(ArgumentError, match="share 2 genes and 0 edges"):
        resolve_network(NETWORK, ["TP53", "GAPDH"])
    many = networks.GeneNetwork([f"G{i}" for i in range(300)], [[0], [1]])
    with pytest.raises(ArgumentError, match="share 2 genes and 1 edges"):  # fewer than 1 % of 300
        resolve_network(many, ["G0", "G1", *(f"x{i}" for i in range(298))])
    assert resolve_network(many, ["G0", "G1"]).network.num_edges == 1  # all of the smaller set
    with pytest.raises(ArgumentError, match="the network has genes such as none"):
        resolve_network(networks.GeneNetwork([], [[], []]), GENES)


def test_networks_without_gene_names_are_aligned_by_position():
    cells = sparse.csr_matrix((2, 4))
    assert resolve_network(NETWORK, None, num_genes=4).network is NETWORK
    assert resolve_network(NETWORK, None, cells=cells).network is NETWORK
    with pytest.raises(ArgumentError, match="network has 4 genes, X 60 columns without names"):
        resolve_network(NETWORK, None, num_genes=60)


def test_coexpression_is_computed_from_the_cells():
    cells = sparse.csr_matrix(np.random.default_rng(0).gamma(1, size=(30, 4)) @ np.eye(4) + np.eye(30, 4))
    named = resolve_network("coexpression", GENES, cells=cells)
    assert named.network == networks.coexpression(cells, genes=GENES, normalization="none")
    assert named.network.genes == tuple(GENES) and named.match is None
    assert resolve_network("coexpression", None, cells=cells).network.genes == ("0", "1", "2", "3")
    with pytest.raises(ArgumentError, match="network='coexpression' is computed from training cells"):
        resolve_network("coexpression", GENES)


def test_databases_are_matched_to_the_genes(string_host):
    string_host.files["/download/protein.aliases.v12.0/9606.protein.aliases.v12.0.txt.gz"] = gzip.compress(
        b"#string_protein_id\talias\tsource\n9606.ENSP01\tP53\tEnsembl_HGNC_alias_symbol\n"
    )
    network, match = resolve_network("string", ["P53", "MDM2", "XIST"])
    assert network.genes == ("P53", "MDM2", "XIST") and network.num_edges == 1
    assert match.dropped == ("XIST",)
    with pytest.raises(ArgumentError, match="network='string' is matched by gene names, but X has none"):
        resolve_network("string", None, num_genes=3)
    with pytest.raises(ArgumentError, match="cannot be inferred; pass organism=") as error:
        resolve_network("string", ["@", "?"])
    assert error.value.argument == "organism"


def test_positions_are_not_matched_to_other_numbers():
    positions = list(map(str, range(5000)))
    entrez = networks.GeneNetwork(["60", "4193", "7157"], [[0, 1], [1, 2]])
    with pytest.raises(
        ArgumentError, match=r"X are named by positions \(0, 1, 2, …\), .* numbers \(7157, …\)"
    ):
        resolve_network(entrez, positions)
    by_position = networks.GeneNetwork(positions[:300], [[0, 1], [1, 2]])
    assert resolve_network(by_position, positions).network.num_edges == 2
