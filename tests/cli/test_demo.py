from __future__ import annotations

import os
import re

import anndata
import numpy as np
import pandas as pd
import pytest
from command_line import run

from gene_gcn.cli.demo import load, make_splits, uncertainty


def test_demo(tmp_path, capsys):
    out = tmp_path / "demo"
    assert run("demo", "--out", out) == 0
    captured = capsys.readouterr()
    printed = captured.out
    assert captured.err.strip() == ""  # no warnings
    for text in (
        "700 blood cells of 10 types",
        "350 to train on, 350 to annotate",
        "accuracy",
        "macro-F1",
        "all genes",
        "a third of the genes",
        "a tenth of the counts",
        "logistic",
        "±",
    ):
        assert text in printed
    called = re.search(r"(\d+) of the 48 CD19\+ B cells and (\d+) of the 302 others \"unknown\"", printed)
    assert int(called[1]) >= 20 and int(called[2]) <= 20
    assert sorted(os.listdir(out)) == [
        "model",
        "predictions.csv",
        "predictions.h5ad",
        "report.html",
        "report_stats_mqc.json",
        "report_types_mqc.json",
    ]
    assert "PBMC 68k" in (out / "report.html").read_text(encoding="utf-8")
    table = pd.read_csv(out / "predictions.csv", index_col="cell")
    cells = anndata.read_h5ad(out / "predictions.h5ad")
    assert len(table) == cells.n_obs == 350
    assert (cells.obs["gene_gcn"].astype(str) == cells.obs["bulk_labels"].astype(str)).mean() > 0.75
    assert table["label"].tolist() == cells.obs["gene_gcn"].tolist()
    from gene_gcn import GeneGCNClassifier

    assert GeneGCNClassifier.load(out / "model").predict(cells).tolist() == table["label"].tolist()


def test_uncertainty_of_an_accuracy():
    assert uncertainty(0.85, 140) == pytest.approx(1.96 * (0.85 * 0.15 / 140) ** 0.5, rel=0.05)
    assert uncertainty(1.0, 140) > 0.005 and uncertainty(0.5, 14_000) < 0.01


def test_cells_of_the_demo_are_counts():
    cells = load()
    assert (cells.X.data == np.rint(cells.X.data)).all() and cells.X.data.min() == 1
    assert (cells.X.min(axis=1).toarray() == 0).all() and cells.obs["bulk_labels"].nunique() == 10


def test_splits_of_the_demo_lose_genes_or_counts_and_share_their_cells():
    cells = load()
    whole, panel, shallow = make_splits(cells, 3)
    train, query = whole.cells(cells)
    assert not set(train.obs_names) & set(query.obs_names) and train.n_obs == query.n_obs == 350
    assert panel.cells(cells)[1].shape == (350, 255) and panel.cells(cells)[0].shape == (350, 765)
    assert 0.08 < shallow.cells(cells)[1].X.sum() / query.X.sum() < 0.12
    for split in (panel, shallow):
        assert (split.cells(cells)[1].obs_names == query.obs_names).all()
