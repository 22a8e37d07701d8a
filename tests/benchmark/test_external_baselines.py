"""Baselines in a process of their own, by stand-ins: the real ones need another environment."""

from __future__ import annotations

import sys

import anndata
import numpy as np
import pytest

from gene_gcn.benchmark import external_runner
from gene_gcn.benchmark.external_baselines import PACKAGES, external_baselines, missing_packages

CELLTYPIST = """
from types import SimpleNamespace
import numpy as np, pandas as pd

def train(cells, labels, check_expression, feature_selection, top_genes):
    assert not check_expression and abs(np.expm1(cells.X[0].toarray()).sum() - 1e4) < 1
    if feature_selection:
        raise ValueError("a class is too small")
    return sorted(set(cells.obs[labels]))

def annotate(cells, model, majority_voting):
    assert not majority_voting and not len(cells.obs.columns)
    named = pd.DataFrame({"predicted_labels": pd.Categorical([model[0]] * cells.n_obs)})
    probabilities = pd.DataFrame(np.full((cells.n_obs, len(model)), 0.25), columns=model)
    return SimpleNamespace(predicted_labels=named, probability_matrix=probabilities)
"""
SINGLER = """
def train_single(X, labels, features, test_features, marker_method, hint_sce):
    assert X.shape == (len(features), len(labels)) and len(test_features) == 250
    return sorted(set(labels))

def classify_single(X, model):
    assert X.shape[0] == 250
    return {"best": [model[1]] * X.shape[1]}
"""
HARMONY = """
from types import SimpleNamespace

def run_harmony(components, sides, columns):
    assert columns == ["side"] and len(sides) == len(components)
    return SimpleNamespace(Z_corr=components.T)
"""


def install(folder, name, version, text=""):
    (folder / f"{name}.py").write_text(text)
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    install(tmp_path, "celltypist", "9.9", CELLTYPIST)
    install(tmp_path, "singler", "9.8", SINGLER)
    install(tmp_path, "scranpy", "9.7")
    install(tmp_path, "harmonypy", "9.6", HARMONY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return external_baselines([sys.executable])


def test_every_method_has_its_packages(stand_ins):
    assert list(stand_ins) == list(PACKAGES) == list(external_runner.METHODS)
    assert missing_packages(stand_ins) == {}
    assert stand_ins["CellTypist"].settings == ["CellTypist", "9.9"]
    assert stand_ins["SingleR"].settings == ["SingleR", "9.8", "9.7"]


def test_methods_run_in_another_process(cells, stand_ins):
    labels = cells.obs["type"].to_numpy()

    def run(name):
        return stand_ins[name].run(cells[:30].copy(), labels[:30], cells[30:, :250].copy())

    outcome = run("CellTypist")
    assert list(outcome.predicted) == ["t0"] * 30 and outcome.probabilities.shape == (30, 3)
    assert 0 < outcome.fit_seconds < 60 and 0 < outcome.predict_seconds < 60
    with pytest.raises(RuntimeError, match="ValueError: a class is too small"):
        run("CellTypist, its genes selected")
    outcome = run("SingleR")
    assert list(outcome.predicted) == ["t1"] * 30 and outcome.probabilities is None
    outcome = run("Harmony + k-nearest neighbors")
    assert (outcome.predicted == labels[30:]).mean() > 0.6
    assert outcome.probabilities.sum(axis=1) == pytest.approx(np.ones(30))


def test_values_that_are_not_counts_are_normalized_all_the_same(cells, stand_ins):
    log = anndata.AnnData(cells.X.log1p(), obs=cells.obs, var=cells.var)
    labels = cells.obs["type"].to_numpy()
    assert len(stand_ins["CellTypist"].run(log, labels, log).predicted) == 60


def test_interpreter_without_packages_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="baseline_python='no-such-python' is not a Python"):
        external_baselines(["no-such-python"])
    monkeypatch.setattr("gene_gcn.benchmark.external_baselines.PACKAGES", {"SingleR": ("no-such-package",)})
    with pytest.raises(ValueError, match="has none of celltypist, singler .* install one there"):
        external_baselines([sys.executable])
    assert missing_packages({}) == {"SingleR": ("no-such-package",)}
    assert external_baselines([]) == {}


def test_runner_does_not_import_this_package():
    with open(external_runner.__file__, encoding="utf-8") as file:
        assert "gene_gcn" not in file.read()
