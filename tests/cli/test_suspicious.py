from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from command_line import TYPES, make_cells, run
from scipy.sparse import csr_matrix, vstack

from gene_gcn.cli.suspicious import _say_pairs
from gene_gcn.uncertainty import confusable_pairs


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Cells: one with a wrong label, one that is there twice, two without a label, one without expression."""
    cells = make_cells(0)
    wrong = cells.obs_names[cells.obs["cell_type"] == "B"][0]
    cells.obs.loc[wrong, "cell_type"] = "T"
    cells.X = vstack([cells.X[:10], csr_matrix((1, 30)), cells.X[11:-1], cells.X[-2]], "csr")
    cells.obs.iloc[-2:, 0] = ["NK", "B"]
    path = tmp_path_factory.mktemp("suspicious") / "cells.h5ad"
    cells.write_h5ad(path)
    return path, wrong


def test_table_is_written_and_summarized(file, tmp_path, capsys):
    path, wrong = file
    out = tmp_path / "suspicious.csv"
    assert run("suspicious", path, "--label", "cell_type", "--out", out, "--seed", "0") == 0
    printed = capsys.readouterr().out
    table = pd.read_csv(out, index_col="cell", keep_default_na=False, na_values=[""])
    assert len(table) == 90 and table.loc[wrong, ["label", "predicted"]].tolist() == ["T", "B"]
    assert table.loc[wrong, "is_suspicious"] and wrong in table.index[:3]
    assert table.index[-3:].tolist() == ["c0", "c1", "c10"]
    assert table["predicted"].isin(TYPES).tolist() == [True] * 89 + [False]
    assert table.loc[["c88", "c89"], "duplicate_group"].tolist() == [1, 1]
    assert "Suspicious labels" in printed and "reverse share" in printed
    assert "Near duplicates: 2 cells in 1 group; labels differ in 1 group" in printed
    why = "without a label, without expression, or of a type with too few cells"
    assert f"Without a score: 3 cells {why}" in printed and f"Written   {out}" in printed

    for name, cells in table[table["quality"].notna()].groupby("label"):
        n_suspicious = cells["is_suspicious"].sum()
        row = rf"^ {name} +{len(cells)} +{n_suspicious} +{n_suspicious / len(cells):.1%} $"
        assert re.search(row, printed, re.MULTILINE)


def test_pairs_are_printed_in_the_more_frequent_direction_only(capsys):
    y, predicted = np.repeat([[0, 0, 1, 2], [1, 2, 0, 2]], [3, 1, 5, 9], axis=1)
    pairs = confusable_pairs(y, predicted, 3)
    _say_pairs(pairs)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "%" in line]
    assert rows == [["1", "0", "5", "100.0%", "3", "75.0%"], ["0", "2", "1", "25.0%", "0", "0.0%"]]


def test_mistakes_are_named_before_anything_is_written(file, tmp_path, error_of):
    path, _ = file
    label = ("--label", "cell_type")
    assert "must end in .csv, " in error_of("suspicious", path, *label, "--out", tmp_path / "a.h5ad")
    taken = tmp_path / "taken.csv"
    taken.write_text("precious")
    assert "already exists" in error_of("suspicious", path, *label, "--out", taken)
    assert taken.read_text() == "precious"
    out = tmp_path / "a.csv"
    assert "--label 'type' is not a column" in error_of("suspicious", path, "-l", "type", "-o", out)
    message = error_of("suspicious", path, *label, "-o", out, "--n-folds", "80")
    assert "80 different cells each" in message and "use a smaller --n-folds" in message
    assert "--n-folds" in error_of("suspicious", path, *label, "-o", out, "--n-folds", "1")
    assert not out.exists()
