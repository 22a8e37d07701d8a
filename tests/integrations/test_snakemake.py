"""The Snakemake workflow, run by Snakemake on cells that ship with scanpy."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import scanpy as sc
import yaml
from integration_tools import INTEGRATIONS, environment, tool

pytestmark = pytest.mark.integrations
SNAKEFILE = INTEGRATIONS / "snakemake/Snakefile"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("snakemake")
    cells = sc.datasets.pbmc68k_reduced()
    cells[::2].copy().write_h5ad(folder / "reference.h5ad")
    cells[1::4].copy().write_h5ad(folder / "one.h5ad")
    cells[:0].copy().write_h5ad(folder / "empty.h5ad")
    config = {
        "reference": "reference.h5ad",
        "label": "bulk_labels",
        "samples": {"one": "one.h5ad", "empty": "empty.h5ad"},
        "out": "results",
        "train": "--use-raw --seed 0",
        "predict": "--unknown",
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def snakemake(folder: Path, *options: str) -> subprocess.CompletedProcess:
    command = [tool("snakemake"), "--cores", "2", "--snakefile", SNAKEFILE, *options]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)


def test_samples_are_annotated_also_one_without_cells(folder):
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr
    types = pd.read_csv(folder / "results/types.tsv", sep="\t")
    assert types["cells"].sum() == 175 and set(types["sample"]) == {"one"}
    for sample, n_cells in {"one": 175, "empty": 0}.items():
        summary = json.loads((folder / f"results/{sample}/summary.json").read_text())
        assert summary["status"] == 0 and summary["result"]["cells"] == n_cells
        assert "<html" in (folder / f"results/{sample}/report.html").read_text()
        assert "gene_gcn" in sc.read_h5ad(folder / f"results/{sample}/annotated.h5ad").obs
    assert "Nothing to be done" in snakemake(folder).stderr


def test_a_failure_is_in_the_log(folder):
    done = snakemake(folder, "--config", "label=absent", "out=failed", "--", "failed/model.json")
    assert done.returncode == 1 and not (folder / "failed/model.json").exists()
    log = (folder / "failed/logs/train.log").read_text()
    assert "gene-gcn: error:" in log and "'absent'" in log


def test_snakemake_has_nothing_to_object_to(folder):
    done = snakemake(folder, "--lint")
    assert done.returncode == 0, done.stdout + done.stderr
