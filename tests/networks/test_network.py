from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import GENES, dense, random_network, raw_edges, small

from gene_gcn.networks import GeneNetwork, NetworkSource

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
def test_rebuilding_changes_nothing(raw):
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
        (("TP53", [[0], [1]]), "genes='TP53' is a single name"),
        ((["A", ""], [[0], [1]]), "genes contains ''"),
        ((["A", 7157], [[0], [1]]), "genes contains 7157"),
        ((["A", "B", "A"], [[0], [1]]), r"\['A'\] occur more than once"),
        ((GENES, [0, 1]), r"edge_index has shape \(2,\)"),
        ((GENES, [[0, 1], [1, 2], [2, 3]]), r"shape \(3, 2\) but must be \(2, E\); transpose it"),
        ((GENES, [[0.0], [1.0]]), "edge_index has dtype float64"),
        ((GENES, [[0], [4]]), "edge_index contains 4, but positions of 4 genes are 0 to 3"),
        ((GENES, [[0], [-1]]), "edge_index contains -1"),
        ((GENES, [[0], [1]], [1, 2]), r"edge_weight has shape \(2,\), but edge_index has 1 edges"),
        ((GENES, [[0, 1], [1, 2]], [1, 0]), r"edge_weight\[1\] is 0, but scores must be positive"),
        ((GENES, [[0], [1]], [np.nan]), r"edge_weight\[0\] is nan"),
        ((GENES, [[0], [1]], [np.inf]), r"edge_weight\[0\] is inf"),
        ((GENES, [[0], [1]], ["high"]), "edge_weight must contain numbers"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GeneNetwork(*arguments)


def test_wrong_source():
    with pytest.raises(ValueError, match="source='STRING' must be a NetworkSource"):
        small(source="STRING")


# ---- align, diagonal, normalized ----


def test_align():
    aligned = small().align(["GAPDH", "new", "ACTB", "MDM2"])
    assert aligned.genes == ("GAPDH", "new", "ACTB", "MDM2")
    expected = np.zeros((4, 4))
    # Not rescaled: weights stay relative to the largest score of the whole network.
    expected[2, 3] = expected[3, 2] = 0.5
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


def test_align_without_common_genes():
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
def test_sym_follows_the_formula(diagonal):
    network = random_network().with_diagonal(diagonal)
    adjacency = dense(network).astype(np.float64)
    degree = adjacency.sum(axis=0)
    half = np.diag(np.divide(1, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0))
    sym = network.normalized("sym")
    np.testing.assert_allclose(dense(sym), half @ adjacency @ half, rtol=1e-6)
    np.testing.assert_array_equal(dense(sym), dense(sym).T)
    assert np.linalg.eigvalsh(dense(sym)).max() == pytest.approx(1, abs=1e-5)


def test_normalized_is_idempotent_and_cannot_be_undone():
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
    # Two hubs, one in each group: each must stay in its group.
    star = GeneNetwork([f"G{i}" for i in range(60)], [[0] * 29 + [59] * 29, [*range(1, 30), *range(30, 59)]])
    groups = np.repeat([7, -1], 30)
    for seed in range(5):
        hubs = np.flatnonzero(star.permuted(seed, groups).degree == 29)
        assert groups[hubs].tolist() == [7, -1]
    with pytest.raises(ValueError, match=r"groups has shape \(3,\) but the network has 60 genes"):
        network.permuted(0, groups=[0, 1, 2])


# ---- union and intersection ----


def test_union():
    one = GeneNetwork(
        ["A", "B", "C"], [[0, 1], [1, 2]], [1.0, 0.2], source=NetworkSource("one", "1", license="MIT")
    )
    two = GeneNetwork(
        ["D", "C", "B"], [[0, 1], [1, 2]], [1.0, 0.6], source=NetworkSource("two", "2", license="MIT")
    )
    both = one.union(two)
    assert both.genes == ("A", "B", "C", "D")
    weights = both.to_frame().set_index(["source", "target"])["weight"].to_dict()
    assert weights == pytest.approx({("A", "B"): 1, ("B", "C"): 0.6, ("C", "D"): 1})
    assert both.source == NetworkSource("one + two", "1; 2", license="MIT")
    assert both.align(list("ABCD")) == two.union(one).align(list("ABCD"))


def test_union_with_itself_or_a_part_changes_nothing():
    network = random_network()
    assert network.union(network) == network
    assert network.union(network.align(network.genes[:10])) == network
    assert network.union(network.with_diagonal(1)) == network.with_diagonal(1)
    with pytest.raises(ValueError, match="other is a list"):
        network.union([])


@settings(deadline=None)
@given(raw_edges(), raw_edges())
def test_union_and_intersection_form_a_lattice(one, two):
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
    assert both.to_frame().values.tolist() == [["TP53", "MDM2", 0.25]]  # not rescaled
    assert small().with_diagonal(1).intersection(other).diagonal == 0
    assert small().with_diagonal(1).intersection(other.with_diagonal(1)).diagonal == 1
    sources = (NetworkSource("STRING", "12.0"), NetworkSource("BioGRID", "4.4"))
    named = small(source=sources[0]).intersection(GeneNetwork(GENES, [[0], [1]], source=sources[1]))
    assert named.source.name == "STRING and BioGRID"
    with pytest.raises(ValueError, match="other is a list; intersection takes another GeneNetwork"):
        small().intersection([])
    with pytest.raises(ValueError, match="intersection on a network with normalization 'sym'"):
        small().intersection(other.normalized("sym"))


# ---- other names ----


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


def test_genes_with_the_same_new_name_are_merged():
    merged = small().rename({"ACTB": "TP53"})
    assert merged.genes == ("TP53", "MDM2", "GAPDH")
    # TP53-MDM2 weighs 1, ACTB-MDM2 0.5; TP53-ACTB would be a self-loop.
    assert merged.to_frame().values.tolist() == [["TP53", "MDM2", 1.0]]
    assert small().rename({"TP53": "A", "MDM2": "A", "ACTB": "B"}).to_frame()["weight"].tolist() == [0.5]
    with pytest.raises(ValueError, match="names contains none of the 4 genes"):
        small().rename({"x": "TP53"})
    with pytest.raises(ValueError, match="genes contains ''"):
        small().rename({"TP53": ""})
    with pytest.raises(ValueError, match="rename on a network with normalization 'sym'"):
        small().normalized("sym").rename({"ACTB": "TP53"})
