from __future__ import annotations

import pandas as pd
import pytest
from command_line import TYPES, make_cells, run
from scipy.sparse import vstack


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Cells of which one has a wrong label, one is there twice, and two have no label."""
    cells = make_cells(0)
    wrong = cells.obs_names[cells.obs["cell_type"] == "B"][0]
    cells.obs.loc[wrong, "cell_type"] = "T"
    cells.X = vstack([cells.X[:-1], cells.X[-2]], "csr")
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
    assert (
        table.index[-2:].tolist() == ["c0", "c1"] and table.loc[["c0", "c1"], "predicted"].isin(TYPES).all()
    )
    assert table.loc[["c88", "c89"], "duplicate_group"].tolist() == [1, 1]
    assert "Suspicious labels" in printed and "Types that are confused" in printed
    assert "Near duplicates: 2 cells in 1 group; labels differ in 1 group" in printed
    assert "Without a score: 2 cells" in printed and f"Written   {out}" in printed


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
