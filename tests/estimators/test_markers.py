"""A classifier that learns from marker genes instead of labels."""

from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import f1_score

import gene_gcn
from gene_gcn import GeneGCNClassifier, GeneNetwork, MarkerClassifier, from_markers
from gene_gcn.errors import ArgumentError, EmptyCellsWarning, LabelWarning

MARKERS = {"B": ["G0", "G1", "G2"], "T": ["G10", "G11", "G12"], "NK": ["G20", "G21", "G22"]}
ABSENT = {"alpha": ["G30", "G31", "G32"]}


def make_cells(n=180, seed=0):
    rng = np.random.default_rng(seed)
    types = np.arange(n) % 3
    rate = np.full((n, 60), 0.4)
    for k in range(3):
        rate[types == k, 10 * k : 10 * k + 10] = 2.5
    obs = pd.DataFrame(
        {"cell_type": np.array(["B", "T", "NK"], object)[types]}, index=[f"c{i}" for i in range(n)]
    )
    obs["donor"] = np.array(["x", "y"])[np.arange(n) // 3 % 2]
    X = sparse.csr_matrix(rng.poisson(rate).astype(np.float32))
    return anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(60)]))


def edges():
    pairs = [(f"G{10 * k + i}", f"G{10 * k + j}") for k in range(3) for i in range(3) for j in range(3, 9)]
    return GeneNetwork.from_frame(pd.DataFrame(pairs, columns=["source", "target"]))


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelWarning)
        return from_markers(MARKERS | ABSENT, edges(), random_state=0).fit(make_cells())


def test_types_are_learned_without_a_label(fitted):
    cells = make_cells()
    assert isinstance(fitted, MarkerClassifier) and fitted.classes_.tolist() == ["B", "NK", "T"]
    assert f1_score(cells.obs["cell_type"], fitted.predict(cells), average="macro") > 0.98
    other = make_cells(90, seed=1)
    assert f1_score(other.obs["cell_type"], fitted.predict(other), average="macro") > 0.95


def test_types_without_evidence_are_left_out_and_said():
    with pytest.warns(LabelWarning, match="1 of 4 types are left out: alpha"):
        clf = from_markers(MARKERS | ABSENT, random_state=0).fit(make_cells())
    table = clf.markers_.set_index("type")
    assert table["used"].tolist() == [True, True, True, False] and table.loc["alpha", "reason"]
    assert table.loc[["B", "T", "NK"], "cells"].sum() == 180 and clf.damping_ == 0
    assert table.loc["B", "markers"] == "G0, G1, G2" and table.loc["B", "agreement"] > 4


def test_same_seed_same_model(fitted):
    again = clone(fitted)
    with pytest.warns(LabelWarning):
        again.fit(make_cells())
    np.testing.assert_array_equal(again.predict_proba(make_cells()), fitted.predict_proba(make_cells()))


def test_a_saved_model_is_a_classifier_like_any_other(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    loaded = MarkerClassifier.load(tmp_path / "m")
    assert type(loaded) is GeneGCNClassifier
    cells = make_cells()
    np.testing.assert_array_equal(loaded.predict_proba(cells), fitted.predict_proba(cells))
    loaded.annotate(cells, unknown=True, alpha=0.2, key_added="named")
    assert (cells.obs["named"] == cells.obs["cell_type"]).mean() > 0.9
    assert cells.obsm["named_set"].shape == (180, 3)


def test_labels_are_refused():
    with pytest.raises(ArgumentError, match="markers take their place"):
        from_markers(MARKERS).fit(make_cells(), "cell_type")


def test_cells_need_genes_with_names():
    with pytest.raises(ArgumentError, match="no gene names"):
        from_markers(MARKERS).fit(make_cells().X)


def test_too_little_evidence_is_refused_and_changes_nothing(fitted):
    absent = {f"t{i}": [f"G{30 + 3 * i + j}" for j in range(3)] for i in range(3)}
    clf = from_markers(absent, random_state=0)
    with pytest.raises(ArgumentError, match="evidence of 0 of 3 types"):
        clf.fit(make_cells())
    assert not hasattr(clf, "classes_")


def test_one_cell_has_no_neighbors():
    with pytest.raises(ArgumentError, match="X has one cell, but markers are scored over"):
        from_markers(MARKERS).fit(make_cells()[:1].copy())


def test_batches_and_empty_cells():
    cells = make_cells()
    counts = cells.X.toarray()
    counts[5] = 0
    cells.X = sparse.csr_matrix(counts)
    with pytest.warns(EmptyCellsWarning):
        clf = from_markers(MARKERS, random_state=0).fit(cells, batch="donor")
    assert clf.markers_["cells"].sum() == 179


def test_many_cells_are_sampled(monkeypatch):
    options = gene_gcn.estimators.markers.LinearHeadOptions
    monkeypatch.setattr("gene_gcn.estimators.markers.LinearHeadOptions", lambda: options(sample_cells=100))
    clf = from_markers(MARKERS, random_state=0).fit(make_cells())
    assert clf.markers_["cells"].sum() == 100
    assert f1_score(make_cells().obs["cell_type"], clf.predict(make_cells()), average="macro") > 0.95
