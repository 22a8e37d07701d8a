"""Every size and method is measured once, in its own process; exponents are those of known power laws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gene_gcn.benchmark import scale
from gene_gcn.benchmark.scale import Size
from gene_gcn.errors import ArgumentError
from gene_gcn.storage import locks

SIZES = [Size(120, 3, 500), Size(240, 3, 500)]


def measured(cells, folder, methods, of_sizes=SIZES, **options):
    return list(scale.measure(cells, "type", of_sizes, methods, folder, test_cells=100, **options))


def test_each_axis_is_varied_alone():
    found = scale.sizes([10, 20, 30], [3, 5], [100])
    assert found == [Size(10, 3, 100), Size(20, 3, 100), Size(30, 3, 100), Size(10, 5, 100)]


def test_methods_are_measured_in_a_process_of_their_own_and_stored(cells, tmp_path):
    methods = ["logistic regression", "SGD"]
    rows = measured(cells, tmp_path, methods, SIZES[:1])
    assert [row["method"] for row in rows] == methods
    for row in rows:
        assert row["error"] == "" and not row["stored"] and row["macro_f1"] > 0.8
        assert row["fit_cpu_seconds"] > 0 and row["fit_seconds"] > 0 and row["predict_seconds"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["runs.json"]  # made cells are deleted
    again = measured(cells, tmp_path, methods, SIZES[:1])
    assert [{**row, "stored": False} for row in again] == rows and all(row["stored"] for row in again)
    (other,) = measured(cells, tmp_path, methods[:1], SIZES[:1], seed=1, memory_gb=0)
    assert other["error"]  # other cells, so nothing is stored


def test_methods_that_need_too_much_memory_are_skipped_and_say_so(cells, tmp_path):
    large = Size(3_000_000, 3, 500)
    rows = measured(cells, tmp_path, ["gene_gcn", "logistic regression"], [large], memory_gb=1)
    assert [row["error"][:17] for row in rows] == ["skipped: needs ab"] * 2
    assert all(np.isnan(row["fit_seconds"]) for row in rows)
    assert list(tmp_path.iterdir()) == []  # nothing was made


def test_failing_runs_say_why_and_are_tried_again(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(scale.scale_methods, "__name__", "gene_gcn.benchmark.nowhere")
    (row,) = measured(cells, tmp_path, ["gene_gcn"], SIZES[:1])
    assert row["error"].startswith("failed: ") and "nowhere" in row["error"]
    assert not (tmp_path / "runs.json").exists() and not (tmp_path / "made_cells").exists()


def test_another_run_into_the_same_folder_is_not_disturbed(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    theirs = tmp_path / "made_cells" / "train.h5ad"
    theirs.parent.mkdir()
    theirs.write_text("of another run")
    with locks.locked(theirs.parent) as has_locks:
        if not has_locks:
            pytest.skip("this file system has no locks")
        with pytest.raises(OSError, match="made_cells"):
            measured(cells, tmp_path, ["gene_gcn"], SIZES[:1])
    assert theirs.read_text() == "of another run"


def test_methods_are_chosen_by_parts_of_their_names():
    assert scale.choose([]) == ["gene_gcn", "logistic regression", "SGD", "SGD, sparse"]
    assert scale.choose(["sgd", "LOGISTIC"]) == ["logistic regression", "SGD", "SGD, sparse"]
    with pytest.raises(ArgumentError, match="matches none"):
        scale.choose(["boosting"])


def power_laws(noise=0.0):
    """Costs that grow as cells^1.1, types^0.5 and genes^0.9."""
    rng = np.random.default_rng(0)
    rows = []
    for size in scale.sizes([1000, 3000, 10_000, 100_000], [10, 50, 200], [500, 2000]):
        cost = size.cells**1.1 * size.types**0.5 * size.genes**0.9 * np.exp(noise * rng.normal())
        row = {"cells": size.cells, "types": size.types, "genes": size.genes, "method": "m", "error": ""}
        rows.append({**row, **dict.fromkeys(scale.METRICS, cost)})
    return pd.DataFrame(rows)


def test_exponents_are_those_of_power_laws_and_never_of_two_points():
    fitted = scale.exponents(power_laws()).set_index(["axis", "cost"])
    assert fitted.loc[("cells", "fit_seconds"), "exponent"] == pytest.approx(1.1)
    assert fitted.loc[("types", "peak_memory_gb"), "exponent"] == pytest.approx(0.5)
    assert fitted.loc[("types", "predict_cpu_seconds"), "points"] == 3
    assert fitted.loc["genes", "exponent"].isna().all() and (fitted.loc["genes", "points"] == 2).all()
    assert np.isnan(
        fitted.loc[("cells", "predict_cpu_seconds"), "exponent"]
    )  # as many test cells at each size
    noisy = scale.exponents(power_laws(0.1)).set_index(["axis", "cost"]).loc[("cells", "fit_seconds")]
    assert 0.005 < noisy["standard_error"] < 0.1
    assert abs(noisy["exponent"] - 1.1) < 4 * noisy["standard_error"]


def test_skipped_sizes_are_no_points():
    results = power_laws()
    results.loc[results["cells"] == 100_000, list(scale.METRICS)] = np.nan
    results.loc[results["cells"] == 10_000, list(scale.METRICS)] = np.nan
    fitted = scale.exponents(results).set_index(["axis", "cost"])
    assert fitted.loc[("cells", "fit_seconds"), "points"] == 2
    assert np.isnan(fitted.loc[("cells", "fit_seconds"), "exponent"])
