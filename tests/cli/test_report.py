from __future__ import annotations

import json
import shlex

from command_line import run
from report_pages import Page, assert_sound


def test_report_repeats_itself_by_the_command_that_it_shows(folder, tmp_path, capsys):
    out = tmp_path / "a b.html"
    options = ["-m", folder / "model", "--label", "cell_type", "--unknown", "--alpha", "0.2", "--no-adapt"]
    assert run("report", folder / "query.h5ad", *options, "-o", out) == 0
    assert f"Report    {out}" in capsys.readouterr().out
    page = Page.read(out)
    assert_sound(page)
    assert "Cell types of query.h5ad" in page.text and "88 cells have a known type" in page.text
    (line,) = (line for line in page.text.splitlines() if line.startswith("gene-gcn report "))
    words = shlex.split(line)
    assert words[words.index("--out") + 1] == str(out) and "--no-adapt" in words
    out.unlink()
    for file in tmp_path.glob("*_mqc.json"):
        file.unlink()
    assert run(*words[1:]) == 0
    assert line in Page.read(out).text


def test_predict_and_evaluate_write_reports_beside_their_output(folder, tmp_path):
    query, model = folder / "query.h5ad", folder / "model"
    assert run("predict", query, "-m", model, "-o", tmp_path / "p.csv", "--report", tmp_path / "p.html") == 0
    assert run("evaluate", query, "-m", model, "-l", "cell_type", "--report", tmp_path / "e.html") == 0
    predicted, evaluated = (Page.read(tmp_path / f"{name}.html") for name in "pe")
    assert "gene-gcn predict" in predicted.text and "Against known types" not in predicted.text
    assert "gene-gcn evaluate" in evaluated.text and "Against known types" in evaluated.text
    data = json.loads((tmp_path / "p_types_mqc.json").read_text())["data"]
    assert sum(data["query.h5ad"].values()) == 90


def test_mistakes_are_found_before_cells_are_read(folder, tmp_path, error_of):
    query, model = folder / "query.h5ad", folder / "model"
    taken = tmp_path / "a_stats_mqc.json"
    taken.write_text("precious")
    message = error_of("report", query, "-m", model, "-o", tmp_path / "a.html")
    assert "a_stats_mqc.json' already exists; pass --force" in message
    message = error_of(
        "predict", query, "-m", model, "-o", tmp_path / "p.csv", "--report", tmp_path / "a.html"
    )
    assert "choose another --report" in message
    assert "must end in .html" in error_of("report", query, "-m", model, "-o", tmp_path / "a.pdf")
    message = error_of("report", query, "-m", model, "-l", "type", "-o", tmp_path / "b.html")
    assert "--label 'type' is not a column" in message
    assert taken.read_text() == "precious" and list(tmp_path.iterdir()) == [taken]


def test_cells_on_disk_are_compared_with_known_types(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("gene_gcn.cells.blocks.LARGEST_IN_MEMORY", 10)
    monkeypatch.setattr("gene_gcn.report.cells_read.MOST_CELLS", 40)
    arguments = [
        "report",
        folder / "query.h5ad",
        "-m",
        folder / "model",
        "-l",
        "cell_type",
        "--subnetworks",
        "0",
    ]
    assert run(*arguments, "-o", tmp_path / "a.html") == 0
    page = Page.read(tmp_path / "a.html")
    assert "Against known types" in page.text and "of 40 cells drawn at random" in page.text
