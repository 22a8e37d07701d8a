"""Damaged models are refused in one sentence; none predicts something else."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gene_gcn import GeneGCNClassifier
from gene_gcn.errors import ArgumentError
from gene_gcn.ontology import Hierarchy

OTHER = Hierarchy.from_parents(["type1", "type0", "type2"], {})
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fuzz_models.py"


@pytest.fixture(scope="module")
def fuzz_models():
    spec = spec_from_file_location(SCRIPT.stem, SCRIPT)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_mutants_are_refused_or_predict_finitely(fuzz_models, tmp_path):
    results = list(fuzz_models.fuzz(tmp_path, 300, seed=1))
    assert len(results) > 250
    assert [result for result in results if result[1] not in ("refused", "predicts finitely")] == []
    assert all(result == "refused" for what, result in results if "raw" in what)


@pytest.mark.parametrize("key", ["n_genes", "hidden_channels", "num_layers", "heads", "channels", "dtype"])
def test_sizes_are_checked_before_anything_is_built(fuzz_models, tmp_path, key):
    resource = pytest.importorskip("resource")
    import json

    model = fuzz_models.save_examples(tmp_path)[2]
    document = json.loads((model / "config.json").read_text())
    config = document["config"]
    if key == "dtype":
        config["classes"]["dtype"] = "<U400000000"
    elif key == "n_genes":
        config["normalizer"][key] = 40_000_000
    else:
        config["parameters"][key] = [40_000_000] if key == "hidden_channels" else 40_000_000
    contents = {"config.json": json.dumps(document).encode()}
    contents["model.safetensors"] = (model / "model.safetensors").read_bytes()
    (model / "config.json").write_bytes(contents["config.json"])
    (model / "manifest.json").write_bytes(fuzz_models.manifest_of(contents))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ArgumentError, match="is damaged.*save the model again") as caught:
        GeneGCNClassifier.load(model)
    assert caught.value.argument == "path"
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert used < 100_000 * (1024 if sys.platform == "darwin" else 1)  # kB, on macOS bytes


def test_history_with_gaps_is_saved(fuzz_models, tmp_path):
    cells, types = fuzz_models.example_cells()
    clf = GeneGCNClassifier(random_state=0).fit(cells, types)
    clf.history_ = pd.DataFrame([{"loss": 1.0}, {"loss": 0.5, "validation_loss": 0.25}])
    clf.save(tmp_path / "m")
    pd.testing.assert_frame_equal(GeneGCNClassifier.load(tmp_path / "m").history_, clf.history_)


def repeat_class(clf):
    clf.classes_ = np.array(["type0", "type0", "type1"])


def add_nodes(clf):
    above = {"type0": [f"node{i}" for i in range(10_001)]}
    clf.hierarchy_ = Hierarchy.from_parents(["type0", "type1", "type2"], above)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda clf: clf.fitted_.head.weight.fill_(np.nan), "'model.head.lins.0.weight' has values that are"),
        (repeat_class, "classes are not unique"),
        (lambda clf: clf.prior_.fill(1), "prior is not a probability"),
        (lambda clf: clf.imputer_.axes.fill_(np.inf), "'imputer.axes' has values that are not finite"),
        (lambda clf: clf.set_params(hidden_channels=(8,)), "hidden_channels has 1 widths, but 0 layers"),
        (lambda clf: clf.set_params(missing_genes="zero"), "an imputer that is not used"),
        (lambda clf: setattr(clf, "hierarchy_", OTHER), "hierarchy has other types"),
        (add_nodes, "hierarchy has too many nodes"),
        (lambda clf: clf.fitted_.reference.moments.counts.fill(0), "are not sums over all types"),
        (lambda clf: setattr(clf, "batches_", ("a", "b")), "batches are not those whose sums are kept"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(fuzz_models, tmp_path, change, problem):
    cells, types = fuzz_models.example_cells()
    clf = GeneGCNClassifier(random_state=0).fit(cells, types)
    clf.save(tmp_path / "m")
    change(clf)
    with pytest.raises(ArgumentError, match=f"not saved, because it could not be loaded.*{problem}.*fit it"):
        clf.save(tmp_path / "m")
    assert GeneGCNClassifier.load(tmp_path / "m").score(cells, types) > 0.9


def test_a_mean_cell_that_does_not_fit_is_not_saved(fuzz_models, tmp_path):
    cells, types = fuzz_models.example_cells()
    clf = GeneGCNClassifier(hidden_channels=(4,), missing_genes="zero", max_epochs=1, random_state=0)
    clf.fit(cells, types)
    clf.fitted_.mean = clf.fitted_.mean[1:]
    with pytest.raises(ArgumentError, match="mean training cell is missing, unknown, or has a wrong shape"):
        clf.save(tmp_path / "m")


def test_parameters_that_fit_would_refuse_are_not_saved(fuzz_models, tmp_path):
    clf = GeneGCNClassifier(random_state=0).fit(*fuzz_models.example_cells())
    with pytest.raises(ArgumentError, match="max_epochs=0 must be a whole number"):
        clf.set_params(max_epochs=0).save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_any_verbosity_is_saved(fuzz_models, tmp_path):
    clf = GeneGCNClassifier(random_state=0, verbose=2).fit(*fuzz_models.example_cells())
    clf.save(tmp_path / "m")
    assert GeneGCNClassifier.load(tmp_path / "m").verbose == 2
