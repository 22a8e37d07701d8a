"""Flips are as many, and as frequent, as asked for; the measurement finds them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gene_gcn.benchmark import label_errors
from gene_gcn.benchmark.accuracy import CellSet
from gene_gcn.cli import main


def test_flips_are_to_other_types_by_their_frequencies():
    labels = np.repeat(["a", "b", "c"], [6000, 3000, 1000])
    flipped, is_flipped = label_errors.flip_labels(labels, 0.2, np.random.default_rng(0))
    assert is_flipped.sum() == 2000
    np.testing.assert_array_equal(flipped != labels, is_flipped)
    of_a = flipped[is_flipped & (labels == "a")]
    assert (of_a == "b").mean() == pytest.approx(0.75, abs=0.04)
    again, _ = label_errors.flip_labels(labels, 0.2, np.random.default_rng(0))
    np.testing.assert_array_equal(again, flipped)


def test_measurement_finds_the_flips(cells):
    (row,) = label_errors.measure(CellSet.prepare("simulated", cells, "type"), [0.1], 1)
    assert row["auroc"] > 0.95 and row["auroc_logistic"] > 0.8
    assert row["precision"] > 0.7 and row["recall"] > 0.5 and row["cells"] == 60


def test_table_has_means_over_seeds_and_sets():
    rows = [
        {"set": name, "rate": 0.05, "auroc": value, "auroc_logistic": 0.5, "precision": 1, "recall": 0.25}
        | {"cpu_seconds": 2.0}
        for name, value in (("a", 0.8), ("a", 0.9), ("b", 0.95))
    ]
    lines = list(label_errors.markdown(pd.DataFrame(rows)))
    assert lines[2] == "| a | 5% | 0.850 | 0.500 | 1.000 | 0.250 | 2 |"
    assert lines[-1] == "| mean over sets | 5% | 0.900 | 0.500 | 1.000 | 0.250 | 2 |"


def test_command_prints_the_table(cells, tmp_path, capsys, monkeypatch):
    cells.write_h5ad(tmp_path / "simulated.h5ad")
    arguments = ["benchmark", "label-errors", str(tmp_path / "simulated.h5ad"), "--label", "type"]
    assert main([*arguments, "--rates", "10", "--out", str(tmp_path / "rows.csv")]) == 0
    assert "| simulated | 10% | " in capsys.readouterr().out
    row = pd.read_csv(tmp_path / "rows.csv").to_dict("records")[0]
    assert row["set"] == "simulated" and row["rate"] == 0.1
    with_tabs = [*arguments, "--rates", "10", "--out", str(tmp_path / "new" / "rows.tsv")]
    monkeypatch.setattr(label_errors, "measure", lambda *of: iter([row]))
    assert main(with_tabs) == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "new" / "rows.tsv", sep="\t"), pd.DataFrame([row]))


def test_command_names_mistakes_before_it_measures(cells, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(label_errors, "measure", lambda *of: pytest.fail("it ran"))
    cells.write_h5ad(tmp_path / "simulated.h5ad")
    arguments = ["benchmark", "label-errors", str(tmp_path / "simulated.h5ad"), "--label", "type"]
    assert main([*arguments, "--out", str(tmp_path / "rows.xlsx")]) == 2
    assert "must end in .csv" in capsys.readouterr().err
    assert main([*arguments, "--out", str(tmp_path / "simulated.h5ad" / "rows.csv")]) == 2
    assert "cannot be a folder" in capsys.readouterr().err
    (tmp_path / "folder.csv").mkdir()
    assert main([*arguments, "--out", str(tmp_path / "folder.csv")]) == 2
    assert "--out" in capsys.readouterr().err
    for wrong in ("0", "100", "5.5"):
        assert main([*arguments, "--rates", wrong]) == 2
        assert "--rates" in capsys.readouterr().err
