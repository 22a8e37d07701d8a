"""Rows of the accuracy benchmark: controls keep what they should, peers take cells as we do."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn import GeneNetwork
from gene_gcn.benchmark import methods as rows

N = 500


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = rng.poisson(np.where(np.arange(N) % 3 == y[:, None], 3.0, 0.5) * rng.uniform(0.1, 3, N))
    obs = pd.DataFrame({"type": [f"t{k}" for k in y]}, index=[f"c{i}" for i in range(60)])
    var = pd.DataFrame(index=[f"G{i}" for i in range(N)])
    return anndata.AnnData(sparse.csr_matrix(X.astype(np.float32)), obs=obs, var=var)


@pytest.fixture(scope="module")
def network(cells):
    rng = np.random.default_rng(0)
    return GeneNetwork(tuple(cells.var_names), rng.integers(0, N, (2, 900)), rng.uniform(0.1, 1, 900))


def test_permuted_network_keeps_degrees_in_bins_of_expression(cells, network):
    share = np.asarray((cells.X / cells.X.sum(axis=1)).mean(axis=0)).ravel()
    bins = np.argsort(np.argsort(share, kind="stable")) // 10
    permuted = rows.permuted_within_expression(network, cells)
    assert permuted != network and permuted.genes == network.genes
    for k in range(50):
        assert sorted(permuted.degree[bins == k]) == sorted(network.degree[bins == k])
    assert sorted(permuted.edge_weight.tolist()) == sorted(network.edge_weight.tolist())
    assert permuted == rows.permuted_within_expression(network, cells)
    assert permuted != rows.permuted_within_expression(network, cells, seed=1)
    assert permuted != rows.permuted_within_expression(network, cells[:20].copy())  # other training cells


def test_rows(network):
    names = [method.name for method in rows.methods(network)]
    assert (
        names[:6]
        == [
            "default: global graph",
            "no graph",
            "network rewired",
            "network permuted",
            "individual graph, hidden layers",
            "both graphs, hidden layers",
        ]
        and len(names) == 6 + 5
    )
    roles = {method.name: method.role for method in rows.methods(network, unlabelled=True)}
    assert (
        roles["default: global graph"] == "default"
        and roles["no graph"] == roles[rows.UNLABELLED] == "control"
    )
    assert [method.name for method in rows.methods(None, with_peers=False)] == ["no graph"]
    chosen = rows.methods(network, only=["REWIRED", "svm"])
    assert [method.name for method in chosen] == ["network rewired", "linear SVM, log1p CP10k"]
    with pytest.raises(ValueError, match="No method has 'forest' in its name; they are: default: global"):
        rows.methods(network, only=["forest"])


def test_settings_tell_all_that_decides(cells, network):
    settings = {
        method.name: method.prepare(cells).settings for method in rows.methods(network, unlabelled=True)
    }
    assert len(set(map(str, settings.values()))) == len(settings)
    kind, parameters, shown = settings["default: global graph"]
    assert (kind, parameters["network"], shown) == ("GeneGCNClassifier", network.content_hash, False)
    assert "device" not in parameters and parameters["random_state"] == 0
    assert settings["logistic regression, sqrt"][1]["classifier__max_iter"] == 1000


@pytest.mark.parametrize("name", rows.peers())
def test_peers_name_cells_that_lack_genes(cells, name):
    method = next(method for method in rows.methods(None) if method.name == name)
    labels = cells.obs["type"].to_numpy()
    with pytest.warns(UserWarning, match="are missing from X"):
        outcome = method.prepare(cells).run(cells, labels, cells[:, :250].copy())
    assert (outcome.predicted == labels).mean() > 0.5
    if "SVM" in name:
        assert outcome.probabilities is None
    else:
        assert outcome.probabilities.shape == (60, 3)
        assert outcome.probabilities.sum(axis=1) == pytest.approx(np.ones(60), abs=1e-5)


# ---- CellTypist, by stand-ins: the real one needs an environment of its own ----

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
    found = rows.celltypist(sys.executable)
    whole, selected = found["CellTypist"], found["CellTypist, its genes selected"]
    assert whole.settings == ["CellTypist", "9.9", False]
    outcome = whole.run(cells[:30].copy(), labels[:30], cells[30:, :250].copy())
    assert list(outcome.predicted) == ["t0"] * 30 and outcome.probabilities.shape == (30, 3)
    assert 0 < outcome.fit_seconds < 60 and 0 < outcome.predict_seconds < 60
    with pytest.raises(RuntimeError, match="ValueError: a class is too small"):
        selected.run(cells, labels, cells)


def test_an_interpreter_without_celltypist_is_refused():
    with pytest.raises(ValueError, match="'no-such-python' is not a Python that has celltypist"):
        rows.celltypist("no-such-python")
    if find_spec("celltypist") is None:
        with pytest.raises(ValueError, match="celltypist: .*PackageNotFoundError"):
            rows.celltypist(sys.executable)


def test_the_runner_needs_nothing_of_this_package():
    from gene_gcn.benchmark import celltypist_runner

    with open(celltypist_runner.__file__, encoding="utf-8") as file:
        assert "gene_gcn" not in file.read()
