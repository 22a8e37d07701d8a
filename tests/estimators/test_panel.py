"""Heads for the genes that a query has, and panels that are judged before cells are measured."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from stored_cells import typed_cells

from gene_gcn import GeneGCNClassifier
from gene_gcn.errors import ArgumentError

TRAIN, QUERY = typed_cells(400, seed=1), typed_cells(800, seed=2)
GENES = [f"GENE{i}" for i in range(0, 40, 5)]

pytestmark = pytest.mark.filterwarnings("ignore::gene_gcn.errors.MissingGenesWarning")


@pytest.fixture(scope="module")
def clf() -> GeneGCNClassifier:
    return GeneGCNClassifier(missing_genes="refit", random_state=0).fit(TRAIN, "cell_type")


@pytest.fixture(scope="module")
def imputing() -> GeneGCNClassifier:
    return GeneGCNClassifier(random_state=0).fit(TRAIN, "cell_type")


def accuracy(model, query):
    return (model.predict(query) == query.obs["cell_type"]).mean()


# ---- refitting ----


def test_with_all_genes_nothing_changes(clf, imputing):
    np.testing.assert_array_equal(clf.predict_proba(QUERY), imputing.predict_proba(QUERY))
    backwards = QUERY[:, ::-1].copy()
    np.testing.assert_allclose(clf.predict_proba(backwards), imputing.predict_proba(backwards))


def test_refitted_head_is_nearly_as_good_as_one_trained_on_these_genes(clf):
    few = QUERY[:, GENES].copy()
    retrained = GeneGCNClassifier(random_state=0).fit(TRAIN[:, GENES].copy(), "cell_type")
    assert accuracy(clf, few) > accuracy(retrained, few) - 0.02
    weight, _ = clf.fitted_.folded(_mask(clf))
    assert not weight[~_mask(clf)].any()  # genes that are not there do not count


def _mask(clf):
    import torch

    return torch.tensor([gene in GENES for gene in clf.genes_])


def test_refitted_heads_are_kept_and_come_back_from_disk(clf, tmp_path):
    few = QUERY[:, GENES].copy()
    probability = clf.predict_proba(few)
    np.testing.assert_array_equal(clf.predict_proba(few[:, ::-1].copy()), probability)
    clf.save(tmp_path / "model")
    loaded = GeneGCNClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(few), probability)


def test_explanations_sum_to_the_logits_of_the_refitted_head(clf):
    few = QUERY[:20, GENES].copy()
    explanation = clf.explain(few)
    weight, bias = clf.fitted_.folded(_mask(clf))
    expected = clf._read_query(few, "").matrix @ weight.numpy() + bias.numpy()
    for cell in (0, 7):
        summary = explanation.summary(cell)
        np.testing.assert_allclose(summary["logit"], expected[cell], atol=1e-4)
        own = [explanation.genes(label, None, cells=cell)["own"].sum() for label in clf.classes_]
        np.testing.assert_allclose(summary["baseline"] + own, expected[cell], atol=1e-4)


def test_queries_as_a_whole_are_seen_by_the_refitted_head(clf):
    few = QUERY[:, GENES].copy()
    clf.annotate(few, unknown=True, alpha=0.1)
    known = (few.obs["gene_gcn"] != "unknown").to_numpy()
    assert known.mean() > 0.8 and not few.uns["gene_gcn"]["shift_removed"]
    np.testing.assert_array_equal(few.obs["gene_gcn"].astype(str)[known], clf.predict(few)[known])
    assert few.obsm["gene_gcn_set"].shape == (QUERY.n_obs, 3)


def test_shifted_queries_are_annotated_by_the_head_that_imputes(clf, imputing):
    of_technology = np.exp(np.random.default_rng(3).normal(0, 0.8, len(GENES)))
    one, other = (QUERY[:, GENES].copy() for _ in range(2))
    for query in (one, other):
        query.X = sparse.csr_matrix(np.round(query.X.toarray() * of_technology).astype(np.float32))
    clf.annotate(one)
    imputing.annotate(other)
    assert one.uns["gene_gcn"]["shift_removed"]
    np.testing.assert_array_equal(one.obsm["gene_gcn_proba"], other.obsm["gene_gcn_proba"])


def test_gradient_training_does_not_refit():
    with pytest.raises(ArgumentError, match="missing_genes='refit' needs the exact fit"):
        GeneGCNClassifier(missing_genes="refit", optimizer="sgd").fit(TRAIN, "cell_type")


# ---- judging panels ----


def test_expected_recall_is_what_is_measured(clf):
    panel = clf.panel(GENES)
    assert panel.genes == tuple(GENES) and panel.unknown == ()
    few = QUERY[:, GENES].copy()
    called = clf.predict(few)
    for label, recall in panel.recall.items():
        own = (few.obs["cell_type"] == label).to_numpy()
        assert abs((called[own] == label).mean() - recall) < 0.2  # counts of 8 genes are not Gaussian
    assert abs(accuracy(clf, few) - panel.balanced_accuracy) < 0.08
    np.testing.assert_allclose(panel.confusion.sum(axis=1), 1)


def test_suggested_genes_tell_types_apart(clf):
    panel = clf.panel(GENES[:2], n_added=5)
    assert len(panel.added) == 5 and not set(panel.added["gene"]) & set(panel.genes)
    assert panel.added["confused"].is_monotonic_decreasing and panel.added["confused"][0] < panel.confused
    others = [gene for gene in clf.genes_ if gene not in (*panel.genes, *panel.added["gene"])]
    chosen = accuracy(clf, QUERY[:, [*panel.genes, *panel.added["gene"]]].copy())
    rng = np.random.default_rng(0)
    by_chance = [
        accuracy(clf, QUERY[:, [*panel.genes, *rng.choice(others, 5, replace=False)]].copy())
        for _ in range(3)
    ]
    assert chosen > np.mean(by_chance)


def test_panels_print_what_matters(clf):
    text = str(clf.panel([*GENES, "OTHER"], n_added=2))
    assert "Panel of 8 genes, 1 that the model lacks: expected balanced accuracy 0." in text
    assert "Add: GENE" in text and all(label in text for label in clf.classes_)


def test_what_is_no_panel_is_refused(clf):
    with pytest.raises(ArgumentError, match="knows 0 of 2 genes: .* like X, Y, those"):
        clf.panel(["X", "Y"])
    with pytest.raises(ArgumentError, match="must be a list"):
        clf.panel("GENE1")
    with pytest.raises(ArgumentError, match="n_added=-1"):
        clf.panel(GENES, n_added=-1)
    unnamed = GeneGCNClassifier(random_state=0).fit(TRAIN.X, TRAIN.obs["cell_type"])
    with pytest.raises(ArgumentError, match="no names"):
        unnamed.panel(GENES)
