"""Every script can be imported and explains itself, as documentation cites them."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pandas as pd
import pytest
import torch
from example_cells import make_cells
from sklearn.metrics import f1_score
from small_ontology import ONTOLOGY

from gene_gcn import GeneGCNClassifier
from gene_gcn.storage.text_files import sha256_of

SCRIPTS = sorted((Path(__file__).resolve().parents[1] / "scripts").glob("[!_]*.py"))


@pytest.fixture
def load(monkeypatch):
    """Import a script by its path, with its folder on the path of modules as if it were run."""

    def load(path: Path):
        monkeypatch.syspath_prepend(path.parent)
        spec = spec_from_file_location(path.stem, path)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def test_scripts_are_found():
    assert {path.name for path in SCRIPTS} >= {"import_cost.py", "matched_genes.py"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_explain_themselves(path, load, monkeypatch, capsys):
    module = load(path)
    assert module.__doc__
    monkeypatch.setattr("sys.argv", [str(path), "--help"])
    with pytest.raises(SystemExit, match="^0$"):
        module.main()
    assert f"usage: {path.name}" in capsys.readouterr().out


def test_large_string_file_on_a_few_rows(load, tmp_path, monkeypatch, capsys):
    links = tmp_path / "links.txt"
    links.write_text("protein1 protein2 combined_score\n9606.A 9606.B 900\n9606.B 9606.C 500\n")
    script = load(next(path for path in SCRIPTS if path.stem == "large_string_file"))
    for variable in ("GENE_GCN_STRING_URL", "GENE_GCN_CACHE"):
        monkeypatch.setenv(variable, "set by the script")  # and restored after the test
    monkeypatch.setattr("sys.argv", ["large_string_file.py", str(links), "--rows", "5"])
    script.main()
    printed = capsys.readouterr().out
    assert "GeneNetwork(3 genes" in printed and printed.count("peak memory") == 2


def test_ablation_of_the_default_is_the_default(load):
    script = load(next(path for path in SCRIPTS if path.stem == "linear_head_ablation"))
    cells = make_cells(120)
    train, test = cells[:60].copy(), cells[60:].copy()
    predicted = GeneGCNClassifier(random_state=0).fit(train, "cell_type").predict(test)
    expected = f1_score(test.obs["cell_type"], predicted, average="macro")
    assert script.macro_f1(train, test, "cell_type", script.DEFAULT, balanced=True) == pytest.approx(expected)


def test_suggested_terms_are_judged_by_the_ids_that_were_chosen(load):
    script = load(next(path for path in SCRIPTS if path.stem == "suggested_terms"))
    rows = [
        ("B cell", "CL:0000236", ""),
        ("NK", "CL:0000623", ""),
        ("T", "CL:0000236", ""),
        ("xyz", "CL:1", ""),
    ]
    table = pd.DataFrame(rows, columns=["name", "id", "also_right"]).assign(tissue="")
    judged = script.judge(table, ONTOLOGY)
    assert judged["right"].tolist() == [True, True, False, False]
    assert not judged["listed"].iloc[3] and judged["match"].tolist()[:2] == ["label", "none"]


@pytest.mark.parametrize("attention", [True, False])
def test_masked_genes_are_restored_without_looking_at_them(load, attention):
    script = load(next(path for path in SCRIPTS if path.stem == "masked_pretraining"))
    x = torch.rand(40, 12, generator=torch.Generator().manual_seed(0))
    model = script.pretrain(x, x, attention, epochs=1)
    other = x.clone()
    other[:, 3] += 5
    change = (script.restore(model, other) - script.restore(model, x)).abs().max(0).values
    assert change[3] == 0 < change.max()


def test_genes_are_restored_by_principal_components_before_training(load):
    script = load(next(path for path in SCRIPTS if path.stem == "masked_pretraining"))
    x = torch.rand(20, 12, generator=torch.Generator().manual_seed(0))
    axes = torch.linalg.svd(x - x.mean(0)).Vh[: script.CHANNELS].T
    model = script.MaskedGenes(x.mean(0), axes, attention=False)
    expected = x.mean(0) + (x - x.mean(0)) @ axes @ axes.T
    torch.testing.assert_close(model(x, torch.ones(12, dtype=torch.bool)), expected)


def test_reference_models_are_built_and_listed(load, tmp_path, monkeypatch, capsys):
    script = load(next(path for path in SCRIPTS if path.stem == "reference_models"))
    arguments = ["reference_models.py", "--out", str(tmp_path), "--only", "blood_human"]
    monkeypatch.setattr("sys.argv", arguments)
    script.main()
    (row,) = json.loads((tmp_path / "index.json").read_text())["models"]
    assert json.loads(capsys.readouterr().out) == row and row["types"] == 10
    assert row["measured"]["five stratified folds"]["macro_f1"] > 0.6
    folder, archive = (GeneGCNClassifier.load(tmp_path / name) for name in ("blood_human", "blood_human.zip"))
    assert folder.card_ == archive.card_ and folder.card_.donors == 1
    assert sha256_of(tmp_path / "blood_human.zip") == row["sha256"]
