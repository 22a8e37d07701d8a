"""What `fit` is given: cells with labels and batches, of one reference or several."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn import GeneGCNClassifier
from gene_gcn.errors import ArgumentError, LabelWarning, MissingGenesWarning

N = 200
RATES = np.random.default_rng(0).gamma(0.4, 1.0, (4, N))
TYPES = np.array(["B", "NK", "T", "pDC"])


def draw(n, seed, types=(0, 1, 2), batch=0.0, genes=N) -> anndata.AnnData:
    """Draw cells of a laboratory, in which genes are seen as well as it is good at them."""
    rng = np.random.default_rng(seed)
    y = rng.choice(types, n)
    bias = np.exp(np.random.default_rng(100 + seed).normal(0, batch, N))
    counts = rng.poisson(RATES[y] * bias * 2)[:, :genes].astype(np.float32)
    obs = pd.DataFrame(
        {"type": TYPES[y], "donor": [f"d{i % 3}" for i in range(n)]}, index=[f"c{seed}-{i}" for i in range(n)]
    )
    return anndata.AnnData(
        sparse.csr_matrix(counts), obs, pd.DataFrame(index=[f"GENE{i}" for i in range(genes)])
    )


def test_several_references_make_one_model(tmp_path):
    first, second = draw(150, 1), draw(150, 2, types=(0, 1, 3), batch=0.5, genes=180)
    second.write_h5ad(tmp_path / "second.h5ad")
    with (
        pytest.warns(MissingGenesWarning, match="share 180 of their 200 and 180 genes"),
        pytest.warns(LabelWarning, match="reference 1 has 'T', reference 2 has 'pDC'"),
    ):
        clf = GeneGCNClassifier(random_state=0).fit([first, tmp_path / "second.h5ad"], "type")
    assert clf.classes_.tolist() == ["B", "NK", "T", "pDC"] and clf.n_features_in_ == 180
    query = draw(300, 3, types=(0, 1, 2, 3), batch=0.5)
    query.obs["name"] = clf.predict(query)
    assert np.mean(query.obs["name"] == query.obs["type"]) > 0.9
    clf.save(tmp_path / "model")
    np.testing.assert_array_equal(
        GeneGCNClassifier.load(tmp_path / "model").predict(query), query.obs["name"]
    )


def test_labels_may_be_given_for_each_reference():
    first, second = draw(90, 1), draw(90, 2)
    clf = GeneGCNClassifier(random_state=0)
    expected = clf.fit([first, second], "type", batch="donor").predict(first)
    labels = [first.obs["type"], second.obs["type"].to_numpy()]
    batches = [first.obs["donor"], second.obs["donor"].tolist()]
    np.testing.assert_array_equal(clf.fit([first, second], labels, batch=batches).predict(first), expected)


@pytest.mark.parametrize(
    ("y", "batch", "message"),
    [
        ("kind", None, "Reference 1: y='kind' is not a column of .obs"),
        ("type", "lab", "Reference 1: batch='lab' is not a column of .obs"),
        (["B"] * 90, None, "With 2 references, y= must be the name of a column, or a list with one for each"),
        ("type", ["d"] * 3, "With 2 references, batch= must be"),
        ([["B"] * 90, ["B"] * 5], None, r"Reference 2: y has shape \(5,\), but X has 90 cells"),
    ],
)
def test_what_is_wrong_with_a_reference_is_told_with_its_number(y, batch, message):
    with pytest.raises(ArgumentError, match=message):
        GeneGCNClassifier().fit([draw(90, 1), draw(90, 2)], y, batch=batch)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ("lab", "batch='lab' is not a column of .obs"),
        (["a"] * 5, r"batch has shape \(5,\), but X has 90 cells"),
        ([None] * 90, "batch= has no value for 90 of 90 cells"),
    ],
)
def test_batches_that_cannot_be_read_are_refused(batch, message):
    with pytest.raises(ArgumentError, match=message):
        GeneGCNClassifier().fit(draw(90, 1), "type", batch=batch)


def test_batches_that_say_nothing_are_told():
    with pytest.warns(LabelWarning, match="All 90 cells are of one batch"):
        one = GeneGCNClassifier(random_state=0).fit(draw(90, 1), "type", batch=["a"] * 90)
    none = GeneGCNClassifier(random_state=0).fit(draw(90, 1), "type")
    np.testing.assert_array_equal(one.fitted_.head.weight, none.fitted_.head.weight)
    with pytest.raises(ArgumentError, match="batch= is used by the exact fit only; .* optimizer='lbfgs'"):
        GeneGCNClassifier(optimizer="sgd").fit(draw(90, 1), "type", batch="donor")


def test_held_out_cells_are_of_other_batches():
    """Laboratories that measure genes differently make held-out cells less sure than folds of all of them."""
    parts = [draw(100, seed, batch=0.9) for seed in range(1, 5)]
    cells = anndata.concat(parts, label="lab")
    losses = []
    for batch in (None, "lab"):
        clf = GeneGCNClassifier(random_state=0).fit(cells, "type", batch=batch)
        held_out = clf.fitted_.reference.held_out
        probability = np.exp(held_out.logits) / np.exp(held_out.logits).sum(1, keepdims=True)
        losses.append(-np.log(probability[np.arange(len(probability)), held_out.types]).mean())
    assert losses[1] > 1.5 * losses[0]


def test_unlabeled_cells_of_another_technology_do_no_harm():
    """Their shift is removed before labels spread, and genes that they lack are not taken for zeros."""
    reference, query = draw(150, 1), draw(300, 5, batch=1.2, genes=120)
    plain = GeneGCNClassifier(random_state=0).fit(reference, "type")
    with pytest.warns(MissingGenesWarning, match="80 of the model's 200 genes"):
        helped = GeneGCNClassifier(random_state=0).fit(reference, "type", unlabelled=query)
    true = query.obs["type"].to_numpy()
    correct = [np.mean(clf.predict(query) == true) for clf in (plain, helped)]
    assert correct[1] >= correct[0]
    weight = helped.fitted_.head.weight.numpy()
    assert np.mean(weight[:120].any(1)) > 0.9 and not weight[120:].any()
