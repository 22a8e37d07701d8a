"""The blocks of docs/guide/pipelines.md, word for word."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from command_line import make_cells, run
from integration_tools import INTEGRATIONS, PROJECT, environment, tool

from gene_gcn import __version__

PAGE = (PROJECT / "docs/guide/pipelines.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder in which the page's commands run."""
    (tmp_path / "integrations").symlink_to(INTEGRATIONS)
    make_cells(0)[2:].copy().write_h5ad(tmp_path / "reference.h5ad")
    make_cells(1).write_h5ad(tmp_path / "sample.h5ad")
    (config,) = blocks("yaml")
    (tmp_path / "config.yaml").write_text(config)
    return tmp_path


def shell(command: str, folder: Path) -> None:
    env = environment()
    env["PATH"] += f":{Path(tool('snakemake')).parent}"
    done = subprocess.run(["bash", "-ec", command], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_commands_run(folder):
    (commands,) = [block for block in blocks("sh") if block.startswith("gene-gcn")]
    shell(commands, folder)
    sample = json.loads((folder / "sample.json").read_text())
    assert sample["result"]["cells"] == 90 and sample["status"] == 0
    rows = dict(re.findall(r"^\| (`[^|]*) \| ([^|]*) \|$", PAGE, flags=re.MULTILINE))
    told = {key for keys in rows for key in re.findall(r"`(\w+)`", keys)}
    assert set(sample) | {"error"} <= told
    schema = json.loads((folder / "predict.schema.json").read_text())
    assert schema["$id"] == sample["schema"]


def test_data_of_the_galaxy_tools_are_made(folder):
    (command,) = [block for block in blocks("sh") if "make_test_data" in block]
    shell(command, folder)
    assert (folder / "test-data/model.zip").is_file()


@pytest.mark.integrations
def test_snakemake_runs(folder):
    (command,) = [block for block in blocks("sh") if block.startswith("snakemake")]
    shell(command, folder)
    assert (folder / "results/types.tsv").read_text().startswith("sample\ttype\tcells")


def test_python_runs(tmp_path, capsys):
    program = "\n".join(blocks("python"))
    done = subprocess.run(
        ["python", "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "empty {}" in done.stdout and "EmptyCellsWarning" in done.stderr


def test_clients_are_told_a_command_that_exists(capsys, tmp_path):
    (text,) = blocks("json")
    (server,) = json.loads(text)["mcpServers"].values()
    assert server["command"] == "gene-gcn"
    assert run(*server["args"][:-1], tmp_path / "absent") == 2  # refused for its folder alone
    assert "is not a folder" in capsys.readouterr().err


def test_environments_are_of_this_version():
    environments = [path.read_text() for path in INTEGRATIONS.rglob("*.y*ml")]
    versions = [each for text in environments for each in re.findall(r"gene-gcn==([\w.]+)", text)]
    assert len(versions) == 2 and set(versions) == {__version__}


def test_every_folder_and_tool_is_on_the_page():
    from gene_gcn.cli.allowed_folders import AllowedFolders
    from gene_gcn.cli.mcp_tools import Tools

    folders = [path.name for path in INTEGRATIONS.iterdir() if path.is_dir()]
    tools = [name for name in vars(Tools(AllowedFolders([Path()])).__class__) if not name.startswith("_")]
    for name in (*(f"integrations/{folder}" for folder in folders), *tools):
        assert f"`{name}" in PAGE
    assert yaml.safe_load(blocks("yaml")[0])["label"] == "cell_type"
