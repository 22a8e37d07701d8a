"""The methods take paths and say what they cost; mini-batches learn what their data say."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from gene_gcn.benchmark import scale_methods
from gene_gcn.benchmark.made_cells import CellMaker, write_made_cells
from gene_gcn.benchmark.scale_methods import METHODS, MiniBatchSGD


@pytest.fixture(scope="module")
def files(cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    maker = CellMaker.prepare(cells, "type")
    for part, num_cells in (("train", 300), ("test", 100)):
        write_made_cells(folder / f"{part}.h5ad", maker, part, num_cells)
    return [str(folder / f"{part}.h5ad") for part in ("train", "test")]


@pytest.mark.parametrize("method", METHODS)
def test_methods_recognize_easy_types(files, method):
    result = scale_methods.run(method, *files)
    assert result["macro_f1"] > 0.9
    assert result["fit_cpu_seconds"] >= 0 and result["predict_seconds"] > 0
    assert np.isnan(result["peak_memory_gb"]) or 0.1 < result["peak_memory_gb"] < 8


def test_program_writes_what_it_measured(files, tmp_path):
    command = [sys.executable, "-m", scale_methods.__name__, "logistic regression", *files]
    subprocess.run([*command, str(tmp_path / "result.json")], check=True, env=os.environ, timeout=120)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result.keys() == scale_methods.run("logistic regression", *files).keys()
    assert result["macro_f1"] > 0.9


@pytest.mark.parametrize("center", [True, False])
def test_mini_batches_are_limited_scaled_and_repeatable(center):
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 200)
    mean = np.where(np.arange(30) % 3 == np.repeat([0, 1, 2], 200)[:, None], 2, 0.3)
    X = sparse.csr_matrix(rng.poisson(mean).astype(np.float32))
    before = X.copy()
    model, again, other = (MiniBatchSGD(center, batch_size=50, max_batches=3, epochs=4) for _ in range(3))
    model.fit(X, y)
    assert (before != X).nnz == 0  # neither scaled nor clipped in place
    assert model.model_.t_ == 1 + 4 * 3 * 50
    assert (model.predict(X) == y).mean() > 0.95
    np.testing.assert_array_equal(again.fit(X, y).model_.coef_, model.model_.coef_)
    rescaled = X @ sparse.diags(rng.uniform(0.1, 10, 30).astype(np.float32))
    assert (model.predict(X) == other.fit(rescaled, y).predict(rescaled)).mean() > 0.98


def test_genes_are_standardized_and_clipped():
    X = sparse.random(300, 20, 0.3, "csr", dtype=np.float32, random_state=0)
    X.data[0] = 1000
    y = np.arange(300) % 2
    dense = StandardScaler().fit_transform(X.toarray())
    centered = MiniBatchSGD(epochs=1).fit(X, y)._standardize(X)
    np.testing.assert_allclose(centered, np.minimum(dense, 10), atol=1e-4)
    kept = MiniBatchSGD(center=False, epochs=1).fit(X, y)._standardize(X)
    assert kept.nnz == X.nnz and kept.max() == 10
    np.testing.assert_allclose(kept[1:].toarray(), (X.toarray() / X.toarray().std(axis=0))[1:], rtol=1e-3)


def test_estimated_memory_grows_with_each_part():
    method = METHODS["logistic regression"]
    small = method.memory_gb(1e6, cells=1000, types=10, genes=1000)
    assert method.memory_gb(1e6 + 2**30 / method.bytes_per_value, 1000, 10, 1000) == pytest.approx(small + 1)
    assert method.memory_gb(1e6, 1000, 200, 1000) > small
    assert small < method.memory_gb(1e6, 1000, 10, 20_000)
