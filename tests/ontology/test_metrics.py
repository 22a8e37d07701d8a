"""Metrics that know subtypes: worked out by hand, and equal to flat ones where nothing is above anything."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score
from small_ontology import ONTOLOGY

from gene_gcn.errors import ArgumentError, LabelWarning
from gene_gcn.ontology import Hierarchy, cl_scores, hierarchical_scores, hop_scores

T, CD4, CD8, NAIVE_CD4 = "CL:0000084", "CL:0000624", "CL:0000625", "CL:0000895"
B, MONO, LYMPHOCYTE, BLOOD, CELL = "CL:0000236", "CL:0000576", "CL:0000542", "CL:0000988", "CL:0000000"
FLAT = Hierarchy.from_parents(["a", "b", "c"], {})
types_of_cells = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30)


def test_a_subtype_of_the_true_type_is_right_and_a_coarser_type_is_not():
    scores = cl_scores([T, T, CD4, B], [CD4, NAIVE_CD4, T, "unknown"], ONTOLOGY)
    assert scores["cl_accuracy"] == 0.5
    f1_of_t = 2 * 2 / (2 * 2 + 1)  # twice right, once called though CD4
    assert scores["cl_macro_f1"] == pytest.approx((f1_of_t + 0 + 0) / 3)


def test_hierarchical_scores_count_shared_ancestors_without_the_root():
    scores = hierarchical_scores([CD4, B], [T, MONO], ONTOLOGY)
    # CD4: {CD4, T, lymphocyte, blood}; T: without CD4. B: {B, lymphocyte, blood}; {monocyte, blood}.
    assert scores["hierarchical_precision"] == pytest.approx((3 + 1) / (3 + 2))
    assert scores["hierarchical_recall"] == pytest.approx((3 + 1) / (4 + 3))
    p, r = 4 / 5, 4 / 7
    assert scores["hierarchical_f1"] == pytest.approx(2 * p * r / (p + r))
    nothing = hierarchical_scores([CD4], ["unknown"], ONTOLOGY)
    assert set(nothing.values()) == {0.0} and hierarchical_scores([CD4], [CELL], ONTOLOGY) == nothing


@given(types_of_cells)
def test_flat_types_have_the_flat_scores(pairs):
    true, predicted = map(np.array, zip(*pairs, strict=True))
    labels = np.unique(true)
    scores = cl_scores(true, predicted, FLAT) | hierarchical_scores(true, predicted, FLAT)
    accuracy = accuracy_score(true, predicted)
    assert scores["cl_accuracy"] == pytest.approx(accuracy)
    f1 = f1_score(true, predicted, average="macro", labels=labels, zero_division=0)
    assert scores["cl_macro_f1"] == pytest.approx(f1)
    for name in ("precision", "recall", "f1"):
        assert scores[f"hierarchical_{name}"] == pytest.approx(accuracy)
    assert hop_scores(true, predicted, FLAT).loc[0, "f1"] == pytest.approx(accuracy)


@given(st.lists(st.sampled_from(sorted(ONTOLOGY)), min_size=1, max_size=10))
def test_true_types_have_perfect_scores(true):
    if set(true) != {CELL}:
        scores = cl_scores(true, true, ONTOLOGY) | hierarchical_scores(true, true, ONTOLOGY)
        assert set(np.round(list(scores.values()), 9)) == {1.0}
    np.testing.assert_allclose(hop_scores(true, true, ONTOLOGY)[["sensitivity", "specificity", "f1"]], 1)


def test_hops_widen_the_target_upwards():
    scores = hop_scores([CD4], [CD8], ONTOLOGY, hops=2)
    assert scores["sensitivity"].tolist() == [0, 1, 1]  # CD8 lends T its probability, one hop above CD4
    assert scores["specificity"].tolist() == [0, 1, 1]  # CD8 is apart from CD4, but under T
    assert hop_scores([CD4], [T], ONTOLOGY)["f1"].tolist() == [0, 1, 1, 1, 1]
    assert hop_scores([T], [CD4], ONTOLOGY)["f1"].tolist() == [1] * 5  # CD4 with all above it, T among them
    far = hop_scores([CD4], [MONO], ONTOLOGY)
    assert far["f1"].tolist() == [0, 0, 0, 1, 1] and far["f1"].is_monotonic_increasing


def test_hops_of_probabilities():
    types = ["CD4", "CD8", "B"]
    hierarchy = Hierarchy.from_ontology(types, dict(zip(types, (CD4, CD8, B), strict=True)), ONTOLOGY)
    summed = hierarchy.sum_upwards(np.array([[0.5, 0.3, 0.2]]))
    scores = hop_scores([CD4], pd.DataFrame(summed, columns=hierarchy.ids), ONTOLOGY, hops=2)
    np.testing.assert_allclose(scores["sensitivity"], [0.5, 0.8, 1.0])
    np.testing.assert_allclose(scores["specificity"], [0.7, 0.8, 1.0])
    np.testing.assert_allclose(scores["precision"], [0.5 / 0.8, 0.8, 1.0])


def test_a_type_that_shares_subtypes_with_the_target_is_not_false():
    """Naive CD4 T cells are naive T cells and CD4 T cells; neither contradicts the other."""
    probability = pd.DataFrame({CD4: [0.4], "CL:0000898": [0.9]})
    scores = hop_scores([CD4], probability, ONTOLOGY, hops=0)
    assert scores.loc[0, ["sensitivity", "specificity"]].tolist() == [0.4, 1.0]


def test_cells_without_a_known_true_type_are_left_out_and_counted():
    with pytest.warns(LabelWarning, match=r"1 of 2 cells are left out.*'unknown'"):
        assert cl_scores([CD4, "unknown"], [CD4, CD4], ONTOLOGY)["cl_accuracy"] == 1
    with pytest.raises(ArgumentError, match=r"y_true= has no type that is in CellOntology.*'x'"):
        hierarchical_scores(["x"], [CD4], ONTOLOGY)
    with pytest.raises(ArgumentError, match="both need one type per cell"):
        cl_scores([CD4], [CD4, CD4], ONTOLOGY)
    with pytest.raises(ArgumentError, match="y_pred has 2 cells and y_true 1"):
        hop_scores([CD4], [CD4, CD4], ONTOLOGY)
