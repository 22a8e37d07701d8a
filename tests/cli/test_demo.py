from __future__ import annotations

import os

import anndata
import pandas as pd
import pytest
from command_line import run

from gene_gcn.cli.demo import uncertainty


def test_demo(tmp_path, capsys):
    out = tmp_path / "demo"
    assert run("demo", "--out", out) == 0
    captured = capsys.readouterr()
    printed = captured.out
    assert captured.err.strip() == ""  # no warnings
    for text in (
        "700 blood cells of 10 types",
        "560 for training, 140 held out",
        "co-expression",
        "STRING",
        "accuracy",
        "macro-F1",
        "recall by type",
        "Dendritic",
        "no network",
        "±",
    ):
        assert text in printed
    assert sorted(os.listdir(out)) == ["confusion_matrix.png", "model", "predictions.csv", "predictions.h5ad"]
    table = pd.read_csv(out / "predictions.csv", index_col="cell")
    cells = anndata.read_h5ad(out / "predictions.h5ad")
    assert len(table) == cells.n_obs == 140
    assert (cells.obs["gene_gcn"].astype(str) == cells.obs["bulk_labels"].astype(str)).mean() > 0.75
    assert table["label"].tolist() == cells.obs["gene_gcn"].tolist()
    from gene_gcn import GeneGCNClassifier

    assert GeneGCNClassifier.load(out / "model").predict(cells).tolist() == table["label"].tolist()


def test_uncertainty_of_an_accuracy():
    assert uncertainty(0.85, 140) == pytest.approx(1.96 * (0.85 * 0.15 / 140) ** 0.5, rel=0.05)
    assert uncertainty(1.0, 140) > 0.005 and uncertainty(0.5, 14_000) < 0.01
