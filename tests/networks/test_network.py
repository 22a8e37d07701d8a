from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings

import networkx
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone

from gene_gcn.networks import GeneNetwork, NetworkSource

GENES = ["TP53", "MDM2", "ACTB", "GAPDH"]


def small(**kwargs):
    return GeneNetwork(GENES, [[0, 1, 0], [1, 2, 2]], [900, 450, 225], **kwargs)


def random_network(num_genes=60, num_edges=300, seed=0):
    rng = np.random.default_rng(seed)
    return GeneNetwork(
        [f"G{i}" for i in range(num_genes)],
        rng.integers(0, num_genes, (2, num_edges)),
        rng.uniform(0.1, 5, num_edges),
        source=NetworkSource("made up"),
    )


def dense(network):
    return network.adj_t.to_dense().numpy()


@st.composite
def raw_edges(draw):
    num_genes = draw(st.integers(1, 8))
    node = st.integers(0, num_genes - 1)
    score = st.floats(1e-300, 1e300)
    edges = draw(st.lists(st.tuples(node, node, score), max_size=30))
    index = np.array([edge[:2] for edge in edges], dtype=np.int64).reshape(-1, 2).T
    return [f"G{i}" for i in range(num_genes)], index, [edge[2] for edge in edges]


# ---- the constructor ----


@settings(deadline=None)
@given(raw_edges())
def test_canonical_form(raw):
    genes, index, score = raw
    network = GeneNetwork(genes, index, score)
    adjacency = dense(network)

    expected = np.zeros((len(genes), len(genes)))
    for i, j, s in zip(*index.tolist(), score, strict=True):
        if i != j:
            expected[i, j] = expected[j, i] = max(expected[i, j], s)
    if expected.any():
        expected /= expected.max()

    np.testing.assert_allclose(adjacency, expected, rtol=1e-6, atol=2e-38)
    np.testing.assert_array_equal(adjacency > 0, np.isin(adjacency, adjacency[adjacency > 0]))
    rows, columns = network.edge_index.numpy()
    assert (np.diff(rows * len(genes) + columns) > 0).all()  # sorted by (row, column), no duplicates
    assert ((network.edge_weight > 0) & (network.edge_weight <= 1)).all()
    assert network.num_edges == len(
        {frozenset(e) for e in zip(*index.tolist(), strict=True) if len(set(e)) > 1}
    )


@settings(deadline=None)
@given(raw_edges())
def test_building_again_changes_nothing(raw):
    network = GeneNetwork(*raw)
    assert GeneNetwork(network.genes, network.edge_index, network.edge_weight) == network


def test_order_and_direction_of_the_edges_do_not_matter():
    other = GeneNetwork(GENES, [[2, 2, 1, 0], [0, 1, 0, 1]], [225, 450, 900, 10])
    assert other == small()


def test_properties():
    network = small(source=NetworkSource("STRING", "12.0", "Homo sapiens"))
    assert network.genes == tuple(GENES)
    assert (network.num_genes, network.num_edges, network.diagonal) == (4, 3, 0)
    assert network.normalization == "max"
    assert network.edge_index.dtype == torch.int64 and network.edge_index.shape == (2, 6)
    assert network.edge_weight.dtype == torch.float32 and network.edge_weight.shape == (6,)
    assert network.degree.tolist() == [2, 2, 2, 0]
    assert repr(network) == "GeneNetwork(4 genes, 3 edges, STRING 12.0, Homo sapiens)"
    assert repr(network.with_diagonal(1).normalized("sym")).endswith("Homo sapiens, diagonal 1, sym)")


def test_tensors_and_missing_weights_are_accepted():
    network = GeneNetwork(GENES, torch.tensor([[0, 1], [1, 2]], dtype=torch.int32))
    assert network.edge_weight.tolist() == [1, 1, 1, 1]
    weighted = GeneNetwork(
        GENES, torch.tensor([[0, 1], [1, 2]]), torch.tensor([1.0, 2.0], requires_grad=True)
    )
    assert weighted.edge_weight.tolist() == [0.5, 0.5, 1, 1]


@pytest.mark.parametrize("genes", [[], ["A"], GENES])
def test_no_edges(genes):
    network = GeneNetwork(genes, np.empty((2, 0)))
    assert network.num_edges == 0
    assert network.degree.tolist() == [0] * len(genes)
    assert not dense(network).any()
    for same in (
        network.align(genes),
        network.permuted(0),
        network.union(network),
        GeneNetwork(genes, [[], []]),
    ):
        assert same == network
    assert dense(network.with_diagonal(1).normalized("sym")).tolist() == np.eye(len(genes)).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("TP53", [[0], [1]]), "genes='TP53' is one name"),
        ((["A", ""], [[0], [1]]), "genes holds ''"),
        ((["A", 7157], [[0], [1]]), "genes holds 7157"),
        ((["A", "B", "A"], [[0], [1]]), r"\['A'\] occur more than once"),
        ((GENES, [0, 1]), r"edge_index has shape \(2,\)"),
        ((GENES, [[0, 1], [1, 2], [2, 3]]), r"shape \(3, 2\) but must be \(2, E\); transpose it"),
        ((GENES, [[0.0], [1.0]]), "edge_index holds float64"),
        ((GENES, [[0], [4]]), "edge_index holds 4, but there are 4 genes"),
        ((GENES, [[0], [-1]]), "edge_index holds -1"),
        ((GENES, [[0], [1]], [1, 2]), r"edge_weight has shape \(2,\) but edge_index holds 1 edges"),
        ((GENES, [[0, 1], [1, 2]], [1, 0]), r"edge_weight\[1\] is 0; scores must be positive"),
        ((GENES, [[0], [1]], [np.nan]), r"edge_weight\[0\] is nan"),
        ((GENES, [[0], [1]], [np.inf]), r"edge_weight\[0\] is inf"),
        ((GENES, [[0], [1]], ["high"]), "edge_weight must hold numbers"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GeneNetwork(*arguments)


def test_wrong_source():
    with pytest.raises(ValueError, match="source='STRING' must be a NetworkSource"):
        small(source="STRING")


# ---- an immutable value ----


def test_cannot_be_changed():
    network = small()
    with pytest.raises(AttributeError, match="immutable"):
        network.genes = ()
    with pytest.raises(AttributeError, match="immutable"):
        network.name = "x"
    with pytest.raises(AttributeError, match="immutable"):
        del network._genes
    before = network.content_hash
    network.edge_index.zero_()
    network.edge_weight.zero_()
    network.degree[:] = 9
    assert network == small()
    assert small().content_hash == before


def test_does_not_share_memory_with_what_it_was_made_from():
    index, weight = np.array([[0, 1], [1, 2]]), np.array([1.0, 0.5])
    network = GeneNetwork(GENES, index, weight)
    index[:], weight[:] = 0, 7
    assert network == GeneNetwork(GENES, [[0, 1], [1, 2]], [1.0, 0.5])


def test_equality_and_hash_go_by_content():
    network = small(source=NetworkSource("one"))
    same = small(source=NetworkSource("two"))
    assert network == same and hash(network) == hash(same) and len({network, same}) == 1
    others = [
        network.with_diagonal(1),
        network.normalized("sym"),
        network.align(GENES[::-1]),
        GeneNetwork(["X", *GENES[1:]], network.edge_index, network.edge_weight),
        GeneNetwork(GENES, network.edge_index),
    ]
    for other in others:
        assert other != network and other.content_hash != network.content_hash
    assert network != "a network"


class Estimator(BaseEstimator):
    def __init__(self, network=None):
        self.network = network


def test_copies_pickles_and_clones():
    network = small(source=NetworkSource("STRING")).with_diagonal(1).normalized("sym")
    unpickled = pickle.loads(pickle.dumps(network))
    for other in (copy.copy(network), copy.deepcopy(network), unpickled, clone(Estimator(network)).network):
        assert other == network and other.source == network.source
        assert other.content_hash == network.content_hash
    assert not unpickled._edge_weight.flags.writeable and not unpickled._edge_index.flags.writeable


def test_content_hash_is_the_same_in_another_process():
    code = (
        "from gene_gcn.networks import GeneNetwork; import sys;"
        "n = GeneNetwork(['A', 'B'], [[0], [1]]); h = n.content_hash; n.to_frame();"
        "print(h, 'torch' in sys.modules)"
    )
    options = {"capture_output": True, "text": True, "check": True}
    content_hash, torch_loaded = subprocess.run([sys.executable, "-c", code], **options).stdout.split()
    assert content_hash == GeneNetwork(["A", "B"], [[0], [1]]).content_hash
    assert torch_loaded == "False"  # the command line's help must not wait for torch


def test_adj_t_is_symmetric_csr_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adj_t = random_network().with_diagonal(1).adj_t
    assert adj_t.layout == torch.sparse_csr and adj_t.dtype == torch.float32
    torch.testing.assert_close(adj_t.to_dense(), adj_t.to_dense().T, rtol=0, atol=0)


# ---- align, diagonal, normalized ----


def test_align():
    aligned = small().align(["GAPDH", "new", "ACTB", "MDM2"])
    assert aligned.genes == ("GAPDH", "new", "ACTB", "MDM2")
    expected = np.zeros((4, 4))
    expected[2, 3] = expected[3, 2] = (
        0.5  # not rescaled: the largest score of the whole network stays the unit
    )
    np.testing.assert_array_equal(dense(aligned), expected)


def test_align_to_its_own_genes_is_the_same_network():
    assert small().align(GENES) == small()
    sym = small().normalized("sym")
    assert sym.align(GENES) == sym


@settings(deadline=None)
@given(st.permutations(range(4)))
def test_align_permutes_rows_and_columns(order):
    aligned = small().align([GENES[i] for i in order])
    np.testing.assert_array_equal(dense(aligned), dense(small())[np.ix_(order, order)])
    assert aligned.align(GENES) == small()


def test_align_and_with_diagonal_commute():
    genes = ["new", "ACTB", "TP53"]
    network = small()
    assert network.align(genes).with_diagonal(1) == network.with_diagonal(1).align(genes)


def test_align_to_nothing_in_common():
    assert small().align(["X", "Y"]).num_edges == 0
    with pytest.raises(ValueError, match="more than once"):
        small().align(["TP53", "TP53"])


def test_with_diagonal():
    with_loops = small().with_diagonal(1)
    np.testing.assert_array_equal(dense(with_loops), dense(small()) + np.eye(4))
    assert with_loops.diagonal == 1
    assert with_loops.num_edges == 3 and with_loops.degree.tolist() == [2, 2, 2, 0]
    assert with_loops.with_diagonal(0) == small()
    with pytest.raises(ValueError, match="diagonal=2 must be 0"):
        small().with_diagonal(2)


@pytest.mark.parametrize("diagonal", [0, 1])
def test_sym_is_the_formula(diagonal):
    network = random_network().with_diagonal(diagonal)
    adjacency = dense(network).astype(np.float64)
    degree = adjacency.sum(axis=0)
    half = np.diag(np.divide(1, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0))
    sym = network.normalized("sym")
    np.testing.assert_allclose(dense(sym), half @ adjacency @ half, rtol=1e-6)
    np.testing.assert_array_equal(dense(sym), dense(sym).T)
    assert np.linalg.eigvalsh(dense(sym)).max() == pytest.approx(1, abs=1e-5)


def test_normalized_says_what_is_wanted():
    network = small()
    sym = network.normalized("sym")
    assert network.normalized("max") == network
    assert sym.normalized("sym") == sym
    with pytest.raises(ValueError, match="cannot undo"):
        sym.normalized("max")
    with pytest.raises(ValueError, match="normalization='row' is unknown"):
        network.normalized("row")


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("align", (["TP53"],)), ("with_diagonal", (1,)), ("rewired", (0,)), ("union", (small(),))],
)
def test_wrong_order_is_refused(method, arguments):
    with pytest.raises(ValueError, match=rf"{method} on a network with normalization 'sym'.*{method}\("):
        getattr(small().normalized("sym"), method)(*arguments)


# ---- controls ----


def test_permuted_is_the_same_graph_under_other_names():
    network = random_network().with_diagonal(1)
    control = network.permuted(3)
    assert control != network and control == network.permuted(3) and control != network.permuted(4)
    assert control.genes == network.genes
    assert sorted(control.degree) == sorted(network.degree)
    assert sorted(control.edge_weight.tolist()) == sorted(network.edge_weight.tolist())
    np.testing.assert_allclose(
        np.linalg.eigvalsh(dense(control)), np.linalg.eigvalsh(dense(network)), atol=1e-4
    )
    assert control.source.name == "permuted (seed 3) made up"


def test_permuted_commutes_with_normalized():
    network = random_network()
    a, b = network.permuted(1).normalized("sym"), network.normalized("sym").permuted(1)
    np.testing.assert_allclose(dense(a), dense(b), rtol=1e-6)


def test_permuted_within_groups():
    network = random_network()
    assert network.permuted(0, groups=np.arange(60)) == network  # groups of one gene
    # Give every gene another degree and look where these went.
    star = GeneNetwork([f"G{i}" for i in range(60)], [[0] * 29 + [59] * 29, [*range(1, 30), *range(30, 59)]])
    groups = np.repeat([7, -1], 30)
    for seed in range(5):
        hubs = np.flatnonzero(star.permuted(seed, groups).degree == 29)
        assert groups[hubs].tolist() == [7, -1]
    with pytest.raises(ValueError, match=r"groups has shape \(3,\) but the network has 60 genes"):
        network.permuted(0, groups=[0, 1, 2])


@pytest.mark.parametrize("diagonal", [0, 1])
def test_rewired_keeps_degrees_and_weights(diagonal):
    network = random_network(200, 1500).with_diagonal(diagonal)
    control = network.rewired(0)
    np.testing.assert_array_equal(control.degree, network.degree)
    assert sorted(control.edge_weight.tolist()) == sorted(network.edge_weight.tolist())
    assert (control.num_edges, control.genes, control.diagonal) == (
        network.num_edges,
        network.genes,
        diagonal,
    )
    assert control == network.rewired(0) and control != network.rewired(1)
    # In a random graph of this density some 8 % of the edges coincide with the old ones.
    pairs, old = (set(map(tuple, n.to_frame()[["source", "target"]].values)) for n in (control, network))
    assert len(pairs) == control.num_edges
    assert len(pairs & old) < 0.15 * len(old)


@settings(deadline=None)
@given(st.integers(0, 2**16), st.integers(4, 12), st.floats(0.2, 0.8))
def test_rewired_small_graphs(seed, num_genes, density):
    upper = np.argwhere(np.triu(np.random.default_rng(seed).random((num_genes, num_genes)) < density, k=1))
    network = GeneNetwork([f"G{i}" for i in range(num_genes)], upper.T)
    try:
        control = network.rewired(seed)
    except ValueError as error:
        assert "cannot be rewired" in str(error)
    else:
        np.testing.assert_array_equal(control.degree, network.degree)
        np.testing.assert_array_equal(dense(control), dense(control).T)
        assert not np.diag(dense(control)).any()


def test_rewiring_reaches_every_graph_with_these_degrees_equally_often():
    # Three perfect matchings of four genes: a fair chain visits each in a third of the runs.
    network = GeneNetwork(GENES, [[0, 2], [1, 3]])
    partner = [network.rewired(seed).edge_index[1, 0].item() for seed in range(300)]
    assert np.bincount(partner, minlength=4)[1:].min() > 60


@pytest.mark.parametrize(
    "index",
    [np.triu_indices(4, 1), ([0, 0, 0], [1, 2, 3]), ([0], [1]), ([], [])],
    ids=["complete", "star", "one edge", "no edge"],
)
def test_what_cannot_be_rewired(index):
    with pytest.raises(ValueError, match="cannot be rewired"):
        GeneNetwork(GENES, np.array(index)).rewired(0)


# ---- union ----


def test_union():
    one = GeneNetwork(
        ["A", "B", "C"], [[0, 1], [1, 2]], [1.0, 0.2], source=NetworkSource("one", "1", licence="MIT")
    )
    two = GeneNetwork(
        ["D", "C", "B"], [[0, 1], [1, 2]], [1.0, 0.6], source=NetworkSource("two", "2", licence="MIT")
    )
    both = one.union(two)
    assert both.genes == ("A", "B", "C", "D")
    weights = both.to_frame().set_index(["source", "target"])["weight"].to_dict()
    assert weights == pytest.approx({("A", "B"): 1, ("B", "C"): 0.6, ("C", "D"): 1})
    assert both.source == NetworkSource("one + two", "1; 2", licence="MIT")
    assert both.align(list("ABCD")) == two.union(one).align(list("ABCD"))


def test_union_with_itself_and_with_a_part_changes_nothing():
    network = random_network()
    assert network.union(network) == network
    assert network.union(network.align(network.genes[:10])) == network
    assert network.union(network.with_diagonal(1)) == network.with_diagonal(1)
    with pytest.raises(ValueError, match="other is a list"):
        network.union([])


# ---- other forms ----


def test_frame_round_trip():
    network = random_network()
    frame = network.to_frame()
    assert list(frame.columns) == ["source", "target", "weight"]
    assert len(frame) == network.num_edges
    assert GeneNetwork.from_frame(frame).align(network.genes) == network


def test_from_frame_columns():
    frame = pd.DataFrame({"weight": [1.0, 2.0], "target": ["B", "C"], "note": ["", ""], "source": ["A", "A"]})
    expected = GeneNetwork(["A", "B", "C"], [[0, 0], [1, 2]], [1, 2])
    assert GeneNetwork.from_frame(frame) == expected
    by_position = frame[["source", "target", "weight"]].set_axis(["x", "y", "z"], axis=1)
    assert GeneNetwork.from_frame(by_position) == expected
    assert GeneNetwork.from_frame(by_position.astype({"x": "category", "y": "category"})) == expected
    assert GeneNetwork.from_frame(by_position.astype({"x": "string"})) == expected
    unweighted = GeneNetwork.from_frame(frame[["source", "target"]])
    assert unweighted.edge_weight.unique().tolist() == [1]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"a": ["A"], "b": ["B"], "c": [1], "d": [1]}, "name those of the edges 'source', 'target'"),
        ({"source": ["A"]}, "the table has columns"),
        ({"source": ["A", None], "target": ["B", "C"]}, "column 'source' has 1 missing"),
        ({"source": ["A"], "target": [7157]}, "a gene is named 7157"),
        ({"source": ["A"], "target": [""]}, "a gene is named ''"),
        ({"source": ["A"], "target": ["B"], "weight": ["high"]}, "column 'weight' must hold the scores"),
        ({"source": ["A"], "target": ["B"], "weight": [-1]}, r"edge_weight\[0\] is -1"),
    ],
)
def test_from_frame_errors(frame, message):
    with pytest.raises(ValueError, match=message):
        GeneNetwork.from_frame(pd.DataFrame(frame))


def test_networkx_round_trip():
    graph = small().to_networkx()
    assert list(graph.nodes) == GENES and graph.number_of_edges() == 3
    assert graph["MDM2"]["ACTB"]["weight"] == 0.5
    assert GeneNetwork.from_networkx(graph) == small()
    assert GeneNetwork.from_networkx(small().with_diagonal(1).to_networkx()) == small()


def test_from_networkx_of_other_kinds():
    directed = networkx.MultiDiGraph(
        [("A", "B", {"score": 2}), ("B", "A", {"score": 4}), ("B", "C", {"score": 1})]
    )
    directed.add_node("alone")
    expected = GeneNetwork(["A", "B", "C", "alone"], [[0, 1], [1, 2]], [4, 1])
    assert GeneNetwork.from_networkx(directed, weight="score") == expected
    unweighted = GeneNetwork(["A", "B", "C", "alone"], [[0, 1], [1, 2]])
    assert (
        GeneNetwork.from_networkx(directed) == unweighted == GeneNetwork.from_networkx(directed, weight=None)
    )
    directed["A"]["B"][0].pop("score")
    with pytest.raises(ValueError, match="1 of 3 edges have no attribute weight='score'"):
        GeneNetwork.from_networkx(directed, weight="score")
    with pytest.raises(ValueError, match="genes holds 0"):
        GeneNetwork.from_networkx(networkx.path_graph(3))


# ---- intersection, other names ----


@settings(deadline=None)
@given(raw_edges(), raw_edges())
def test_union_and_intersection_are_a_lattice(one, two):
    a, b = GeneNetwork(*one), GeneNetwork(*two)
    both, either = a.intersection(b), a.union(b)
    genes = [gene for gene in a.genes if gene in b.genes]
    assert both.genes == tuple(genes)
    np.testing.assert_array_equal(dense(both), np.minimum(dense(a.align(genes)), dense(b.align(genes))))
    assert a.union(both) == a  # absorption
    assert a.intersection(either) == a
    assert a.intersection(a) == a
    assert a.intersection(b).align(genes) == b.intersection(a).align(genes)


def test_intersection_keeps_what_both_have():
    other = GeneNetwork(["MDM2", "TP53", "X"], [[0, 1], [1, 2]], [1, 4])
    both = small().intersection(other)
    assert both.genes == ("TP53", "MDM2")
    assert both.to_frame().values.tolist() == [["TP53", "MDM2", 0.25]]  # not scaled again
    assert small().with_diagonal(1).intersection(other).diagonal == 0
    assert small().with_diagonal(1).intersection(other.with_diagonal(1)).diagonal == 1
    sources = (NetworkSource("STRING", "12.0"), NetworkSource("BioGRID", "4.4"))
    named = small(source=sources[0]).intersection(GeneNetwork(GENES, [[0], [1]], source=sources[1]))
    assert named.source.name == "STRING and BioGRID"
    with pytest.raises(ValueError, match="other is a list; intersection takes another GeneNetwork"):
        small().intersection([])
    with pytest.raises(ValueError, match="intersection on a network with normalization 'sym'"):
        small().intersection(other.normalized("sym"))


def test_rename():
    network = random_network()
    names = {gene: gene.lower() for gene in network.genes[::2]}
    renamed = network.rename(names)
    assert renamed.genes == tuple(names.get(gene, gene) for gene in network.genes)
    assert renamed.rename({new: old for old, new in names.items()}) == network
    assert network.rename({}) == network == network.rename({"G0": "G0", "no gene": "x"})
    np.testing.assert_array_equal(dense(renamed), dense(network))
    assert renamed.source == network.source
    sym = network.with_diagonal(1).normalized("sym")
    assert sym.rename(names) == renamed.with_diagonal(1).normalized("sym")


def test_genes_renamed_alike_become_one():
    merged = small().rename({"ACTB": "TP53"})
    assert merged.genes == ("TP53", "MDM2", "GAPDH")
    # TP53-MDM2 weighs 1, ACTB-MDM2 0.5; TP53-ACTB would be a self-loop.
    assert merged.to_frame().values.tolist() == [["TP53", "MDM2", 1.0]]
    assert small().rename({"TP53": "A", "MDM2": "A", "ACTB": "B"}).to_frame()["weight"].tolist() == [0.5]
    with pytest.raises(ValueError, match="names holds none of the 4 genes"):
        small().rename({"x": "TP53"})
    with pytest.raises(ValueError, match="genes holds ''"):
        small().rename({"TP53": ""})
    with pytest.raises(ValueError, match="rename on a network with normalization 'sym'"):
        small().normalized("sym").rename({"ACTB": "TP53"})


# ---- looking at it, other forms ----


def test_summary():
    network = GeneNetwork(["A", "B", "C", "D", "E", "F"], [[0, 1, 3], [1, 2, 4]], [4, 2, 1])
    summary = network.summary()
    assert summary[:"largest component"].to_dict() == {
        "genes": 6, "connected genes": 5, "edges": 3, "components": 2, "largest component": 3,
    }  # fmt: skip
    assert summary[["degree min", "degree median", "degree max"]].tolist() == [1, 1, 2]
    assert summary[["weight min", "weight median", "weight max"]].tolist() == [0.25, 0.5, 1]
    assert network.with_diagonal(1).summary().equals(summary)
    assert small(source=NetworkSource("STRING", "12.0")).summary().name == "STRING 12.0"
    assert "edges" in str(summary)


@pytest.mark.parametrize("genes", [[], ["A"], GENES])
def test_summary_of_no_edges(genes):
    summary = GeneNetwork(genes, np.empty((2, 0))).summary()
    assert summary[:"largest component"].tolist() == [len(genes), 0, 0, 0, 0]
    assert summary["degree min":].isna().all()


@pytest.mark.parametrize("diagonal", [0, 1])
def test_to_data(diagonal):
    network = random_network().with_diagonal(diagonal)
    data = network.to_data()
    assert data.num_nodes == network.num_genes and data.genes == list(network.genes)
    assert data.is_undirected() and data.is_coalesced() and data.has_self_loops() == bool(diagonal)
    again = GeneNetwork(data.genes, data.edge_index, data.edge_weight).with_diagonal(diagonal)
    assert again.edge_index.equal(network.edge_index)
    data.edge_weight.zero_()  # a copy: the network does not change
    assert network.edge_weight.min() > 0


@pytest.mark.sparse
def test_sparse_tensor_is_the_same_matrix():
    torch_sparse = pytest.importorskip("torch_sparse")
    network = random_network().with_diagonal(1)
    tensor = network.to_sparse_tensor()
    assert isinstance(tensor, torch_sparse.SparseTensor)
    np.testing.assert_array_equal(tensor.to_dense().numpy(), dense(network))


def test_sparse_tensor_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_sparse", None)
    with pytest.raises(ImportError, match=r"pip install --no-build-isolation 'gene-gcn\[sparse\]'"):
        small().to_sparse_tensor()
