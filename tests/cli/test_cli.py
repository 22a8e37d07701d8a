"""The command line: from a file of cells to named cells, and one line for every mistake of a user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn.cells.files import read_cells
from gene_gcn.cli import main as cli
from gene_gcn.cli.main import main

TYPES = ["B", "T", "NK"]
GENES = [f"GENE{i}" for i in range(30)]


def make_cells(seed: int, n: int = 90) -> anndata.AnnData:
    """Counts of three types, each with ten genes of its own; two cells without a label."""
    rng = np.random.default_rng(seed)
    types = rng.permutation(np.arange(n) % 3)
    rate = np.where(np.arange(30) // 10 == types[:, None], 8.0, 1.0)
    obs = pd.DataFrame(
        {"cell_type": np.array(TYPES, object)[types], "one": "same"}, index=[f"c{i}" for i in range(n)]
    )
    obs.iloc[:2, 0] = None
    return anndata.AnnData(
        sparse.csr_matrix(rng.poisson(rate).astype(np.float32)),
        obs=obs,
        var=pd.DataFrame({"other": [f"ID{i}" for i in range(30)]}, index=GENES),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Files that no test changes: cells, a network, and a model trained on them."""
    folder = tmp_path_factory.mktemp("cli")
    make_cells(0).write_h5ad(folder / "train.h5ad")
    make_cells(1).write_h5ad(folder / "query.h5ad")
    make_cells(1).to_df().to_csv(folder / "query.csv")
    edges = [f"{GENES[i]}\t{GENES[i + 1]}\t{i + 1}" for i in range(20)]
    (folder / "edges.tsv").write_text("\n".join(edges))
    (folder / "foreign").mkdir()
    (folder / "foreign" / "config.json").write_text('{"model_type": "bert"}')
    (folder / "notes.txt").write_text("precious")
    assert train(folder, "model", "--network", str(folder / "edges.tsv")) == 0
    return folder


def train(folder: Path, out: str, *options: str) -> int:
    return main(
        [
            "train",
            str(folder / "train.h5ad"),
            "--label",
            "cell_type",
            "--out",
            str(folder / out),
            "--seed",
            "0",
            "--max-epochs",
            "4",
            *options,
        ]
    )


def error_of(capsys, *arguments: str | Path) -> str:
    """The one line that a mistake is answered with."""
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
    assert len(lines) == 1 and lines[0].startswith("gene-gcn: error: "), lines
    return lines[0]


# ---- what it does ----


def test_train_says_what_it_used(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "m", "--network", str(folder / "edges.tsv")) == 0
    out = capsys.readouterr().out
    assert "90 cells × 30 genes" in out and "2 cells without a label" in out
    assert "21 of 30 are in the network, 21 of them connected by 20 edges" in out
    assert (
        "Fitted    in" in out and "as cross-validation tells" in out and f"Written   {tmp_path / 'm'}" in out
    )
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("name", ["p.csv", "p.tsv.gz", "p.h5ad"])
@pytest.mark.parametrize("query", ["query.h5ad", "query.csv"])
def test_predict_names_the_cells(folder, tmp_path, capsys, query, name):
    out = tmp_path / name
    assert main(["predict", str(folder / query), "--model", str(folder / "model"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert all(kind in printed for kind in TYPES) and f"Written   {out}" in printed
    if name.endswith("h5ad"):
        table = anndata.read_h5ad(out).obs.rename(columns={"gene_gcn": "label"})
    else:
        table = pd.read_csv(out, sep="\t" if ".tsv" in name else ",", index_col="cell")
        assert table.columns.tolist() == ["label", "confidence"] and table["confidence"].between(0.3, 1).all()
    cells = make_cells(1)
    assert table.index.tolist() == cells.obs_names.tolist()
    assert (table["label"].astype(str) == cells.obs["cell_type"])[2:].mean() > 0.9


def test_predict_writes_next_to_nothing_else(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["predict", str(folder / "query.h5ad"), "-m", str(folder / "model")]) == 0
    assert os.listdir(tmp_path) == ["predictions.csv"]


def test_evaluate_prints_and_writes_the_figures(folder, tmp_path, capsys):
    arguments = ["evaluate", str(folder / "query.h5ad"), "-m", str(folder / "model"), "-l", "cell_type"]
    assert main([*arguments, "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "new" / "metrics.json").read_text())
    for name in ("accuracy", "macro_f1", "weighted_f1", "balanced_accuracy"):
        assert f"{figures[name]:.3f}" in printed and figures[name] > 0.9
    assert figures["cells"] == 88 and figures["unknown_types"] == [] and set(figures["recall"]) == set(TYPES)
    assert sorted(os.listdir(tmp_path / "new")) == ["confusion_matrix.png", "metrics.json", "predictions.csv"]
    assert (tmp_path / "new" / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_types_that_the_model_does_not_know_are_told(folder, tmp_path, capsys):
    cells = make_cells(2)
    cells.obs["cell_type"] = cells.obs["cell_type"].replace({"NK": "platelet"})
    cells.write_h5ad(tmp_path / "a.h5ad")
    assert main(["evaluate", str(tmp_path / "a.h5ad"), "-m", str(folder / "model"), "-l", "cell_type"]) == 0
    assert "types that the model does not know (platelet)" in capsys.readouterr().out


def test_labels_in_a_table_of_text_or_numbers(tmp_path, capsys):
    table = make_cells(0).to_df()
    table["cell_type"] = make_cells(0).obs["cell_type"]
    table["cluster"] = pd.Categorical(table["cell_type"], categories=TYPES).codes.astype(int)
    table = table[table["cluster"] >= 0]
    table.to_csv(tmp_path / "a.csv")
    for label in ("cell_type", "cluster"):
        model = tmp_path / label
        shared = [str(tmp_path / "a.csv"), "--label", label]
        assert main(["train", *shared, "--out", str(model), "--max-epochs", "10", "--seed", "0"]) == 0
        assert main(["evaluate", *shared, "--model", str(model)]) == 0
        printed = capsys.readouterr().out
        assert "accuracy            0.9" in printed or "accuracy            1.000" in printed


def test_options_of_training_reach_the_model(folder, tmp_path):
    cells = make_cells(0)
    cells.layers["counts"], cells.X = cells.X, -cells.X
    cells.write_h5ad(tmp_path / "a.h5ad")
    model = tmp_path / "m"
    assert (
        main(
            [
                "train",
                str(tmp_path / "a.h5ad"),
                "-l",
                "cell_type",
                "-o",
                str(model),
                "--layer",
                "counts",
                "--gene-column",
                "other",
                "--normalization",
                "log1p",
                "--max-epochs",
                "1",
                "--seed",
                "3",
                "--network",
                "coexpression",
                "--paper",
            ]
        )
        == 0
    )
    from gene_gcn import GeneGCNClassifier

    clf = GeneGCNClassifier.load(model)
    assert (
        clf.get_params().items()
        >= {
            "layer": "counts",
            "gene_column": "other",
            "normalization": "log1p",
            "max_epochs": 1,
            "random_state": 3,
            "network": "coexpression",
            "optimizer": "adam",
            "batch_size": 1,
        }.items()
    )
    out = str(tmp_path / "p.csv")
    # As in training; then cells that are laid out in another way.
    assert main(["predict", str(tmp_path / "a.h5ad"), "-m", str(model), "-o", out]) == 0
    names = make_cells(0)
    names.var_names = names.var.pop("other")
    names.raw = names
    names.X = -names.X
    names.write_h5ad(tmp_path / "b.h5ad")
    assert (
        main(
            [
                "predict",
                str(tmp_path / "b.h5ad"),
                "-m",
                str(model),
                "-o",
                out,
                "--force",
                "--use-raw",
                "--gene-column",
                "",
            ]
        )
        == 0
    )


def parameters_of(model: Path) -> dict:
    from gene_gcn import GeneGCNClassifier

    return GeneGCNClassifier.load(model).get_params()


def test_parts_of_the_model_and_how_it_is_trained_are_options(folder, tmp_path, capsys):
    from gene_gcn import GeneGCNClassifier

    assert train(folder, tmp_path / "default") == 0
    assert (
        parameters_of(tmp_path / "default")
        == GeneGCNClassifier(random_state=0, max_epochs=4, verbose=True).get_params()
    )
    assert (
        train(
            folder,
            tmp_path / "m",
            "--network",
            "coexpression",
            "--attention",
            "dot",
            "--heads",
            "2",
            "--learn-mixing",
            "--channels",
            "4",
            "--num-layers",
            "2",
            "--hidden-channels",
            "16, 8",
            "--optimizer",
            "adam",
            "--learning-rate",
            "0.01",
        )
        == 0
    )
    assert "Trained   4 epochs" in capsys.readouterr().out
    assert (
        parameters_of(tmp_path / "m")
        == GeneGCNClassifier(
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
        ).get_params()
    )
    assert (
        main(
            ["predict", str(folder / "query.h5ad"), "-m", str(tmp_path / "m"), "-o", str(tmp_path / "p.csv")]
        )
        == 0
    )


def test_every_attention_and_optimizer_is_a_choice():
    from gene_gcn import GeneGCNClassifier
    from gene_gcn.nn.attention import ATTENTIONS

    assert set(cli.Attention) == {"none", *ATTENTIONS}
    for optimizer in cli.Optimizer:
        GeneGCNClassifier(optimizer=str(optimizer)).check_parameters()


def test_paper_has_the_settings_of_the_paper_but_for_those_that_are_given(folder, tmp_path):
    from gene_gcn import GeneGCNClassifier

    assert train(folder, tmp_path / "m", "--paper") == 0
    shared = {"random_state": 0, "max_epochs": 4, "verbose": True}
    assert parameters_of(tmp_path / "m") == GeneGCNClassifier.paper(**shared).get_params()
    assert train(folder, tmp_path / "n", "--paper", "--attention", "none", "--hidden-channels", "") == 0
    assert (
        parameters_of(tmp_path / "n")
        == GeneGCNClassifier.paper(attention=None, hidden_channels=(), **shared).get_params()
    )


def test_the_same_seed_gives_the_same_model(folder, tmp_path):
    for name in "ab":
        assert train(folder, tmp_path / name, "--network", str(folder / "edges.tsv")) == 0
    a, b = ((tmp_path / name / "model.safetensors").read_bytes() for name in "ab")
    assert a == b


def test_real_cells_with_string(shared_data, tmp_path, capsys):
    cells = read_cells(shared_data / "cells" / "panc8_small.h5ad")
    cells[::2].copy().write_h5ad(tmp_path / "train.h5ad")
    cells[1::2].copy().write_h5ad(tmp_path / "test.h5ad")
    network = shared_data / "mirror/string/download/protein.links.v12.0/9606.protein.links.v12.0.txt.gz"
    assert (
        main(
            [
                "train",
                str(tmp_path / "train.h5ad"),
                "-l",
                "cell_type",
                "-o",
                str(tmp_path / "m"),
                "--network",
                str(network),
                "--seed",
                "0",
                "--max-epochs",
                "6",
            ]
        )
        == 0
    )
    assert "STRING 12.0, Homo sapiens" in capsys.readouterr().out
    assert (
        main(
            [
                "evaluate",
                str(tmp_path / "test.h5ad"),
                "-m",
                str(tmp_path / "m"),
                "-l",
                "cell_type",
                "-o",
                str(tmp_path / "e"),
            ]
        )
        == 0
    )
    assert json.loads((tmp_path / "e" / "metrics.json").read_text())["accuracy"] > 0.85


# ---- mistakes ----


def test_training_refuses_before_it_reads(folder, tmp_path, capsys, monkeypatch):
    """None of these may come after minutes of training; most not even after reading."""
    cells, out = folder / "train.h5ad", tmp_path / "m"
    good = ["train", cells, "--label", "cell_type", "--out", out]
    monkeypatch.setattr("gene_gcn.cells.files.read_cells", lambda *args, **options: pytest.fail("was read"))
    for arguments, message in [
        (["train", "absent.h5ad", "-l", "x", "-o", out], "'absent.h5ad' does not exist"),
        (["train", folder, "-l", "x", "-o", out], "is a folder"),
        (["train", folder / "notes.txt", "-l", "x", "-o", out], "known are .h5ad, .h5, .loom, .csv"),
        (["train", cells, "-l", "x", "-o", folder / "model"], "--force"),
        (["train", cells, "-l", "x", "-o", folder / "foreign", "--force"], "no model of gene_gcn"),
        (["train", cells, "-l", "x", "-o", folder / "notes.txt"], "is a file"),
        (["train", cells, "-l", "x", "-o", folder / "notes.txt" / "m"], "is a file"),
        ([*good, "--network", "absent.tsv"], "'absent.tsv' is neither"),
        ([*good, "--network", "none", "--network-info", "absent"], "--network-info"),
        ([*good, "--device", "toaster"], "try 'auto' or 'cpu'"),
        ([*good, "--device", "cuda:99"], "cannot be used here"),
        ([*good, "--normalization", "best"], "'best'"),
        ([*good, "--max-epochs", "0"], "--max-epochs 0 must be a whole number, 1 or more"),
        ([*good, "--attention", "gauss"], "'gauss' is not one of 'none', 'embedded_dot'"),
        ([*good, "--attention", "dot", "--heads", "2"], "--heads 2 does not divide --channels 1"),
        ([*good, "--channels", "0"], "--channels 0 must be a whole number, 1 or more"),
        ([*good, "--num-layers", "-1"], "--num-layers -1 must be a whole number, 0 or more"),
        ([*good, "--hidden-channels", "128,x"], "'--hidden-channels': '128,x' must be whole numbers from 1"),
        ([*good, "--learn-mixing"], "--learn-mixing needs both graphs: an attention and a network"),
        ([*good, "--optimizer", "sgdd"], "'sgdd' is not one of 'auto', 'lbfgs'"),
        (
            [*good, "--optimizer", "lbfgs", "--attention", "dot", "--hidden-channels", "8"],
            "--optimizer 'lbfgs' fits a linear head and cannot train --attention 'dot', --hidden-channels (8,); pass "
            "'sgd' or 'adam'",
        ),
        ([*good, "--learning-rate", "-1"], "--learning-rate -1.0 must be positive"),
        ([*good, "--unknown"], "--unknown"),
        (["train", cells, "--out", out], "--label"),
        (["trian"], "trian"),
    ]:
        assert message in error_of(capsys, *arguments), arguments
    assert not out.exists()


def test_training_refuses_what_is_wrong_in_the_files(folder, tmp_path, capsys, monkeypatch):
    (tmp_path / "damaged.h5ad").write_bytes((folder / "train.h5ad").read_bytes()[:5000])
    (tmp_path / "page.tsv").write_text("<!doctype html>")
    (tmp_path / "others.tsv").write_text("A\tB\nB\tC\n")
    monkeypatch.setattr(
        "gene_gcn.training.gradient.train", lambda *args, **options: pytest.fail("was trained")
    )
    edges = folder / "edges.tsv"
    good = ["train", folder / "train.h5ad", "--label", "cell_type", "--out", tmp_path / "m"]
    for arguments, message in [
        (["train", tmp_path / "damaged.h5ad", *good[2:]], "is damaged or not an h5ad file"),
        ([*good[:3], "celltype", *good[4:]], "Did you mean 'cell_type'"),
        ([*good[:3], "one", *good[4:]], "'same'"),
        ([*good, "--network", tmp_path / "page.tsv"], "web page"),
        ([*good, "--network", tmp_path / "others.tsv"], "share 0 genes"),
        ([*good, "--network", edges, "--organism", "human"], "--organism"),
        ([*good, "--network", edges, "--network-info", edges], "--network-info"),
        ([*good, "--network", folder / "notes.txt"], "one column"),
        ([*good, "--layer", "counts"], "--layer 'counts' is not in this AnnData"),
        ([*good, "--use-raw"], "no .raw"),
        ([*good, "--gene-column", "symbol"], "--gene-column 'symbol' is not in var"),
    ]:
        assert message in error_of(capsys, *arguments), arguments
    assert not (tmp_path / "m").exists()


def test_a_learning_rate_that_is_too_large_is_told_as_an_option(folder, tmp_path, capsys):
    message = error_of(
        capsys,
        "train",
        folder / "train.h5ad",
        "-l",
        "cell_type",
        "-o",
        tmp_path / "m",
        "--hidden-channels",
        "8",
        "--learning-rate",
        "1e30",
    )
    assert "a smaller --learning-rate than 1e+30 may help" in message


def test_predict_and_evaluate_refuse(folder, tmp_path, capsys):
    query, model, out = folder / "query.h5ad", folder / "model", tmp_path / "p.csv"
    other = make_cells(1)
    other.var_names = [f"ENSG{i:011}" for i in range(30)]
    other.write_h5ad(tmp_path / "other.h5ad")
    taken = tmp_path / "taken.csv"
    taken.write_text("precious")
    for arguments, message in [
        (["predict", query, "-m", tmp_path / "absent", "-o", out], "no model folder"),
        (["predict", query, "-m", folder / "foreign", "-o", out], "no model of gene_gcn"),
        (["predict", query, "-m", query, "-o", out], "is a file"),
        (["predict", query, "-m", model, "-o", taken], "--force"),
        (["predict", query, "-m", model, "-o", tmp_path], "endings .h5ad"),
        (["predict", query, "-m", model, "-o", query, "--force"], "the file of cells itself"),
        (["predict", query, "-m", model, "-o", tmp_path / "p.xlsx"], "p.xlsx"),
        (["predict", tmp_path / "other.h5ad", "-m", model, "-o", out], "genes in common"),
        (["evaluate", query, "-m", model, "-l", "type"], "--label 'type' is not a column"),
        (["evaluate", query, "-m", model, "-l", "cell_type", "-o", taken], "is a file"),
    ]:
        assert message in error_of(capsys, *arguments), arguments
    assert taken.read_text() == "precious" and not out.exists()


def test_an_existing_model_is_replaced_by_force_only(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "m") == 0
    before = (tmp_path / "m" / "config.json").read_bytes()
    assert train(folder, tmp_path / "m") == 2
    assert (tmp_path / "m" / "config.json").read_bytes() == before
    assert train(folder, tmp_path / "m", "--force", "--network", "coexpression") == 0
    assert (tmp_path / "m" / "config.json").read_bytes() != before


def test_bugs_keep_their_traceback_and_full_disks_do_not(folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "p.csv"

    def fail_with(error):
        def fail(*args, **options):
            raise error

        monkeypatch.setattr("gene_gcn.cells.files.write_predictions", fail)
        return ["predict", str(folder / "query.h5ad"), "-m", str(folder / "model"), "-o", str(out)]

    with pytest.raises(KeyError):
        main(fail_with(KeyError("a bug")))
    assert "No space left" in error_of(capsys, *fail_with(OSError(28, "No space left on device", "p.csv")))
    assert main(fail_with(KeyboardInterrupt())) == 130


def test_a_value_error_from_within_a_library_is_a_bug():
    try:
        np.zeros(2).reshape(3)
    except ValueError as error:
        from_here = error
    assert cli._message_for_user(from_here) is None
    with pytest.raises(ValueError) as caught:
        cli._check_inputs(Path(__file__))
    assert "no known ending" in cli._message_for_user(caught.value)


def test_warnings_are_one_line_each(folder, tmp_path, capsys):
    cells = make_cells(1)[:, :25].copy()
    cells.write_h5ad(tmp_path / "a.h5ad")
    assert (
        main(
            ["predict", str(tmp_path / "a.h5ad"), "-m", str(folder / "model"), "-o", str(tmp_path / "p.csv")]
        )
        == 0
    )
    assert capsys.readouterr().err.splitlines() == [
        "gene-gcn: warning: 5 of the model's 30 genes (16.7%) are missing from X."
    ]


# ---- the program itself ----

PROGRAM = [sys.executable, "-c", "import sys; from gene_gcn.cli.main import main; sys.exit(main())"]


def run(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=120, **options)


def test_help_is_fast_and_names_the_commands():
    start = time.perf_counter()
    result = run("--help")
    assert result.returncode == 0 and time.perf_counter() - start < 3  # 0.2 s on an idle core
    assert all(command in result.stdout for command in ("demo", "train", "predict", "evaluate"))
    code = (
        "import sys; import gene_gcn.cli.main; heavy = ('torch', 'pandas', 'numpy', 'scanpy', 'sklearn'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_version_and_no_arguments(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"gene-gcn {cli.__version__}"
    assert main([]) == 0
    assert "Usage" in capsys.readouterr().out
    for command in ("demo", "train", "predict", "evaluate"):
        assert main([command, "--help"]) == 0


def test_a_mistake_in_a_process_of_its_own(tmp_path):
    result = run("train", "absent.h5ad", "--label", "x", "--out", "m", cwd=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr == "gene-gcn: error: The cell file 'absent.h5ad' does not exist.\n"


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_in_training_leaves_nothing(folder, tmp_path):
    code = """if True:
        import itertools, sys
        from gene_gcn.training import gradient as training
        from gene_gcn.cli.main import main
        batches, read = itertools.count(), training.CellDataset.__getitems__
        def counted(*args):
            if next(batches) == 50:
                print("training", file=sys.stderr, flush=True)
            return read(*args)
        training.CellDataset.__getitems__ = counted
        sys.exit(main())
    """
    arguments = [
        "train",
        str(folder / "train.h5ad"),
        "-l",
        "cell_type",
        "-o",
        "m",
        "--max-epochs",
        "2000",
        "--paper",
    ]
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


def test_demo(tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    captured = capsys.readouterr()
    printed = captured.out
    assert captured.err.strip() == ""  # no warnings
    for text in (
        "700 blood cells of 10 types",
        "560 to train on, 140 held out",
        "co-expression",
        "STRING",
        "accuracy",
        "macro-F1",
        "recall of Dendritic",
        "no graph",
        "±",
    ):
        assert text in printed
    assert sorted(os.listdir(out)) == ["confusion_matrix.png", "model", "predictions.csv", "predictions.h5ad"]
    table = pd.read_csv(out / "predictions.csv", index_col="cell")
    cells = anndata.read_h5ad(out / "predictions.h5ad")
    assert len(table) == cells.n_obs == 140
    assert (cells.obs["gene_gcn"].astype(str) == cells.obs["bulk_labels"].astype(str)).mean() > 0.75
    assert table["label"].tolist() == cells.obs["gene_gcn"].tolist()
    from gene_gcn import GeneGCNClassifier

    assert GeneGCNClassifier.load(out / "model").predict(cells).tolist() == table["label"].tolist()


def test_the_uncertainty_of_an_accuracy():
    from gene_gcn.cli.demo import uncertainty

    assert uncertainty(0.85, 140) == pytest.approx(1.96 * (0.85 * 0.15 / 140) ** 0.5, rel=0.05)
    assert uncertainty(1.0, 140) > 0.005 and uncertainty(0.5, 14_000) < 0.01
