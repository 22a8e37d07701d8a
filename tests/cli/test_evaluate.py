from __future__ import annotations

import json
import os

from command_line import TYPES, make_cells, run


def test_metrics_are_printed_and_written(folder, tmp_path, capsys):
    out = tmp_path / "new"
    options = ["-m", folder / "model", "-l", "cell_type", "--out", out]
    assert run("evaluate", folder / "query.h5ad", *options) == 0
    printed = capsys.readouterr().out
    metrics = json.loads((out / "metrics.json").read_text())
    for name in ("accuracy", "macro_f1", "weighted_f1", "balanced_accuracy"):
        assert f"{metrics[name]:.3f}" in printed and metrics[name] > 0.9
    assert metrics["cells"] == 88 and metrics["unknown_types"] == [] and set(metrics["recall"]) == set(TYPES)
    assert sorted(os.listdir(out)) == ["confusion_matrix.png", "metrics.json", "predictions.csv"]
    assert (out / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_types_unknown_to_the_model_are_reported(folder, tmp_path, capsys):
    cells = make_cells(2)
    cells.obs["cell_type"] = cells.obs["cell_type"].replace({"NK": "platelet"})
    cells.write_h5ad(tmp_path / "a.h5ad")
    assert run("evaluate", tmp_path / "a.h5ad", "-m", folder / "model", "-l", "cell_type") == 0
    assert "types unknown to the model (platelet)" in capsys.readouterr().out


def test_cells_that_lack_a_type_of_the_model(folder, tmp_path):
    cells = make_cells(1)
    cells = cells[cells.obs["cell_type"] != TYPES[0]].copy()
    cells.write_h5ad(tmp_path / "a.h5ad")
    options = ["-m", folder / "model", "-l", "cell_type", "--out", tmp_path / "out"]
    assert run("evaluate", tmp_path / "a.h5ad", *options) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["accuracy"] > 0.9 and set(metrics["recall"]) == set(TYPES[1:])


def test_mistakes_are_named(folder, tmp_path, error_of):
    query, model, taken = folder / "query.h5ad", folder / "model", tmp_path / "taken.csv"
    taken.write_text("precious")
    message = error_of("evaluate", query, "-m", model, "-l", "type")
    assert "--label 'type' is not a column" in message
    assert "is a file" in error_of("evaluate", query, "-m", model, "-l", "cell_type", "-o", taken)
    unlabeled = make_cells(1)
    unlabeled.obs["cell_type"] = ""
    unlabeled.write_h5ad(tmp_path / "a.h5ad")
    message = error_of("evaluate", tmp_path / "a.h5ad", "-m", model, "-l", "cell_type")
    assert "--label 'cell_type' is a column without any labels" in message
    assert taken.read_text() == "precious"


def test_numbers_are_compared_by_value(tmp_path, capsys):
    numbers = {name: i for i, name in enumerate(TYPES)}
    cells, query = make_cells(0)[2:].copy(), make_cells(1)
    cells.obs["cluster"] = cells.obs["cell_type"].map(numbers).astype(int)
    query.obs["cluster"] = query.obs["cell_type"].map(numbers).astype(float)  # gaps make floats
    cells.write_h5ad(tmp_path / "train.h5ad")
    query.X[5] = 0
    query.write_h5ad(tmp_path / "query.h5ad")
    labels = ("--label", "cluster")
    assert run("train", tmp_path / "train.h5ad", *labels, "--out", tmp_path / "model", "--seed", "0") == 0
    options = ("-m", tmp_path / "model", *labels, "--out", tmp_path / "out")
    assert run("evaluate", tmp_path / "query.h5ad", *options) == 0
    printed = capsys.readouterr()
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (
        metrics["accuracy"] > 0.9 and metrics["unknown_types"] == [] and set(metrics["recall"]) == set("012")
    )
    assert "1 of 88 cells express none of the model's 30 genes" in printed.err
    assert "\nc5,unassigned,0.333" in (tmp_path / "out" / "predictions.csv").read_text()
    assert run("predict", tmp_path / "query.h5ad", "-m", tmp_path / "model", "-o", tmp_path / "a.csv") == 0
    assert "unassigned" in capsys.readouterr().out


def test_text_for_missing_labels_is_left_out_and_told(folder, tmp_path, capsys):
    cells = make_cells(1)
    cells.obs["cell_type"] = (
        cells.obs["cell_type"].astype(object).where(cells.obs["cell_type"] != "NK", "NaN")
    )
    cells.write_h5ad(tmp_path / "a.h5ad")
    assert run("evaluate", tmp_path / "a.h5ad", "-m", folder / "model", "-l", "cell_type") == 0
    printed = capsys.readouterr().out
    assert "cells without a label in 'cell_type' ('NaN' stands for a missing one) are left out" in printed


def test_other_spellings_of_the_model_types_are_told(folder, tmp_path, capsys):
    cells = make_cells(1)
    cells.obs["cell_type"] = cells.obs["cell_type"].replace({"NK": "nk "})
    cells.write_h5ad(tmp_path / "a.h5ad")
    assert run("evaluate", tmp_path / "a.h5ad", "-m", folder / "model", "-l", "cell_type") == 0
    assert "'nk ' and 'NK' differ only in case, spaces" in capsys.readouterr().err
