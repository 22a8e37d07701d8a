"""Back-off: the deepest node that is sure enough, and thresholds that keep what they promise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_ontology import ONTOLOGY

from gene_gcn.ontology import Hierarchy, back_off, choose_threshold

TREE = Hierarchy.from_parents(
    ["CD4", "CD8", "B", "mono"], {"CD4": "T", "CD8": "T", "T": "lymphoid", "B": "lymphoid"}
)
IDS = {
    "CD4": "CL:0000624",
    "naive": "CL:0000898",
    "naive CD4": "CL:0000895",
    "B": "CL:0000236",
    "T": "CL:0000084",
}
DAG = Hierarchy.from_ontology(list(IDS), IDS, ONTOLOGY)


def draw(hierarchy, n, seed):
    """Calibrated probabilities, and types drawn from them."""
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet(np.full(hierarchy.num_types, 0.4), n)
    types = (rng.random(n)[:, None] > probability.cumsum(1)).sum(1).clip(max=hierarchy.num_types - 1)
    return probability, types


@pytest.mark.parametrize(
    ("threshold", "names"),
    [
        (0.0, ["CD4", "CD4", "mono", "CD4"]),
        (0.6, ["CD4", "T", "mono", "lymphoid"]),
        (0.8, ["T", "T", "cell", "lymphoid"]),
        (0.97, ["T", "T", "cell", "cell"]),
        (1.0, ["T", "T", "cell", "cell"]),
        (np.inf, ["cell"] * 4),
    ],
)
def test_by_name(threshold, names):
    probability = np.array([[0.75, 0.25, 0, 0], [0.5, 0.5, 0, 0], [0.2, 0, 0.1, 0.7], [0.45, 0, 0.4, 0.15]])
    assert [TREE.nodes[node] for node in back_off(probability, TREE, threshold)] == names


@given(st.integers(0, 10), st.floats(0, 1), st.sampled_from([TREE, DAG]))
def test_nodes_are_above_the_type_and_sure_enough(seed, threshold, hierarchy):
    probability, _ = draw(hierarchy, 50, seed)
    node, best, cells = back_off(probability, hierarchy, threshold), probability.argmax(1), np.arange(50)
    summed = hierarchy.sum_upwards(probability)
    assert hierarchy.above[best, node].all()
    assert (summed[cells, node] >= threshold - 1e-9).all()
    smaller = hierarchy.members.sum(0) < hierarchy.members.sum(0)[node][:, None]
    assert not (smaller & hierarchy.above[best] & (summed >= threshold)).any()


def test_on_a_tree_a_higher_threshold_never_gives_a_deeper_node():
    probability, _ = draw(TREE, 300, 0)
    nodes = [back_off(probability, TREE, threshold) for threshold in np.linspace(0, 1, 30)]
    for lower, higher in pairwise(nodes):
        assert TREE.above[lower, higher].all()


@pytest.mark.parametrize("hierarchy", [TREE, DAG])
@pytest.mark.parametrize("accuracy", [0.8, 0.95])
def test_the_threshold_keeps_the_accuracy_on_new_cells(hierarchy, accuracy):
    right = []
    for seed in range(40):  # the promise is about the mean over held-out sets
        chosen = choose_threshold(*draw(hierarchy, 100, seed), hierarchy, accuracy)
        probability, types = draw(hierarchy, 500, 1000 + seed)
        right.append(hierarchy.members[types, back_off(probability, hierarchy, chosen)].mean())
    assert accuracy - 0.01 < np.mean(right) < accuracy + 0.05


def test_sure_cells_need_no_back_off_and_few_cells_allow_no_other():
    probability = np.eye(4)[[0, 1, 2, 3] * 10]
    types = np.tile(np.arange(4), 10)
    assert choose_threshold(probability, types, TREE) == 0
    assert choose_threshold(probability[:4], types[:4], TREE) == np.inf


def test_no_cells():
    assert back_off(np.empty((0, 4)), TREE, 0.9).shape == (0,)
