"""Planted differences in co-expression are found, those in mean and spread are not; p is calibrated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted_module import GENES, planted_explanation, planted_network
from scipy.stats import false_discovery_control

from gene_gcn import GeneNetwork
from gene_gcn.errors import ArgumentError
from gene_gcn.explain.edge_differences import candidate_pairs, differing_edges, known_edges

NAMES = list("abcdefgh")


def draw(seed, n=120, genes=8):
    """Two types: means and spreads differ in all genes, and the first two vary together in the first type."""
    rng = np.random.default_rng(seed)
    is_first = np.arange(n) < n // 2
    X = rng.normal(size=(n, genes))
    X[is_first, 1] = 0.9 * X[is_first, 0] + 0.44 * X[is_first, 1]
    return np.where(is_first[:, None], X * rng.uniform(0.5, 2, genes) + 3, X), is_first


def table_of(X, is_first, n_permutations=499, seed=0):
    pairs = np.stack(np.triu_indices(X.shape[1], 1))
    known = np.zeros(pairs.shape[1], bool)
    known[0] = True
    rng = np.random.default_rng(seed)
    return differing_edges(X, is_first, pairs, known, NAMES[: X.shape[1]], n_permutations, rng)


def test_planted_edge_is_found():
    X, is_first = draw(0)
    table = table_of(X, is_first)
    top = table.iloc[0]
    assert (top["source"], top["target"]) == ("a", "b") and top["known"] and table["known"].sum() == 1
    assert top["p"] == 1 / 500 and (table["fdr"] < 0.1).sum() == 1
    assert top["first"] == pytest.approx(np.corrcoef(X[is_first, 0], X[is_first, 1])[0, 1])
    assert top["second"] == pytest.approx(np.corrcoef(X[~is_first, 0], X[~is_first, 1])[0, 1])
    np.testing.assert_allclose(table["difference"], table["first"] - table["second"])
    np.testing.assert_allclose(table["fdr"], false_discovery_control(table["p"]))


def test_p_is_calibrated_where_means_spreads_and_sizes_differ():
    """The types are of unequal size and the products skewed, but no edge differs."""
    p = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        is_first = np.arange(150) < 40
        X = np.sqrt(rng.poisson(np.where(is_first[:, None], 3.0, 1.5), (150, 8)))
        p += table_of(X, is_first, 199, seed)["p"].tolist()
    assert 0.03 < np.mean(np.array(p) <= 0.05) < 0.075 and 0.45 < np.mean(p) < 0.55


def test_genes_without_variance_are_left_out():
    X, is_first = draw(1)
    X[~is_first, 2] = 5.0
    table = table_of(X, is_first, 19)
    assert len(table) == 21 and "c" not in {*table["source"], *table["target"]}
    X[:] = 1.0
    assert table_of(X, is_first, 19).empty


def test_candidates_are_known_edges_and_pairs_of_the_first_genes():
    network = GeneNetwork(GENES, [[0, 3, 7, 0], [3, 9, 8, 100]])
    known = known_edges(network, np.array([0, 5, 3, 9]))
    assert np.argwhere(np.triu(known)).tolist() == [[0, 2], [2, 3]]
    pairs, is_known = candidate_pairs(known, 2)
    assert pairs.T.tolist() == [[0, 1], [0, 2], [2, 3]] and is_known.tolist() == [False, True, True]
    assert not known_edges(None, np.array([0, 1])).any()


@pytest.mark.parametrize("with_labels", [True, False])
def test_explanations_choose_genes_and_cells(with_labels):
    explanation = planted_explanation(n=240)
    X = explanation.X.toarray()
    X[::3, 1] = X[::3, 0]  # the first two genes of the module of A, in A
    explanation = replace(explanation, X=explanation.X.__class__(X))
    labels = np.array(["A", "B", "C"] * 80) if with_labels else None
    table = explanation.differing_edges(
        "A", "B", planted_network(), labels=labels, top=20, top_pairs=12, n_permutations=999
    )
    first = table.iloc[0]
    assert {first["source"], first["target"]} == {"GENE0", "GENE1"} and first["known"]
    assert first["first"] == pytest.approx(1) and first["fdr"] < 0.1
    assert table["known"].any() and not table["known"].all()
    assert len({*table["source"], *table["target"]}) <= 20
    new = explanation.differing_edges("A", "B", labels=labels, top_pairs=12, n_permutations=9)
    assert not new["known"].any() and len(new) == 12 * 11 / 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first": "D"}, "first='D' is not among the 3 types"),
        ({"second": "A"}, "second='A' is also the first type"),
        ({"labels": ["A"]}, "labels= must be one type for each of the 150 explained cells"),
        ({"labels": ["A"] * 150}, "there are 0 cells of B; pass three or more of both types"),
        ({"top": 0}, "top=0 must be a whole number"),
        ({"n_permutations": 0}, "n_permutations=0 must be a whole number"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        planted_explanation().differing_edges(**{"first": "A", "second": "B", **arguments})


def test_labels_are_needed_where_not_all_types_are_explained():
    explanation = replace(planted_explanation(), all_types=False)
    with pytest.raises(ArgumentError, match="differing_edges without labels needs all types"):
        explanation.differing_edges("A", "B")
    assert len(explanation.differing_edges("A", "B", labels=["A", "B", "C"] * 50, n_permutations=9))
