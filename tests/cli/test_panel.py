from __future__ import annotations

import pandas as pd
import pytest
from command_line import GENES, make_cells, run, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panel")
    make_cells(0).write_h5ad(folder / "train.h5ad")
    assert train(folder, "model") == 0
    return folder


def test_panel_is_judged_and_genes_are_suggested(folder, tmp_path, capsys):
    genes, out = tmp_path / "genes.txt", tmp_path / "confusion.csv"
    genes.write_text("# markers of B\n" + "\n".join([*GENES[:10], "OTHER"]))
    assert run("panel", genes, "--model", folder / "model", "--add", "3", "--out", out) == 0
    said = capsys.readouterr().out
    assert "10 genes of the model; 1 is unknown to it" in said
    assert "recognized" in said and "Add       GENE" in said
    confusion = pd.read_csv(out, index_col=0)
    assert confusion.shape == (3, 3) and confusion.loc["B", "B"] > 0.9
    assert confusion.loc["T", "NK"] > 0.1  # which these genes do not tell apart


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "holds no gene"), (b"\xff\xfe\x00", "not a text file"), (b"X1\nX2\n", "knows 0 of 2")],
)
def test_files_without_genes_of_the_model_are_refused(folder, tmp_path, capsys, content, problem):
    genes = tmp_path / "genes.txt"
    genes.write_bytes(content)
    assert run("panel", genes, "--model", folder / "model") == 2
    assert problem in capsys.readouterr().err
