"""Queries as a whole: shifts, novel cells, sets of types and fractions of types."""

from __future__ import annotations

import warnings
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from gene_gcn import GeneGCNClassifier
from gene_gcn.errors import ArgumentError, LabelWarning, ShiftWarning

N, TYPES = 400, ["B", "NK", "T", "other"]
RATES = np.random.default_rng(0).gamma(0.3, 1.0, (len(TYPES), N))
BATCH = np.exp(np.random.default_rng(1).normal(0, 0.8, N))  # of a technology, for each gene


def draw(n, seed, types=(0, 1, 2), batch=1.0) -> anndata.AnnData:
    rng = np.random.default_rng(seed)
    y = rng.choice(types, n)
    counts = sparse.csr_matrix(rng.poisson(RATES[y] * batch * 3).astype(np.float32))
    obs = pd.DataFrame({"cell_type": np.array(TYPES)[y]}, index=[f"cell{i}" for i in range(n)])
    return anndata.AnnData(counts, obs, pd.DataFrame(index=[f"GENE{i}" for i in range(N)]))


@pytest.fixture(scope="module")
def clf() -> GeneGCNClassifier:
    return GeneGCNClassifier(random_state=0).fit(draw(400, 0), "cell_type")


def test_query_of_the_same_kind_is_named_as_by_predict(clf):
    query = draw(300, 1)
    clf.annotate(query)
    np.testing.assert_array_equal(query.obs["gene_gcn"].astype(str), clf.predict(query))
    np.testing.assert_array_equal(query.obsm["gene_gcn_proba"], clf.predict_proba(query))
    made = query.uns["gene_gcn"]
    assert not made["shift_removed"] and "one data set" in made["shift_kept_because"] and made["shift"] < 0.03


def test_shift_of_another_technology_is_removed(clf, tmp_path):
    query = draw(300, 2, batch=BATCH)
    with pytest.warns(ShiftWarning):
        clf.annotate(query, unknown=True, alpha=0.1)
    assert query.uns["gene_gcn"]["shift_removed"] and query.uns["gene_gcn"]["shift"] > 0.03
    assert np.mean(query.obs["gene_gcn"] == query.obs["cell_type"]) > 0.95
    assert np.mean(query.obs["gene_gcn"] == "unknown") < 0.05
    query.write_h5ad(tmp_path / "query.h5ad")
    back = anndata.read_h5ad(tmp_path / "query.h5ad")
    assert back.obsm["gene_gcn_set"].shape == (300, 3) and back.uns["gene_gcn"]["shift_removed"]
    clf.annotate(query, "plain", adapt=None)
    np.testing.assert_array_equal(query.obs["plain"].astype(str), clf.predict(query))
    assert "shift" not in query.uns["plain"]


@pytest.mark.parametrize("batch", [1.0, BATCH], ids=["same technology", "another technology"])
def test_type_that_is_not_known_is_called_unknown(clf, batch):
    query = draw(400, 3, types=(0, 1, 2, 0, 1, 2, 0, 1, 2, 3), batch=batch)
    clf.annotate(query, unknown=True)
    is_other = query.obs["cell_type"] == "other"
    is_unknown = query.obs["gene_gcn"] == "unknown"
    assert is_unknown[is_other].mean() > 0.8 and is_unknown[~is_other].mean() < 0.05
    np.testing.assert_array_equal(query.obs["gene_gcn_novelty"] < 0.01, is_unknown)
    np.testing.assert_allclose(clf.novelty(query), query.obs["gene_gcn_novelty"])


def test_missing_genes_are_allowed(clf):
    query = draw(400, 4, types=(0, 1, 2, 0, 1, 2, 0, 1, 2, 3))[:, ::2].copy()
    with pytest.warns(match="missing"):
        p = clf.novelty(query)
    is_other = (query.obs["cell_type"] == "other").to_numpy()
    assert np.median(p[is_other]) < 0.05 < np.median(p[~is_other])


def test_sets_hold_the_type_as_often_as_promised(clf):
    query = draw(2000, 5)
    sets = clf.predict_set(query, alpha=0.2)
    assert sets.shape == (2000, 3) and sets.dtype == bool
    own = sets[np.arange(2000), np.searchsorted(clf.classes_, query.obs["cell_type"])]
    assert own.mean() > 0.75
    assert np.all(clf.predict_set(query, alpha=0.05) >= sets)  # smaller alpha, larger sets


def test_a_shift_costs_sets_their_coverage(clf):
    query = draw(300, 2, batch=BATCH)
    with pytest.warns(ShiftWarning, match=r"shifted by 0\.\d\d .* more often than alpha= states"):
        clf.predict_set(query)
    with pytest.warns(ShiftWarning):
        clf.annotate(query, adapt=None, alpha=0.1)
    assert "shift" not in query.uns["gene_gcn"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.predict_set(draw(300, 5))


def test_types_without_enough_cells_are_told():
    cells = draw(60, 6)
    few = pd.concat([cells.obs["cell_type"][:57], pd.Series("rare", cells.obs_names[57:])])
    clf = GeneGCNClassifier(random_state=0).fit(cells, few)
    with pytest.warns(LabelWarning, match=r"fewer than 9 held-out cells \(rare\)"):
        sets = clf.predict_set(draw(20, 7))
    assert sets[:, list(clf.classes_).index("rare")].all()


def test_fractions_are_those_of_the_sample(clf):
    query = draw(600, 8, types=(0, 0, 0, 0, 0, 0, 1, 1, 1, 2))
    table = clf.abundance(query)
    true = query.obs["cell_type"].value_counts(normalize=True)[table.index]
    assert table.columns.tolist() == ["fraction", "lower", "upper", "counted"]
    assert np.abs(table["fraction"] - true).max() < 0.02
    assert table["fraction"].sum() == pytest.approx(1)


def test_saved_model_judges_as_before(clf, tmp_path):
    clf.save(tmp_path / "model")
    other, query = GeneGCNClassifier.load(tmp_path / "model"), draw(300, 9, batch=BATCH)
    np.testing.assert_array_equal(other.novelty(query), clf.novelty(query))
    same = draw(300, 10)
    np.testing.assert_array_equal(other.predict_set(same), clf.predict_set(same))


def test_empty_samples(clf):
    empty = draw(5, 1)[:0].copy()
    with pytest.warns(match="no cells"):
        assert clf.novelty(empty).shape == (0,) and clf.predict_set(empty).shape == (0, 3)
    with pytest.warns(match="no cells"):
        clf.annotate(empty, unknown=True, alpha=0.1)
    assert len(empty.obs["gene_gcn"]) == 0
    with pytest.raises(ArgumentError, match="no cells with expression"), pytest.warns(match="no cells"):
        clf.abundance(empty)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, "0.1", True])
def test_wrong_alpha_is_refused(clf, alpha):
    with pytest.raises(ArgumentError, match="alpha.* must be between 0 and 1"):
        clf.predict_set(draw(5, 1), alpha=alpha)


def test_other_mistakes(clf):
    with pytest.raises(ArgumentError, match="adapt='yes' must be 'auto' or None"):
        clf.annotate(draw(5, 1), adapt="yes")
    with pytest.raises(NotFittedError):
        GeneGCNClassifier().predict_set(draw(5, 1))
    zero = GeneGCNClassifier(missing_genes="zero", random_state=0).fit(draw(60, 0), "cell_type")
    with pytest.raises(ArgumentError, match="missing_genes='impute'"):
        zero.novelty(draw(30, 1))
    deep = GeneGCNClassifier(optimizer="sgd", max_epochs=1, random_state=0).fit(draw(60, 0), "cell_type")
    with pytest.raises(ArgumentError, match="optimizer='sgd' trains by gradients"):
        deep.novelty(draw(30, 1))
    query = draw(60, 1)
    deep.annotate(query)  # one cell at a time
    assert "shift" not in query.uns["gene_gcn"]


@pytest.mark.skipif(not Path("../shared/data/cells").is_dir(), reason="the public cells are not here")
def test_interferon_does_not_hide_the_types():
    cells = anndata.read_h5ad("../shared/data/cells/kang_muscat_2donors.h5ad")
    reference, query = (cells[cells.obs["batch"] == name].copy() for name in ("stim107", "ctrl107"))
    clf = GeneGCNClassifier(random_state=0).fit(reference, "cell_type")
    clf.annotate(query)
    adapted = np.mean(query.obs["gene_gcn"].astype(str) == query.obs["cell_type"].astype(str))
    assert adapted > clf.score(query, "cell_type") + 0.1
