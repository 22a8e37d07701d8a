"""The component for Open Problems, run on files of the task's form as viash runs it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import anndata as ad
import numpy as np
import pytest
import scanpy as sc
import yaml
from command_line import make_cells
from sklearn.metrics import f1_score

import gene_gcn

COMPONENT = Path(__file__).resolve().parents[2] / "integrations/openproblems/gene_gcn"
PROJECT = Path(gene_gcn.__file__).parents[1]


def write_task(cells: ad.AnnData, is_test: np.ndarray, folder: Path) -> np.ndarray:
    """Write train.h5ad and test.h5ad of counts with obs "label" and "batch"; return labels of test cells."""
    cells.layers["counts"] = cells.X.copy()
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells)
    cells.layers["normalized"] = cells.X
    cells.obsm["X_pca"] = np.zeros((cells.n_obs, 2))
    cells.var["hvg"], cells.var["hvg_score"] = True, 1.0
    cells.X, cells.uns = None, {"dataset_id": "cells", "normalization_id": "log_cp10k"}
    cells[~is_test].copy().write_h5ad(folder / "train.h5ad")
    test = cells[is_test].copy()
    labels = test.obs.pop("label").to_numpy()
    test.write_h5ad(folder / "test.h5ad")
    return labels


def run_component(folder: Path, **arguments: str) -> ad.AnnData:
    """Run the script with the block between its markers replaced, as viash does."""
    par = {"input_train": "train.h5ad", "input_test": "test.h5ad", "output": "out.h5ad", "network": "none"}
    block = f"par = {json.dumps(par | arguments)}\nmeta = {{'name': 'gene_gcn'}}\n"
    source = (COMPONENT / "script.py").read_text()
    program, replaced = re.subn(r"(?s)## VIASH START\n.*?(?=## VIASH END)", block, source)
    assert replaced == 1
    (folder / "script.py").write_text(f"import sys\nsys.path.insert(0, {str(PROJECT)!r})\n{program}")
    subprocess.run([sys.executable, "script.py"], cwd=folder, check=True, timeout=120)
    return ad.read_h5ad(folder / "out.h5ad")


def assert_prediction(output: ad.AnnData, folder: Path) -> None:
    test = ad.read_h5ad(folder / "test.h5ad")
    assert list(output.obs_names) == list(test.obs_names)
    assert not output.obs["label_pred"].isna().any()
    expected = {"dataset_id": "cells", "normalization_id": "log_cp10k", "method_id": "gene_gcn"}
    assert dict(output.uns) == expected


@pytest.mark.parametrize("network", ["none", "coexpression"])
def test_predictions_are_of_the_form_that_the_task_asks_for(tmp_path, network):
    cells = make_cells(0, 120)[2:].copy()  # the first two have no label
    cells.obs = cells.obs.rename(columns={"cell_type": "label", "one": "batch"})
    cells.X[-1] = 0  # a cell without counts gets a type, too
    labels = write_task(cells, np.arange(cells.n_obs) >= 80, tmp_path)
    output = run_component(tmp_path, network=network)
    assert_prediction(output, tmp_path)
    assert (output.obs["label_pred"].to_numpy() == labels)[:-1].mean() > 0.9


def test_pancreas_cells_of_another_laboratory(tmp_path, shared_data):
    cells = ad.read_h5ad(shared_data / "cells/panc8_small.h5ad")
    cells.obs = cells.obs[["cell_type", "batch"]].rename(columns={"cell_type": "label"})
    labels = write_task(cells, (cells.obs["batch"] == "celseq2").to_numpy(), tmp_path)
    output = run_component(tmp_path)
    assert_prediction(output, tmp_path)
    assert f1_score(labels, output.obs["label_pred"].to_numpy(), average="macro") > 0.95


def test_the_configuration_describes_the_script():
    config = yaml.safe_load((COMPONENT / "config.vsh.yaml").read_text())
    assert [resource["path"] for resource in config["resources"]] == ["script.py"]
    assert all((COMPONENT / resource["path"]).is_file() for resource in config["resources"])
    script = (COMPONENT / "script.py").read_text()
    own = {argument["name"].removeprefix("--") for argument in config["arguments"]}
    of_the_task = {"input_train", "input_test", "output"}
    assert set(re.findall(r'par\["(\w+)"\]', script)) == own | of_the_task
    variants = [variant or {} for variant in config["info"]["variants"].values()]
    assert {name for variant in variants for name in variant} <= own
