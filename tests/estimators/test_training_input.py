"""What `fit` is given: cells with labels and batches, of one reference or several."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn import GeneGCNClassifier
from gene_gcn.errors import ArgumentError, LabelWarning, MissingGenesWarning, ScaleWarning

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


def test_labels_and_batches_may_be_given_for_each_reference():
    first, second = draw(90, 1), draw(90, 2)
    clf = GeneGCNClassifier(random_state=0)
    by_reference = clf.fit([first, second], "type").fitted_.reference
    by_donor = clf.fit([first, second], "type", batch="donor").fitted_.reference
    labels = [first.obs["type"], second.obs["type"].to_numpy()]
    batches = [first.obs["donor"], second.obs["donor"].tolist()]
    given = clf.fit([first, second], labels, batch=batches).fitted_.reference
    np.testing.assert_array_equal(given.profiles.mean, by_donor.profiles.mean)
    np.testing.assert_array_equal(given.held_out.logits, by_donor.held_out.logits)
    assert not np.array_equal(by_reference.profiles.mean, by_donor.profiles.mean)
    assert not np.array_equal(by_reference.held_out.logits, by_donor.held_out.logits)


def test_a_list_of_one_reference_is_that_reference():
    cells = draw(90, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = GeneGCNClassifier(random_state=0).fit([cells], "type")
    alone = GeneGCNClassifier(random_state=0).fit(cells, "type")
    np.testing.assert_array_equal(one.predict_proba(cells), alone.predict_proba(cells))


def test_few_cells_are_read_as_by_a_model_of_one_reference():
    """Logarithms without a trace of counts: a guess, for which the scale of training decides."""
    parts = [draw(90, seed) for seed in (1, 2)]
    for part in parts:
        noise = np.random.default_rng(0).uniform(0.5, 1.5, part.shape)
        part.X = sparse.csr_matrix(np.log1p(part.X.toarray() * noise), dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ScaleWarning)
        one, two = (GeneGCNClassifier(random_state=0).fit(X, "type") for X in (parts[0], parts))
    assert one.normalizer_.input_scale == two.normalizer_.input_scale == "log1p"


@pytest.mark.parametrize(
    ("y", "batch", "message"),
    [
        ("kind", None, "Reference 1: y='kind' is not a column of .obs"),
        ("type", "lab", "Reference 1: batch='lab' is not a column of .obs"),
        (
            ["B"] * 90,
            None,
            "With a list of 2 references, y= must be the name of a column, or a list",
        ),
        ("type", ["d"] * 3, "With a list of 2 references, batch= must be"),
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


def test_only_labeled_cells_need_a_batch():
    cells = draw(90, 1)
    labels = cells.obs["type"].astype(object).to_numpy(copy=True)
    batch = cells.obs["donor"].astype(object).to_numpy(copy=True)
    labels[:5], batch[:5] = None, None
    clf = GeneGCNClassifier(random_state=0).fit(cells, labels, batch=batch)
    assert clf.fitted_.reference.profiles.counts.sum() == 85
    with pytest.raises(ArgumentError, match="batch= has no value for 1 of 90 cells"):
        GeneGCNClassifier().fit(cells, labels, batch=[*batch[:-1], ""])
    only_first = np.where(cells.obs["donor"] == "d0", cells.obs["type"], None)
    with pytest.warns(LabelWarning, match="of one batch"):
        GeneGCNClassifier(random_state=0).fit(cells, only_first, batch="donor")


def test_identifiers_of_cells_are_no_batches():
    cells = draw(90, 1)
    with pytest.raises(ArgumentError, match="batch= has 90 batches for 90 cells, as identifiers"):
        GeneGCNClassifier().fit(cells, "type", batch=cells.obs_names.to_numpy())


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


def test_unlabeled_cells_of_another_technology_do_no_harm(tmp_path):
    """Their shift is removed before labels spread, and the model uses only genes that they have."""
    reference, query = draw(150, 1), draw(300, 5, batch=1.2, genes=120)
    plain = GeneGCNClassifier(random_state=0).fit(reference, "type")
    with pytest.warns(MissingGenesWarning, match="unlabelled= lacks 80 of the 200 genes of X"):
        helped = GeneGCNClassifier(random_state=0).fit(reference, "type", unlabelled=query)
    true = query.obs["type"].to_numpy()
    with pytest.warns(MissingGenesWarning, match="missing from X"):
        before = np.mean(plain.predict(query) == true)
    assert np.mean(helped.predict(query) == true) >= before
    assert helped.genes_ == tuple(query.var_names) and helped.n_features_in_ == 120
    whole, part = draw(50, 6), draw(50, 6, genes=120)
    np.testing.assert_array_equal(helped.predict_proba(whole), helped.predict_proba(part))
    helped.save(tmp_path / "model")
    np.testing.assert_array_equal(
        GeneGCNClassifier.load(tmp_path / "model").predict(query), helped.predict(query)
    )


def test_cells_of_the_reference_without_a_label_are_not_shifted():
    """Beside cells of another technology, they are classified as without these."""
    reference, query = draw(200, 1), draw(300, 5, batch=1.2)
    labels = reference.obs["type"].astype(object).to_numpy()
    labels[50:] = None
    clf = GeneGCNClassifier(random_state=0).fit(reference, labels, unlabelled=query)
    assert np.mean(clf.predict(reference[50:]) == reference.obs["type"][50:]) > 0.95


def test_errors_about_unlabeled_cells_name_them():
    reference = draw(90, 1)
    other = draw(90, 2)
    other.var_names = [f"ENSG{i:011d}" for i in range(N)]
    with pytest.raises(ArgumentError, match="^unlabelled=: X and the model have no genes in common") as error:
        GeneGCNClassifier().fit(reference, "type", unlabelled=other)
    assert error.value.argument == "unlabelled"
    joined = draw(300, 3)
    joined.X[:150, :100] = 0
    with (
        pytest.raises(ArgumentError, match="99 genes were not measured in some of these cells"),
        pytest.warns(MissingGenesWarning),
    ):
        GeneGCNClassifier().fit(draw(300, 4), "type", unlabelled=joined)
