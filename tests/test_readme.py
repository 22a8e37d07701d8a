"""What is promised in the README and the examples runs."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments, folder, **environment) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python_example_of_the_readme_runs(tmp_path):
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(examples) == 1
    assert "gene_gcn_confidence" in run("-c", examples[0], folder=tmp_path)
    assert (tmp_path / "pbmc_model" / "model.safetensors").is_file()


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(example, tmp_path):
    assert run(example, folder=tmp_path)


def test_commands_of_the_readme_run(tmp_path):
    """The gene-gcn commands, word for word, on small files of the names they use."""
    rng = np.random.default_rng(0)
    kind = np.arange(90) % 3
    rate = np.where(np.arange(30) // 10 == kind[:, None], 4.0, 0.5)
    cells = anndata.AnnData(
        sparse.csr_matrix(rng.poisson(rate).astype(np.float32)),
        obs=pd.DataFrame({"cell_type": [f"type {k}" for k in kind]}, index=[f"cell{i}" for i in range(90)]),
        var=pd.DataFrame(index=[f"GENE{i}" for i in range(30)]),
    )
    for name in ("cells.h5ad", "new_cells.h5ad", "labelled.h5ad"):
        cells.write_h5ad(tmp_path / name)
    proteins = [f"9606.ENSP{i:011d}" for i in range(30)]
    files = {
        "links": [
            "protein1 protein2 combined_score",
            *(f"{proteins[i]} {proteins[(i + 1) % 30]} {500 + i}" for i in range(30)),
        ],
        "info": [
            "#string_protein_id\tpreferred_name\tprotein_size\tannotation",
            *(f"{protein}\tGENE{i}\t100\t-" for i, protein in enumerate(proteins)),
        ],
        "aliases": ["#string_protein_id\talias\tsource", f"{proteins[0]}\tG0\tEnsembl_HGNC_alias_symbol"],
    }
    for kind, lines in files.items():
        path = tmp_path / "host" / f"protein.{kind}.v12.0" / f"9606.protein.{kind}.v12.0.txt.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    host = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path / "host")
    )
    threading.Thread(target=host.serve_forever, daemon=True).start()
    environment = {
        "GENE_GCN_STRING_URL": f"http://127.0.0.1:{host.server_address[1]}",
        "NO_PROXY": "*",
        "GENE_GCN_CACHE": str(tmp_path / "cache"),
    }

    commands = re.findall(r"^gene-gcn ([^#\n]+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        run("-m", "gene_gcn", *command.split(), folder=tmp_path, **environment)
    host.shutdown()
    host.server_close()
    assert (
        anndata.read_h5ad(tmp_path / "named.h5ad").obs["gene_gcn"].isin(["type 0", "type 1", "type 2"]).all()
    )
    assert (tmp_path / "report" / "confusion_matrix.png").is_file()
