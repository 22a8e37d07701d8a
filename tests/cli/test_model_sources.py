"""Models of others on the command line: downloaded, listed, shown and used."""

from __future__ import annotations

import pytest
from command_line import make_cells, run, train
from hub_host import OLD, Hub
from shared_models import contents

from gene_gcn import GeneGCNClassifier
from gene_gcn.storage.model_folder import read_card

CARD = (
    "title: Three types\ntissue: blood\nlicense: CC-BY-4.0\ncitation: Nobody 2020, https://doi.org/10.1/x\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    make_cells(0).write_h5ad(folder / "train.h5ad")
    make_cells(1).write_h5ad(folder / "query.h5ad")
    (folder / "card.yaml").write_text(CARD)
    assert train(folder, "model", "--card", folder / "card.yaml") == 0
    return folder


@pytest.fixture
def hub(host, folder, monkeypatch):
    monkeypatch.setenv("GENE_GCN_HF_URL", host.url)
    monkeypatch.setenv("COLUMNS", "80")
    Hub(host).put("owner/name", OLD, contents(folder / "model"))
    return host


def test_cards_are_written_by_train_merge_and_subset(folder, tmp_path, error_of):
    assert "# Three types\n" in read_card(folder / "model")
    model, card = folder / "model", tmp_path / "other.yaml"
    card.write_text("tissue: [lung]\n")
    assert (
        run("models", "subset", "-m", model, "-t", "B", "-t", "T", "-o", tmp_path / "s.zip", "--card", card)
        == 0
    )
    assert GeneGCNClassifier.load(tmp_path / "s.zip").card_.tissue == ("lung",)
    assert run("models", "merge", model, tmp_path / "s.zip", "-o", tmp_path / "m") == 0
    assert "**Tissue:** blood, lung" in read_card(tmp_path / "m")
    assert "already holds a model" in error_of("models", "merge", model, model, "-o", tmp_path / "s.zip")
    card.write_text("tisue: lung\n")
    said = error_of("train", folder / "train.h5ad", "-l", "cell_type", "-o", tmp_path / "n", "--card", card)
    assert "--card has the unknown field 'tisue'; did you mean tissue?" in said


def test_models_of_the_hub_are_used_and_listed(folder, hub, tmp_path, capsys, error_of):
    query, ours, theirs = folder / "query.h5ad", tmp_path / "a.csv", tmp_path / "b.csv"
    assert run("predict", query, "--model", "hf://owner/name", "--out", theirs) == 0
    assert run("predict", query, "--model", folder / "model", "--out", ours) == 0
    assert ours.read_text() == theirs.read_text()
    hub.close()
    capsys.readouterr()
    assert run("predict", query, "--model", f"hf://owner/name@{OLD}", "--out", tmp_path / "c.csv") == 0
    assert run("predict", query, "--model", "hf://owner/name", "--out", tmp_path / "d.csv") == 0
    warning = capsys.readouterr().err
    assert warning.count("warning") == 1 and "hf://owner/name is taken from the cache" in warning
    assert run("models", "list") == 0
    printed = capsys.readouterr().out
    assert "1 models in" in printed and "hf://owner/name" in printed and OLD[:12] in printed
    assert all(len(line) <= 80 for line in printed.splitlines()[1:])
    assert run("models", "list", "--remove", "hf://*") == 0
    assert f"Removed   hf://owner/name {OLD[:12]}" in capsys.readouterr().out
    assert "No model of 'x'" in error_of("models", "list", "--remove", "x")
    assert run("models", "list") == 0 and run("networks") == 0
    assert "0 models in" in capsys.readouterr().out


def test_damaged_models_are_listed_and_can_be_removed(hub, cache, capsys):
    assert run("models", "pull", "hf://owner/name") == 0
    (config,) = cache.rglob("config.json")
    config.write_text("{}")
    assert run("models", "list") == 0
    assert "damaged" in capsys.readouterr().out
    assert run("models", "list", "--remove", "*") == 0


def test_cards_are_shown(folder, hub, capsys):
    for model in (folder / "model", "hf://owner/name"):
        assert run("models", "info", model) == 0
        printed = capsys.readouterr().out
        assert "Three types" in printed and "Tissue: blood" in printed and "88 cells of 3 types" in printed
        assert "library_name" not in printed
        assert all(len(line) <= 80 for line in printed.splitlines())


def test_older_models_have_no_card(folder, tmp_path, capsys):
    from gene_gcn.storage.model_manifest import manifest_of

    files = contents(folder / "model")
    (tmp_path / "old").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "old" / name).write_bytes(files[name])
    kept = {name: files[name] for name in ("config.json", "model.safetensors")}
    (tmp_path / "old" / "manifest.json").write_bytes(manifest_of(kept))
    assert run("models", "info", tmp_path / "old") == 0
    assert "It has no card" in capsys.readouterr().out


def test_cards_do_not_control_the_terminal(tmp_path, capsys):
    from gene_gcn.storage.model_folder import write_model

    config = {"classes": {"values": ["a", "b"]}, "normalizer": {"n_genes": 3}}
    write_model(tmp_path / "m", config, {}, card=lambda: "---\na: b\n---\n# T\x1b]0;x\x07itle\n")
    assert run("models", "info", tmp_path / "m") == 0
    printed = capsys.readouterr().out
    assert "itle" in printed and "\x1b" not in printed and "\x07" not in printed


def test_models_are_pulled(folder, hub, tmp_path, capsys, error_of):
    assert run("models", "pull", "hf://owner/name") == 0
    assert "3 types, 30 genes" in capsys.readouterr().out
    assert run("models", "pull", "hf://owner/name", "--out", tmp_path / "copy") == 0
    assert contents(tmp_path / "copy") == contents(folder / "model")
    assert run("models", "pull", tmp_path / "copy", "--out", tmp_path / "copy.zip") == 0
    assert "already holds a model" in error_of(
        "models", "pull", "hf://owner/name", "--out", tmp_path / "copy"
    )
    assert run("models", "pull", tmp_path / "copy.zip", "--out", tmp_path / "copy", "--force") == 0
    assert contents(tmp_path / "copy") == contents(folder / "model")
    assert "is on this computer already" in error_of("models", "pull", tmp_path / "copy")


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ("hf://owner/none", "There is no model hf://owner/none"),
        ("hf://owner", "is not an address on the Hugging Face Hub"),
        ("nowhere", "There is no model folder 'nowhere'"),
        ("http://a.invalid/m.zip", "is plain http"),
    ],
)
def test_errors_are_in_one_line(folder, hub, tmp_path, error_of, model, match):
    out = tmp_path / "x.csv"
    assert match in error_of("predict", folder / "query.h5ad", "--model", model, "--out", out)
    assert match in error_of("models", "info", model)
    assert not out.exists()
