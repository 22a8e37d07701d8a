"""docs/reference/cli.md says what is true."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from command_line import run
from json_output import check

import gene_gcn

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def test_commands_of_the_page_run(folder, tmp_path, monkeypatch, capsys):
    shutil.copytree(folder / "model", tmp_path / "model")
    shutil.copy(folder / "query.h5ad", tmp_path)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^gene-gcn ([^>\n]+)", PAGE, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        capsys.readouterr()
        assert run(*command.split()) == 0
        if "--json" in command:
            check(json.loads(capsys.readouterr().out), ("predict",))


@pytest.mark.parametrize("example", re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL))
def test_examples_fit_the_schema(example):
    check(json.loads(example), ("predict",))


def test_all_variables_of_the_environment_are_listed():
    code = "".join(path.read_text(encoding="utf-8") for path in Path(gene_gcn.__file__).parent.rglob("*.py"))
    used = set(re.findall(r'"(GENE_GCN_[A-Z_]+)"', code))
    assert len(used) > 5 and set(re.findall(r"^\| `(GENE_GCN_\w+)`", PAGE, re.MULTILINE)) == used
