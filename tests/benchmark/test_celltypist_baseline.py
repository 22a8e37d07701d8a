"""CellTypist in a process of its own, by stand-ins: the real one needs another environment."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from gene_gcn.benchmark import celltypist_runner
from gene_gcn.benchmark.celltypist_baseline import celltypist

CELLTYPIST = """
from types import SimpleNamespace
import numpy as np, pandas as pd

def train(cells, labels, check_expression, feature_selection):
    assert not check_expression and abs(np.expm1(cells.X[0].toarray()).sum() - 1e4) < 1
    if feature_selection:
        raise ValueError("a class is too small")
    return sorted(set(cells.obs[labels]))

def annotate(cells, model, majority_voting):
    assert not majority_voting
    named = pd.DataFrame({"predicted_labels": pd.Categorical([model[0]] * cells.n_obs)})
    probabilities = pd.DataFrame(np.full((cells.n_obs, len(model)), 0.25), columns=model)
    return SimpleNamespace(predicted_labels=named, probability_matrix=probabilities)
"""


SCANPY = """
class pp:
    def normalize_total(cells, target_sum):
        cells.X = cells.X.multiply(target_sum / cells.X.sum(axis=1)).tocsr()

    def log1p(cells):
        cells.X = cells.X.log1p()
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    (tmp_path / "celltypist.py").write_text(CELLTYPIST)
    (tmp_path / "scanpy.py").write_text(SCANPY)  # the real one takes seconds to import
    info = tmp_path / "celltypist-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: celltypist\nVersion: 9.9\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_celltypist_in_another_process(cells, stand_in):
    labels = cells.obs["type"].to_numpy()
    found = celltypist(sys.executable)
    whole, selected = found["CellTypist"], found["CellTypist, its genes selected"]
    assert whole.settings == ["CellTypist", "9.9", False]
    outcome = whole.run(cells[:30].copy(), labels[:30], cells[30:, :250].copy())
    assert list(outcome.predicted) == ["t0"] * 30 and outcome.probabilities.shape == (30, 3)
    assert 0 < outcome.fit_seconds < 60 and 0 < outcome.predict_seconds < 60
    with pytest.raises(RuntimeError, match="ValueError: a class is too small"):
        selected.run(cells, labels, cells)


def test_interpreter_without_celltypist_is_refused():
    with pytest.raises(ValueError, match="'no-such-python' is not a Python that has celltypist"):
        celltypist("no-such-python")
    if find_spec("celltypist") is None:
        with pytest.raises(ValueError, match="celltypist: .*PackageNotFoundError"):
            celltypist(sys.executable)


def test_runner_does_not_import_this_package():
    with open(celltypist_runner.__file__, encoding="utf-8") as file:
        assert "gene_gcn" not in file.read()
