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
