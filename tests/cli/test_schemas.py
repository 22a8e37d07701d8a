"""What each command prints with --json fits the schema that the package ships for it."""

from __future__ import annotations

import math
from pathlib import Path

import jsonschema
import pytest
from command_line import GENES, TYPES, make_cells
from json_output import check, run_json
from small_ontology import as_obo
from typer.core import TyperGroup

from gene_gcn.cli import app
from gene_gcn.cli.commands import all_commands

# A line for each command; {files} are inputs, {out} is an empty folder.
LINES = [
    "demo --out {out}/demo",
    "train {files}/train.h5ad -l cell_type -o {out}/m --seed 0 --network {files}/edges.tsv",
    "markers {files}/train.h5ad -m {files}/types.yaml -o {out}/m --seed 0",
    "predict {files}/query.h5ad -m {files}/model -o {out}/p.csv --unknown --over one --report {out}/p.html",
    "evaluate {files}/query.h5ad -m {files}/model -l cell_type -o {out}/metrics",
    "report {files}/query.h5ad -m {files}/model -o {out}/r.html -l cell_type",
    "explain {files}/query.h5ad -m {files}/model -o {out}/e.csv --top 3",
    "suspicious {files}/train.h5ad -l cell_type -o {out}/s.csv --n-folds 2 --seed 0",
    "ontology {files}/train.h5ad -l cell_type -o {out}/map.csv --ontology {files}/cl.obo",
    "panel {files}/genes.txt -m {files}/model -o {out}/confusion.csv --add 2",
    "models merge {files}/model {files}/model -o {out}/m",
    "models list",
    "models info {files}/model",
    "models pull {files}/model -o {out}/m",
    "models subset -m {files}/model -t B -t T -o {out}/m",
    "fetch string",
    "networks",
    "reproduce {files}/train.h5ad --network coexpression --seeds 1 --max-epochs 1 -o {out}/r",
    "schema predict",
    "benchmark accuracy {files}/train.h5ad -l cell_type -o {out}/a --splits folds --methods graph",
    "benchmark label-errors {files}/train.h5ad -l cell_type -o {out}/l.csv --rates 10",
    "benchmark scale {files}/train.h5ad -l cell_type -o {out}/s --cells 60 --test-cells 30 --methods sparse",
    "benchmark epochs {files}/train.h5ad -l one --network {files}/edges.tsv --repeats 1",
    "benchmark attention --genes 60 -o {out}/a.csv",
    "benchmark kernels {files}/edges.tsv --batch-size 4",
]
COMMANDS = {" ".join(path) for path, command in all_commands(app) if not isinstance(command, TyperGroup)}


def command_of(line: str) -> str:
    words = line.split()
    return next(name for name in COMMANDS if name in (words[0], " ".join(words[:2])))


@pytest.fixture
def files(folder) -> Path:
    """The files of `folder`, and what other commands take."""
    (folder / "types.yaml").write_text(
        "".join(f"{name}: [{', '.join(GENES[10 * k : 10 * k + 3])}]\n" for k, name in enumerate(TYPES))
    )
    (folder / "genes.txt").write_text("\n".join([*GENES[:10], "OTHER"]))
    (folder / "cl.obo").write_text(as_obo())
    return folder


def test_there_is_a_line_for_every_command():
    # The server refuses --json: its stdout belongs to a protocol (test_mcp.py).
    assert sorted(map(command_of, LINES)) == sorted(COMMANDS - {"mcp"})


@pytest.mark.parametrize("line", LINES, ids=command_of)
def test_real_output_fits_the_schema(line, files, tmp_path, string_host, capsys):
    out = tmp_path / "out"
    out.mkdir()
    output = run_json(capsys, *(word.format(files=files, out=out) for word in line.split()))
    for path in output["result"].get("written", []):
        assert Path(path).exists() and out in Path(path).parents


def test_numbers_are_those_of_the_cells(files, tmp_path, capsys):
    query = make_cells(1)
    arguments = ("predict", files / "query.h5ad", "-m", files / "model", "-o", tmp_path / "p.csv")
    result = run_json(capsys, *arguments)["result"]
    assert (result["cells"], result["genes"]) == query.shape
    assert sum(each["cells"] for each in result["types"]) == query.n_obs
    assert math.isclose(sum(each["fraction"] for each in result["types"]), 1)
    assert result["fraction_unknown"] is None and result["written"] == [str(tmp_path / "p.csv")]


def test_types_that_are_numbers_are_text(tmp_path, capsys):
    cells, model = tmp_path / "cells.h5ad", ("-m", tmp_path / "model")
    adata = make_cells(0)[2:].copy()
    adata.obs["number"] = adata.obs["cell_type"].map({name: k for k, name in enumerate(TYPES)}).astype(int)
    adata.obs.loc[adata.obs_names[:6], "number"] = 0  # some labels are wrong
    adata.write_h5ad(cells)
    (tmp_path / "genes.txt").write_text("\n".join(GENES[:10]))
    label = ("-l", "number")
    for line in (
        ("train", cells, *label, "-o", model[1], "--seed", "0"),
        ("predict", cells, *model, "-o", tmp_path / "p.csv", "--unknown"),
        ("evaluate", cells, *model, *label),
        ("explain", cells, *model, "-o", tmp_path / "e.csv"),
        ("suspicious", cells, *label, "-o", tmp_path / "s.csv", "--n-folds", "2", "--seed", "0"),
        ("panel", tmp_path / "genes.txt", *model),
        ("models", "subset", *model, "-t", "0", "-t", "1", "-o", tmp_path / "m"),
    ):
        result = run_json(capsys, *line)["result"]
        assert result.get("types", True) and result.get("pairs", True)


def test_the_check_refuses_what_a_schema_does_not_describe(files, tmp_path, capsys):
    line = ("predict", files / "query.h5ad", "-m", files / "model", "-o", tmp_path / "p.csv")
    output = run_json(capsys, *line)
    for wrong in (
        output | {"more": 1},
        output | {"status": 3},
        output | {"error": {"type": "a", "message": "b", "argument": None}},
        output | {"result": output["result"] | {"more": 1}},
        output | {"result": output["result"] | {"cells": 1.5}},
        output | {"result": {name: value for name, value in output["result"].items() if name != "shift"}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            check(wrong, ("predict",))
