from __future__ import annotations

import pytest
from command_line import make_cells, run, train

from gene_gcn import GeneGCNClassifier


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        make_cells(seed).write_h5ad(folder / "train.h5ad")
        assert train(folder, f"model{seed}") == 0
    return folder


def test_models_are_merged(folder, tmp_path, capsys):
    out = tmp_path / "merged"
    assert run("models", "merge", folder / "model0", folder / "model1", "--out", out) == 0
    assert "3 types, 30 genes" in capsys.readouterr().out
    clf = GeneGCNClassifier.load(out)
    query = make_cells(2)[2:]
    assert (clf.predict(query) == query.obs["cell_type"]).mean() > 0.9
    assert clf.fitted_.reference.moments.type_counts.sum() == 2 * 88


def test_types_are_left_out(folder, tmp_path):
    out = tmp_path / "subset"
    assert run("models", "subset", "--model", folder / "model0", "-t", "B", "-t", "T", "--out", out) == 0
    assert list(GeneGCNClassifier.load(out).classes_) == ["B", "T"]


def test_what_cannot_be_done_is_said(folder, tmp_path, capsys):
    out = tmp_path / "model"
    assert run("models", "merge", folder / "model0", "--out", out) == 2
    assert "two models or more" in capsys.readouterr().err
    assert run("models", "subset", "--model", folder / "model0", "-t", "B", "-t", "X", "--out", out) == 2
    assert "does not know (X)" in capsys.readouterr().err
    assert run("models", "merge", folder / "model0", folder / "model1", "--out", folder / "model0") == 2
    assert "--force" in capsys.readouterr().err
    assert not out.exists()
