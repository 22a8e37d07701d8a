"""`gene-gcn markers`."""

from __future__ import annotations

import pytest
from command_line import GENES, TYPES, make_cells, run

from gene_gcn import GeneGCNClassifier

YAML = "\n".join(f"{name}: [{', '.join(GENES[10 * k : 10 * k + 3])}]" for k, name in enumerate(TYPES))


@pytest.fixture
def files(tmp_path):
    make_cells(0).write_h5ad(tmp_path / "cells.h5ad")
    (tmp_path / "types.yaml").write_text(f"{YAML}\nalpha: [GCG]\n")
    return tmp_path


def markers(files, *options):
    paths = ("--markers", files / "types.yaml", "--out", files / "m")
    return run("markers", files / "cells.h5ad", *paths, "--seed", "0", *options)


def test_a_model_is_written_that_predict_reads(files, capsys):
    assert markers(files, "--network", "coexpression") == 0
    out, err = capsys.readouterr()
    assert "GENE0, GENE1, GENE2" in out and f"Written   {files / 'm'}" in out
    assert "No marker of alpha is among the genes" in err
    assert GeneGCNClassifier.load(files / "m").classes_.tolist() == ["B", "NK", "T"]
    assert run("predict", files / "cells.h5ad", "--model", files / "m", "-o", files / "p.csv") == 0


def test_mistakes_are_told_before_cells_are_read(files, capsys):
    assert run("markers", files / "cells.h5ad", "--markers", files / "no.yaml", "--out", files / "m") == 2
    assert "--markers" in capsys.readouterr().err
    (files / "types.yaml").write_text("B: [GENE0]\n")
    assert markers(files) == 2
    assert "types.yaml: there are positive markers of 1 types" in capsys.readouterr().err
    assert not (files / "m").exists()
