"""The README's commands and the examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import anndata
import pandas as pd
import pytest
from command_line import make_cells
from served_files import serve

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def run(*arguments: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_example_of_the_readme_runs(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert "gene_gcn_confidence" in run("-c", example, folder=tmp_path)
    assert (tmp_path / "pbmc_model" / "model.safetensors").is_file()


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(example, tmp_path):
    assert run(example, folder=tmp_path)


def test_commands_of_the_readme_run(tmp_path, host, monkeypatch):
    """The gene-gcn commands, word for word, on small files of the names that they use."""
    commands = [line.split() for line in re.findall(r"^gene-gcn ([^#\n]+)", README, flags=re.MULTILINE)]
    inputs = {words[1] for words in commands if words[0] in ("train", "predict", "evaluate", "markers")}
    assert {words[0] for words in commands} >= {"fetch", "train", "predict", "evaluate"} and len(inputs) == 4
    cells = make_cells(0)[2:].copy()  # the first two have no label
    cells.obs["cell_type"] = cells.obs["cell_type"].astype(str) + " cell"  # as the Cell Ontology has them
    for name in inputs:
        own = cells.copy()
        if "mouse" in name:
            own.var_names = own.var_names.str.capitalize()
        own.write_h5ad(tmp_path / name)
    markers = {name: [f"GENE{10 * k + i}" for i in range(3)] for k, name in enumerate(["B", "T", "NK"])}
    (tmp_path / "types.yaml").write_text("".join(f"{name}: {genes}\n" for name, genes in markers.items()))
    serve(host, monkeypatch, cells.var_names)

    for words in commands:
        run("-m", "gene_gcn", *words, folder=tmp_path)
        assert words[0] == "fetch" or (tmp_path / words[words.index("--out") + 1]).exists()
    predicted = [words[words.index("--out") + 1] for words in commands if words[0] == "predict"]
    labels = anndata.read_h5ad(tmp_path / predicted[0]).obs["gene_gcn"]
    assert labels.isin(cells.obs["cell_type"].unique()).all()
    of_mouse = pd.read_csv(tmp_path / predicted[1])["label"]
    assert (of_mouse.to_numpy() == labels.to_numpy()).mean() > 0.95
