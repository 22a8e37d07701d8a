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

from gene_gcn import GeneGCNClassifier

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


BLOCKS = {kind: re.findall(rf"```{kind}\n(.*?)```", README, flags=re.DOTALL) for kind in ("python", "sh")}
COMMANDS = [line.split(" #")[0].split() for block in BLOCKS["sh"] for line in block.splitlines()]
MARKERS = {"B": ["MS4A1", "CD79A"], "T": ["CD3D", "CD3E"], "NK": ["GNLY", "NKG7"]}


def run(*arguments: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def cells() -> anndata.AnnData:
    """Cells of three types, with the genes that the README calls their markers, and a UMAP of two axes."""
    cells = make_cells(0)[2:].copy()  # the first two have no label
    names = cells.var_names.to_series()
    for k, genes in enumerate(MARKERS.values()):
        names.iloc[10 * k : 10 * k + len(genes)] = genes
    cells.var_names = names.to_numpy()
    cells.obsm["X_umap"] = cells.X[:, :2].toarray()
    return cells


def test_readme_has_no_block_that_is_not_run():
    assert README.count("```") == 2 * sum(map(len, BLOCKS.values()))
    programs = {words[0] for words in COMMANDS}
    assert programs == {"gene-gcn", "make", "pip"}
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert all(f"make {words[1]}" in ci for words in COMMANDS if words[0] == "make")


def test_python_blocks_and_command_line_agree(tmp_path, cells):
    """One after another, as a reader would paste them; defaults of the command line are those of Python."""
    train, query = cells[::2], cells[1::2]
    train.write_h5ad(tmp_path / "reference.h5ad")
    query.write_h5ad(tmp_path / "query.h5ad")
    first, *others = BLOCKS["python"]
    keep = "query.write_h5ad('from_python.h5ad')\nclf.save('from_python')\n"
    printed = run("-c", "\n".join([first, keep, *others]), folder=tmp_path)
    assert all(gene in printed for gene in MARKERS["NK"])

    commands = [words[1:] for words in COMMANDS if words[0] == "gene-gcn"][1:3]
    assert [words[0] for words in commands] == ["train", "predict"]
    for words in commands:
        run("-m", "gene_gcn", *words, folder=tmp_path)
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")
    models = [GeneGCNClassifier.load(tmp_path / name).get_params() for name in ("from_python", "model")]
    assert models[0] == models[1] | {"verbose": False}
    labels = [
        anndata.read_h5ad(tmp_path / name).obs["gene_gcn"] for name in ("from_python.h5ad", "annotated.h5ad")
    ]
    assert labels[0].tolist() == labels[1].tolist()


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(example, tmp_path):
    assert run(example, folder=tmp_path)


def test_commands_of_the_readme_run(tmp_path, cells, host, monkeypatch):
    """The gene-gcn commands, word for word, on small files of the names that they use."""
    commands = [words[1:] for words in COMMANDS if words[0] == "gene-gcn"]
    inputs = {
        word
        for words in commands
        for word in words
        if re.fullmatch(r"(reference|query|labeled|mouse).h5ad", word)
    }
    assert len(inputs) == 4
    cells.obs["cell_type"] = cells.obs["cell_type"].astype(str) + " cell"  # as the Cell Ontology has them
    for name in inputs:
        own = cells.copy()
        if "mouse" in name:
            own.var_names = own.var_names.str.capitalize()
        own.write_h5ad(tmp_path / name)
    (tmp_path / "types.yaml").write_text("".join(f"{name}: {genes}\n" for name, genes in MARKERS.items()))
    serve(host, monkeypatch, cells.var_names)

    for words in commands:
        run("-m", "gene_gcn", *words, folder=tmp_path)
        assert words[0] in ("demo", "fetch") or (tmp_path / words[words.index("--out") + 1]).exists()
    labels = anndata.read_h5ad(tmp_path / "annotated.h5ad").obs["gene_gcn"]
    assert labels.isin(cells.obs["cell_type"].unique()).all()
    of_mouse = pd.read_csv(tmp_path / "mouse_types.csv")["label"]
    assert (of_mouse.to_numpy() == labels.to_numpy()).mean() > 0.95
