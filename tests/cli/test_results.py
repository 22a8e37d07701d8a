from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import run
from json_output import run_json
from typer.core import TyperGroup

from gene_gcn import __version__
from gene_gcn.cli import app
from gene_gcn.cli.commands import all_commands
from gene_gcn.cli.results import as_plain, commands_with_schema, read_schema

COMMANDS = {path for path, command in all_commands(app) if not isinstance(command, TyperGroup)}


@pytest.mark.parametrize("path", sorted(COMMANDS), ids=" ".join)
def test_every_command_has_json_and_a_schema(path, capsys):
    assert run(*path, "--help") == 0
    assert "--json" in capsys.readouterr().out
    assert path in commands_with_schema()
    schema = read_schema(path)
    assert schema["$id"] == schema["properties"]["schema"]["const"]
    assert schema["$id"].rpartition("/")[0] == "/".join(("gene-gcn", *path))


def test_every_schema_has_a_command():
    assert set(commands_with_schema()) == COMMANDS


def test_a_result_of_anything_that_commands_return_is_plain():
    table = pd.DataFrame({"type": ["B"], "cells": np.array([3], np.int32), "mean": [np.nan]})
    result = {
        "path": Path("a/b.csv"),
        "numbers": [np.float32(0.5), np.int64(2), np.bool_(True), float("inf"), np.array([1.0, -np.inf])],
        "table": table,
        3: None,
    }
    plain = as_plain(result)
    assert plain == {
        "path": "a/b.csv",
        "numbers": [0.5, 2, True, None, [1.0, None]],
        "table": [{"type": "B", "cells": 3, "mean": None}],
        "3": None,
    }
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    with pytest.raises(TypeError, match="object cannot be part of a result"):
        as_plain([object()])


def test_schema_prints_what_it_returns(capsys):
    assert run("schema", "models", "merge") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == read_schema(("models", "merge"))
    output = run_json(capsys, "schema", "models", "merge")
    assert output["result"]["schema"] == printed and output["version"] == __version__
    error = run_json(capsys, "schema", "predictt", status=2)["error"]
    assert error["argument"] == "command" and "choose from" in error["message"]


@pytest.mark.parametrize(
    ("arguments", "type_", "argument"),
    [
        (["predict"], "MissingParameter", "cells"),
        (["predict", "a.h5ad", "--nosuch"], "NoSuchOption", "--nosuch"),
        (["train", "a.h5ad", "-l", "x", "-o", "m", "--seed", "-1"], "BadParameter", "--seed"),
        (["nosuch"], "UsageError", None),
        (["models"], "UsageError", None),
        (["predict", "absent.h5ad", "-m", "model"], "FileNotFoundError", None),
        (["explain", "absent.h5ad", "-m", "model", "-o", "a.b"], "ArgumentError", "--out"),
    ],
)
def test_errors_are_json_too(arguments, type_, argument, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = run_json(capsys, *arguments, status=2)["error"]
    assert error["type"] == type_ and error["argument"] == argument
    run(*arguments)
    if arguments != ["models"]:  # without --json it prints its help
        assert capsys.readouterr().err == f"gene-gcn: error: {error['message']}\n"


def test_help_and_version_leave_stdout_to_json(capsys):
    for arguments in (["--version"], ["predict", "--help"]):
        output = run_json(capsys, *arguments)
        assert output["result"] is None
