"""The README's commands and the examples run."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from pathlib import Path

import anndata
import hcop_host
import pandas as pd
import pytest
from command_line import make_cells
from small_ontology import as_obo

from gene_gcn.ontology.sources import VERSION

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
    host.files |= string_files(cells.var_names) | ortholog_file(cells.var_names)
    host.files[f"/{VERSION}/cl-basic.obo"] = as_obo().encode()
    for variable in ("STRING", "HCOP", "CL"):
        monkeypatch.setenv(f"GENE_GCN_{variable}_URL", host.url)

    for words in commands:
        run("-m", "gene_gcn", *words, folder=tmp_path)
        assert words[0] == "fetch" or (tmp_path / words[words.index("--out") + 1]).exists()
    predicted = [words[words.index("--out") + 1] for words in commands if words[0] == "predict"]
    labels = anndata.read_h5ad(tmp_path / predicted[0]).obs["gene_gcn"]
    assert labels.isin(cells.obs["cell_type"].unique()).all()
    of_mouse = pd.read_csv(tmp_path / predicted[1])["label"]
    assert (of_mouse.to_numpy() == labels.to_numpy()).mean() > 0.95


def ortholog_file(genes) -> dict[str, bytes]:
    """HCOP's file of mice, in which genes have the same symbol in another case."""
    table = pd.DataFrame({"human_symbol": genes, "mouse_symbol": genes.str.capitalize()})
    columns = hcop_host.header("mouse", "mgi").split("\t")
    table = table.reindex(columns=columns, fill_value="-").assign(support="Ensembl,Inparanoid,OMA")
    return {
        "/human_mouse_hcop_fifteen_column.txt.gz": gzip.compress(table.to_csv(sep="\t", index=False).encode())
    }


def string_files(genes) -> dict[str, bytes]:
    """Small files of STRING 12.0 in which the genes are connected in a circle."""
    proteins = [f"9606.ENSP{i:011d}" for i in range(len(genes))]
    neighbors = [*proteins[1:], proteins[0]]
    files = {
        "links": [
            "protein1 protein2 combined_score",
            *(f"{a} {b} {500 + i}" for i, (a, b) in enumerate(zip(proteins, neighbors, strict=True))),
        ],
        "info": [
            "#string_protein_id\tpreferred_name\tprotein_size\tannotation",
            *(f"{protein}\t{gene}\t100\t-" for protein, gene in zip(proteins, genes, strict=True)),
        ],
        "aliases": ["#string_protein_id\talias\tsource", f"{proteins[0]}\tG0\tEnsembl_HGNC_alias_symbol"],
    }
    return {
        f"/protein.{kind}.v12.0/9606.protein.{kind}.v12.0.txt.gz": gzip.compress("\n".join(lines).encode())
        for kind, lines in files.items()
    }
