from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch
from command_line import TYPES, make_cells, parameters_of, run, train
from stored_cells import typed_cells

from gene_gcn import GeneGCNClassifier
from gene_gcn.cells import open_cells, read_cells


def test_train_reports_what_it_used(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "m", "--network", folder / "edges.tsv") == 0
    out = capsys.readouterr().out
    assert "90 cells × 30 genes" in out and "2 cells without a label" in out
    assert "21 of 30 are in the network, 21 of them connected by 20 edges" in out
    assert "Fitted    in" in out and "chosen by cross-validation" in out
    assert f"Written   {tmp_path / 'm'}" in out
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "README.md",
        "config.json",
        "manifest.json",
        "model.safetensors",
    ]


def test_several_files_and_their_batches(tmp_path, capsys):
    for number in range(2):
        cells = make_cells(number)
        cells.obs["donor"] = ["a", "b"] * (cells.n_obs // 2)
        cells.write_h5ad(tmp_path / f"{number}.h5ad")
    files, model = [tmp_path / "0.h5ad", tmp_path / "1.h5ad"], tmp_path / "m"
    options = ["--label", "cell_type", "--out", model, "--seed", "0"]
    assert run("train", *files, *options, "--batch", "donor") == 0
    assert capsys.readouterr().out.count("90 cells × 30 genes from") == 2
    assert GeneGCNClassifier.load(model).fitted_.reference.profiles.counts.sum() > 90
    assert run("train", *files, *options, "--batch", "lab", "--force") == 2
    assert "Reference 1: --batch 'lab' is not a column of .obs" in capsys.readouterr().err
    assert run("train", files[0], tmp_path / "none.h5ad", *options, "--force") == 2
    assert "none.h5ad' does not exist" in capsys.readouterr().err


def test_a_network_without_a_layer_is_not_spoken_of(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "m", "--network", folder / "edges.tsv", "--num-layers", "0") == 0
    assert "network weight" not in capsys.readouterr().out


def test_labels_in_a_table_of_text_or_numbers(tmp_path, capsys):
    table = make_cells(0).to_df()
    table["cell_type"] = make_cells(0).obs["cell_type"]
    table["cluster"] = pd.Categorical(table["cell_type"], categories=TYPES).codes.astype(int)
    table = table[table["cluster"] >= 0]
    table.to_csv(tmp_path / "a.csv")
    for label in ("cell_type", "cluster"):
        model, shared = tmp_path / label, [tmp_path / "a.csv", "--label", label]
        assert run("train", *shared, "--out", model, "--max-epochs", "10", "--seed", "0") == 0
        assert run("evaluate", *shared, "--model", model) == 0
        printed = capsys.readouterr().out
        assert "accuracy            0.9" in printed or "accuracy            1.000" in printed


def test_training_options_reach_the_model(tmp_path):
    cells = make_cells(0)
    cells.layers["counts"], cells.X = cells.X, -cells.X
    cells.write_h5ad(tmp_path / "a.h5ad")
    model, out = tmp_path / "m", tmp_path / "p.csv"
    options = ["--layer", "counts", "--gene-column", "other", "--normalization", "log1p", "--max-epochs", "1"]
    options += ["--seed", "3", "--network", "coexpression", "--n-jobs", "2", "--paper"]
    assert run("train", tmp_path / "a.h5ad", "-l", "cell_type", "-o", model, *options) == 0
    expected = {
        "layer": "counts",
        "gene_column": "other",
        "normalization": "log1p",
        "max_epochs": 1,
        "random_state": 3,
        "network": "coexpression",
        "optimizer": "adam",
        "batch_size": 1,
        "n_jobs": 2,
    }
    assert parameters_of(model).items() >= expected.items()
    # As in training; then cells that are laid out in another way.
    assert run("predict", tmp_path / "a.h5ad", "-m", model, "-o", out) == 0
    other = make_cells(0)
    other.var_names = other.var.pop("other")
    other.raw = other
    other.X = -other.X
    other.write_h5ad(tmp_path / "b.h5ad")
    options = ["--force", "--use-raw", "--gene-column", ""]
    assert run("predict", tmp_path / "b.h5ad", "-m", model, "-o", out, *options) == 0


def test_options_set_the_model_and_its_training(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "default") == 0
    default = GeneGCNClassifier(random_state=0, max_epochs=4, verbose=True)
    assert parameters_of(tmp_path / "default") == default.get_params()
    options = ["--network", "coexpression", "--attention", "dot", "--heads", "2", "--learn-mixing"]
    options += ["--channels", "4", "--num-layers", "2", "--hidden-channels", "16, 8"]
    options += ["--optimizer", "adam", "--learning-rate", "0.01"]
    assert train(folder, tmp_path / "m", *options) == 0
    assert "Trained   4 epochs" in capsys.readouterr().out
    expected = GeneGCNClassifier(
        "coexpression",
        attention="dot",
        heads=2,
        learn_mixing=True,
        channels=4,
        num_layers=2,
        hidden_channels=(16, 8),
        optimizer="adam",
        learning_rate=0.01,
        random_state=0,
        max_epochs=4,
        verbose=True,
    )
    assert parameters_of(tmp_path / "m") == expected.get_params()
    assert run("predict", folder / "query.h5ad", "-m", tmp_path / "m", "-o", tmp_path / "p.csv") == 0


def test_scale_is_stated_and_kept(folder, tmp_path, capsys):
    cells = make_cells(0)
    cells.X = cells.X.log1p()
    cells.write_h5ad(tmp_path / "logs.h5ad")
    model = tmp_path / "m"
    options = ["-l", "cell_type", "-o", model, "--scale", "log1p"]
    assert run("train", tmp_path / "logs.h5ad", *options) == 0
    assert "warning" not in capsys.readouterr().err
    assert parameters_of(model)["scale"] == GeneGCNClassifier.load(model).normalizer_.input_scale == "log1p"


def test_given_options_override_the_settings_of_the_paper(folder, tmp_path):
    assert train(folder, tmp_path / "m", "--paper") == 0
    shared = {"random_state": 0, "max_epochs": 4, "verbose": True}
    assert parameters_of(tmp_path / "m") == GeneGCNClassifier.paper(**shared).get_params()
    assert train(folder, tmp_path / "n", "--paper", "--attention", "none", "--hidden-channels", "") == 0
    expected = GeneGCNClassifier.paper(attention=None, hidden_channels=(), **shared)
    assert parameters_of(tmp_path / "n") == expected.get_params()


def test_same_seed_gives_the_same_model(folder, tmp_path):
    for name in "ab":
        assert train(folder, tmp_path / name, "--network", folder / "edges.tsv") == 0
    a, b = ((tmp_path / name / "model.safetensors").read_bytes() for name in "ab")
    assert a == b


def test_real_cells_with_string(shared_data, tmp_path, capsys):
    cells = read_cells(shared_data / "cells" / "panc8_small.h5ad")
    cells[::2].copy().write_h5ad(tmp_path / "train.h5ad")
    cells[1::2].copy().write_h5ad(tmp_path / "test.h5ad")
    network = shared_data / "mirror/string/download/protein.links.v12.0/9606.protein.links.v12.0.txt.gz"
    model, label = tmp_path / "m", ["-l", "cell_type"]
    options = ["--network", network, "--seed", "0", "--max-epochs", "6"]
    assert run("train", tmp_path / "train.h5ad", *label, "-o", model, *options) == 0
    assert "STRING 12.0, Homo sapiens" in capsys.readouterr().out
    assert run("evaluate", tmp_path / "test.h5ad", "-m", model, *label, "-o", tmp_path / "e") == 0
    assert json.loads((tmp_path / "e" / "metrics.json").read_text())["accuracy"] > 0.85


# ---- mistakes ----


def test_mistakes_are_refused_before_cells_are_read(folder, tmp_path, error_of, monkeypatch):
    """None of these may come after minutes of training; most not even after reading."""
    cells, out = folder / "train.h5ad", tmp_path / "m"
    good = ["train", cells, "--label", "cell_type", "--out", out]
    monkeypatch.setattr("gene_gcn.cells.read_cells", lambda *args, **options: pytest.fail("was read"))
    for arguments, message in [
        (["train", "absent.h5ad", "-l", "x", "-o", out], "'absent.h5ad' does not exist"),
        (["train", folder, "-l", "x", "-o", out], "is a folder"),
        (
            ["train", folder / "foreign" / "config.json", "-l", "x", "-o", out],
            "known endings are .h5ad, .h5, .loom, .csv",
        ),
        (["train", cells, "-l", "x", "-o", folder / "model"], "already holds a model; pass --force"),
        (["train", cells, "-l", "x", "-o", folder / "foreign", "--force"], "gene_gcn model"),
        (["train", cells, "-l", "x", "-o", folder / "notes.txt"], "is a file"),
        (["train", cells, "-l", "x", "-o", folder / "notes.txt" / "m"], "is a file"),
        ([*good, "--network", "absent.tsv"], "--network 'absent.tsv' is neither"),
        ([*good, "--network", "none", "--network-info", "absent"], "--network-info 'absent' is not a file"),
        ([*good, "--device", "toaster"], "--device 'toaster'"),
        ([*good, "--device", "cuda:99"], "--device 'cuda:99'"),
        ([*good, "--normalization", "best"], "'best'"),
        ([*good, "--max-epochs", "0"], "--max-epochs 0 must be"),
        ([*good, "--attention", "gauss"], "'gauss' is not one of 'none', 'embedded_dot'"),
        ([*good, "--attention", "dot", "--heads", "2"], "--heads 2 does not divide --channels 1"),
        ([*good, "--channels", "0"], "--channels 0 must be"),
        ([*good, "--num-layers", "-1"], "--num-layers -1 must be"),
        ([*good, "--hidden-channels", "128,x"], "'--hidden-channels': '128,x' must be positive integers"),
        ([*good, "--learn-mixing"], "--learn-mixing needs both graphs"),
        ([*good, "--optimizer", "sgdd"], "'sgdd' is not one of 'auto', 'lbfgs'"),
        (
            [*good, "--optimizer", "lbfgs", "--attention", "dot", "--hidden-channels", "8"],
            "--optimizer 'lbfgs' fits a linear head and cannot train --attention 'dot', --hidden-channels 8",
        ),
        ([*good, "--learning-rate", "-1"], "--learning-rate -1.0 must be positive"),
        ([*good, "--n-jobs", "0"], "--n-jobs 0 must be"),
        (
            [*good, "--scale", "log"],
            "--scale 'log' is not supported; choose one of 'counts', 'cp10k', 'log1p'",
        ),
        ([*good, "--unknown"], "--unknown"),
        (["train", cells, "--out", out], "--label"),
        (["trian"], "trian"),
    ]:
        assert message in error_of(*arguments), arguments
    assert not out.exists()


def test_mistakes_in_files_are_refused_before_training(folder, tmp_path, error_of, monkeypatch):
    (tmp_path / "damaged.h5ad").write_bytes((folder / "train.h5ad").read_bytes()[:5000])
    make_cells(0).T.write_h5ad(tmp_path / "rows.h5ad")
    rows = make_cells(0).T
    rows.obs = pd.DataFrame({"cell_type": ["a", "b"] * 15}, index=[f"ENSG{i:011}" for i in range(30)])
    rows.write_h5ad(tmp_path / "ids.h5ad")
    (tmp_path / "page.tsv").write_text("<!doctype html>")
    (tmp_path / "others.tsv").write_text("A\tB\nB\tC\n")
    monkeypatch.setattr(
        "gene_gcn.training.gradient.train", lambda *args, **options: pytest.fail("was trained")
    )
    edges = folder / "edges.tsv"
    good = ["train", folder / "train.h5ad", "--label", "cell_type", "--out", tmp_path / "m"]
    for arguments, message in [
        (["train", tmp_path / "damaged.h5ad", *good[2:]], "is damaged or not an h5ad file"),
        ([*good[:3], "celltype", *good[4:]], "--label 'celltype' is not a column"),
        ([*good[:3], "celltype", *good[4:]], "Did you mean 'cell_type'"),
        ([*good[:3], "one", *good[4:]], "'same'"),
        (
            ["train", tmp_path / "rows.h5ad", *good[2:]],
            "--label 'cell_type' is a column of .var, not of .obs",
        ),
        (["train", tmp_path / "ids.h5ad", *good[2:]], "has genes as rows (ENSG00000000000, ENSG"),
        ([*good, "--network", tmp_path / "page.tsv"], "web page"),
        ([*good, "--network", tmp_path / "others.tsv"], "share 0 genes"),
        ([*good, "--network", edges, "--organism", "human"], "--organism 'human'"),
        ([*good, "--network", edges, "--network-info", edges], "--network-info"),
        ([*good, "--network", folder / "notes.txt"], "one column"),
        ([*good, "--layer", "counts"], "--layer 'counts' is not in this AnnData"),
        ([*good, "--use-raw"], "--use-raw, but this AnnData has no .raw"),
        ([*good, "--gene-column", "symbol"], "--gene-column 'symbol' is not a column of .var"),
    ]:
        assert message in error_of(*arguments), arguments
    assert not (tmp_path / "m").exists()


def test_diverging_training_suggests_a_smaller_learning_rate(folder, tmp_path, error_of):
    options = ["--hidden-channels", "8", "--learning-rate", "1e30"]
    message = error_of("train", folder / "train.h5ad", "-l", "cell_type", "-o", tmp_path / "m", *options)
    assert "--learning-rate" in message and "1e+30" in message


def test_existing_model_is_replaced_only_with_force(folder, tmp_path):
    assert train(folder, tmp_path / "m") == 0
    before = (tmp_path / "m" / "config.json").read_bytes()
    assert train(folder, tmp_path / "m") == 2
    assert (tmp_path / "m" / "config.json").read_bytes() == before
    assert train(folder, tmp_path / "m", "--force", "--network", "coexpression") == 0
    assert (tmp_path / "m" / "config.json").read_bytes() != before


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_during_training_leaves_nothing_behind(folder, tmp_path):
    code = """if True:
        import itertools, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as from a terminal, however tests run
        from gene_gcn.training.data import CellDataset
        from gene_gcn.cli import main
        batches, read = itertools.count(), CellDataset.__getitems__
        def counted(*args):
            if next(batches) == 50:
                print("training", file=sys.stderr, flush=True)
            return read(*args)
        CellDataset.__getitems__ = counted
        sys.exit(main())
    """
    arguments = ["train", str(folder / "train.h5ad"), "-l", "cell_type", "-o", "m"]
    arguments += ["--max-epochs", "2000", "--paper"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr.readline() == "training\n"
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and stderr.strip().splitlines()[-1] == "gene-gcn: interrupted"
    assert "Traceback" not in stderr and os.listdir(tmp_path) == []


def train_in_two_processes(folder, *arguments):
    options = ("--label", "cell_type", "--out", "model", "--processes", "2")
    return subprocess.run(
        [sys.executable, "-m", "gene_gcn", "train", *arguments, *options],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_two_processes_train_what_one_trains(tmp_path):
    """On more cells than the sample, of which each process reads its own blocks."""
    typed_cells(25_000).write_h5ad(tmp_path / "cells.h5ad")
    done = train_in_two_processes(tmp_path, "cells.h5ad", "--seed", "0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Written   model") == 1 and "lightning" not in done.stderr
    together = GeneGCNClassifier.load(tmp_path / "model")
    alone = GeneGCNClassifier(random_state=0).fit(open_cells(tmp_path / "cells.h5ad"), "cell_type")
    for name, tensor in alone.fitted_.tensors().items():
        torch.testing.assert_close(together.fitted_.tensors()[name], tensor, atol=1e-5, rtol=1e-5)
    for name, tensor in alone.fitted_.reference.tensors().items():
        torch.testing.assert_close(together.fitted_.reference.tensors()[name], tensor, atol=1e-5, rtol=1e-5)


def test_two_processes_tell_of_a_truncated_file_once(tmp_path):
    for name in "abc":
        typed_cells(200, seed=ord(name)).write_h5ad(tmp_path / f"{name}.h5ad")
    whole = (tmp_path / "b.h5ad").read_bytes()
    (tmp_path / "b.h5ad").write_bytes(whole[: len(whole) // 2])
    done = train_in_two_processes(tmp_path, "a.h5ad", "b.h5ad", "c.h5ad")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("gene-gcn: error: 'b.h5ad' is damaged or not an AnnData")


def test_types_of_few_cells_are_named(tmp_path, capsys):
    cells = make_cells(0)
    cells.obs["cell_type"] = ["rare", "rare", *cells.obs["cell_type"].astype(str)[2:]]
    cells.write_h5ad(tmp_path / "train.h5ad")
    assert train(tmp_path, "model") == 0
    assert "Few cells rare (2): too few to be found reliably" in capsys.readouterr().out
