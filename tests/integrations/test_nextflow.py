"""The Nextflow module: run by Nextflow where there is one; otherwise its scripts, by Groovy and Bash."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import scanpy as sc
import yaml
from integration_tools import INTEGRATIONS, environment

from gene_gcn import GeneGCNClassifier, __version__

pytestmark = pytest.mark.integrations
FOLDER = INTEGRATIONS / "nextflow"
MODULE = FOLDER / "modules/local/genegcn/predict"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("nextflow")
    cells = sc.datasets.pbmc68k_reduced()
    GeneGCNClassifier(use_raw=True, random_state=0).fit(cells[::2].copy(), "bulk_labels").save(
        folder / "model"
    )
    cells[1::4].copy().write_h5ad(folder / "one.h5ad")
    cells[:0].copy().write_h5ad(folder / "empty.h5ad")
    return folder


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    env = environment() | variables
    done = subprocess.run(list(map(str, command)), cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def groovy(*arguments: str | Path, folder: Path) -> str:
    if shutil.which("groovy") is None:
        pytest.skip("needs groovy, of Debian's package of this name")
    java = Path(shutil.which("java")).resolve().parents[1]
    return run("groovy", *arguments, folder=folder, JAVA_HOME=os.environ.get("JAVA_HOME", str(java)))


@pytest.mark.parametrize("sample", ["one", "empty"])
@pytest.mark.parametrize("block", ["script", "stub"])
def test_a_process_writes_what_it_declares(folder, tmp_path, sample, block):
    variables = {
        "meta": {"id": f"{sample}_annotated"},
        "cells": f"{sample}.h5ad",
        "model": "model",
        "task": {"cpus": 1, "process": "GENEGCN_PREDICT", "ext": {"args": "--unknown"}},
    }
    script = Path(__file__).with_name("nextflow_script.groovy")
    job = groovy(script, MODULE / "main.nf", block, json.dumps(variables), folder=folder)
    for name in (f"{sample}.h5ad", "model"):
        (tmp_path / name).symlink_to(folder / name)
    run("bash", "-euo", "pipefail", "-c", job, folder=tmp_path)
    declared = re.findall(r'path(?:\(| )"(.*?)"', (MODULE / "main.nf").read_text().split("    when:")[0])
    assert len(declared) == 5
    for pattern in declared:
        assert list(tmp_path.glob(pattern.replace("${prefix}", variables["meta"]["id"]))), pattern
    assert yaml.safe_load((tmp_path / "versions.yml").read_text()) == {
        "GENEGCN_PREDICT": {"gene-gcn": __version__}
    }
    summary = json.loads((tmp_path / f"{sample}_annotated.summary.json").read_text())
    if block == "script":
        assert summary["result"]["cells"] == {"one": 175, "empty": 0}[sample]
        assert summary["result"]["fraction_unknown"] is not None or sample == "empty"


def test_the_files_are_groovy(folder):
    files = [FOLDER / "main.nf", FOLDER / "nextflow.config", MODULE / "tests/main.nf.test"]
    program = "args.each { new GroovyShell().parse(new File(it)) }"
    groovy("-e", program, *files, folder=folder)


def test_the_description_is_of_the_module():
    described = yaml.safe_load((MODULE / "meta.yml").read_text())
    text = (MODULE / "main.nf").read_text()
    assert list(described["output"]) == re.findall(r"emit: (\w+)", text)
    assert f"gene-gcn=={__version__}" in (MODULE / "environment.yml").read_text()


def test_nextflow_runs_the_workflow(folder, tmp_path):
    if shutil.which("nextflow") is None:
        pytest.skip("needs nextflow, which is not in the registries of Python, Debian or npm")
    samples = "".join(f"{name},{folder / name}.h5ad\n" for name in ("one", "empty"))
    (tmp_path / "samples.csv").write_text(f"sample,cells\n{samples}")
    options = ("--samples", "samples.csv", "--model", folder / "model", "--outdir", "results")
    run("nextflow", "run", FOLDER / "main.nf", *options, folder=tmp_path)
    summary = json.loads((tmp_path / "results/one/one_annotated.summary.json").read_text())
    assert summary["result"]["cells"] == 175
