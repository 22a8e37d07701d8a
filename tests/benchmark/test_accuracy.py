"""The accuracy benchmark: finished runs are stored, and baselines may fail."""

from __future__ import annotations

import json
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn import GeneGCNClassifier, GeneNetwork
from gene_gcn.benchmark import accuracy, accuracy_tables
from gene_gcn.benchmark.baselines import Normalized
from gene_gcn.benchmark.methods import Method, choose_methods
from gene_gcn.benchmark.splits import make_splits
from gene_gcn.cli import main
from gene_gcn.errors import GeneGCNWarning

N = 60


def make_cells(seed=0, prefix="G"):
    """Counts of three types; three cells of a fourth; the first half of the genes have edges."""
    rng = np.random.default_rng(seed)
    y = np.arange(93) % 3
    X = rng.poisson(np.where(np.arange(N) // 20 == y[:, None], 3.0, 0.3)).astype(np.float32)
    types = [f"t{k}" for k in y[:90]] + ["rare"] * 3
    obs = pd.DataFrame(
        {"cell_type": types, "donor": [f"d{i // 3 % 2}" for i in range(93)]},
        index=[f"c{i}" for i in range(93)],
    )
    var = pd.DataFrame(index=[f"{prefix}{i}" for i in range(N)])
    return anndata.AnnData(sparse.csr_matrix(X), obs=obs, var=var)


def make_network(prefix="G", seed=0):
    rng = np.random.default_rng(seed)
    return GeneNetwork(
        [f"{prefix}{i}" for i in range(N)], rng.integers(0, 30, (2, 90)), rng.uniform(0.1, 1, 90)
    )


@pytest.fixture(scope="module")
def cell_set():
    return accuracy.CellSet.prepare("blood", make_cells(), "cell_type", [make_network()])


def run(cells, folder, only=("no graph", "SVM"), kinds=("few-label",), seeds=2, **options):
    made, _ = make_splits(cells.cells, "cell_type", kinds, seeds=seeds)
    stored = []
    results = accuracy.run(
        cells,
        made,
        choose_methods(cells.network, methods=only, **options),
        folder,
        on_result=lambda row, was_stored: stored.append(was_stored),
    )
    return results, stored


# ---- sets and their networks ----


def test_rare_types_are_excluded(cell_set):
    assert cell_set.cells.n_obs == 90 and set(cell_set.cells.obs["cell_type"]) == {"t0", "t1", "t2"}
    with pytest.raises(ValueError, match="fewer than two types of at least five cells in small"):
        accuracy.CellSet.prepare("small", make_cells()[:12], "cell_type")


def test_network_that_connects_most_genes_is_chosen():
    human, mouse = make_network("G"), make_network("g")
    genes = [f"g{i}" for i in range(40)] + ["G0", "G1"]
    assert accuracy.choose_network([human, mouse], genes) == mouse.align(genes)
    with pytest.raises(ValueError, match=r"network=.* connects 0 of the 42 genes"):
        accuracy.choose_network([make_network("X")], genes)


# ---- running ----


def test_finished_runs_are_stored(cell_set, tmp_path, monkeypatch):
    first, stored = run(cell_set, tmp_path)
    assert stored == [False] * 4 and (first["macro_f1"] > 0.8).all() and (first["error"] == "").all()
    assert first["rare_recall"].tolist() == first["balanced_accuracy"].tolist()  # ten of each type
    has_probabilities = first["method"] == "no graph"
    assert (first["calibration_error"].notna() == has_probabilities).all()
    with monkeypatch.context() as patched:
        for kind in (GeneGCNClassifier, Normalized):
            patched.setattr(kind, "fit", lambda *_, **__: pytest.fail("fitted again"))
        again, stored = run(cell_set, tmp_path)
    assert stored == [True] * 4
    pd.testing.assert_frame_equal(first, again)
    assert run(cell_set, tmp_path, seeds=3)[1] == [True] * 4 + [False] * 2
    other = accuracy.CellSet.prepare("blood", make_cells(1), "cell_type", [make_network()])
    assert run(other, tmp_path, only=["SVM"])[1] == [False] * 2
    assert not list(tmp_path.glob(".*"))  # nothing half written


def test_only_rows_that_use_the_network_are_run_again_with_another(cell_set, tmp_path):
    only = ("no graph", "default", "permuted")
    assert run(cell_set, tmp_path, only, seeds=1)[1] == [False] * 3
    other = accuracy.CellSet.prepare("blood", make_cells(), "cell_type", [make_network(seed=1)])
    assert run(other, tmp_path, only, seeds=1)[1] == [False, True, False]


def test_fit_sees_neither_test_cells_nor_their_labels(cell_set, tmp_path, monkeypatch):
    fit, seen = GeneGCNClassifier.fit, []

    def spy(self, X, y, unlabelled=None):
        seen.append((set(X.obs_names), unlabelled))
        assert list(y) == cell_set.cells.obs.loc[X.obs_names, "cell_type"].tolist()
        return fit(self, X, y)

    monkeypatch.setattr(GeneGCNClassifier, "fit", spy)
    made, _ = make_splits(cell_set.cells, "cell_type", ["few-label", "downsampled"], seeds=1)
    chosen = choose_methods(cell_set.network, unlabeled=True, methods=["no graph", "query"])
    results = accuracy.run(cell_set, made[:2], chosen, tmp_path)
    # The unlabeled query is for folds and few-label splits only.
    assert results["splits"].tolist() == ["10 per type"] * 2 + ["30 % depth, 10 per type"]
    names = set(cell_set.cells.obs_names)
    assert [others is None for _, others in seen] == [True, False, True]
    assert set(seen[1][1].obs_names) == names - seen[1][0] and len(seen[1][0]) == 30


def test_missing_genes_do_not_warn_as_splits_remove_them(cell_set, tmp_path):
    with warnings.catch_warnings(action="error", category=GeneGCNWarning):
        results, _ = run(cell_set, tmp_path, kinds=["missing-gene"], seeds=1)
    assert len(results) == 2 * 2 and (results["error"] == "").all()


def test_failed_baselines_are_reported_and_tried_again(cell_set, tmp_path):
    class Fails:
        settings = ("fails",)

        def run(self, train, labels, test):
            raise RuntimeError("a class is too small")

    def attempt(role):
        made, _ = make_splits(cell_set.cells, "cell_type", ["few-label"], seeds=1)
        rows = [*choose_methods(None, methods=["no graph"]), Method("fails", role, lambda train: Fails())]
        return accuracy.run(cell_set, made, rows, tmp_path)

    results = attempt("baseline")
    failed = results.iloc[1]
    assert failed["error"] == "a class is too small" and np.isnan(failed["macro_f1"])
    assert len(json.loads((tmp_path / "runs.json").read_text())) == 1
    text = "\n".join(accuracy_tables.markdown(results))
    assert "| fails | failed | – | – | – | – | – | – | – | – |" in text and "best baseline" not in text
    with pytest.raises(RuntimeError, match="too small"):
        attempt("control")


# ---- the command ----


@pytest.fixture
def files(tmp_path):
    make_cells().write_h5ad(tmp_path / "human.h5ad")
    mouse = make_cells(1, "g")
    mouse.X = mouse.X * 0.5
    del mouse.obs["donor"]
    mouse.write_h5ad(tmp_path / "mouse.h5ad")
    for prefix in "Gg":
        make_network(prefix).to_frame().to_csv(tmp_path / f"{prefix}.tsv", sep="\t", index=False)
    return tmp_path


def test_command(files, capsys):
    command = [
        "benchmark",
        "accuracy",
        str(files / "human.h5ad"),
        str(files / "mouse.h5ad"),
        "--label",
        "cell_type",
        "--network",
        str(files / "G.tsv"),
        "--network",
        str(files / "g.tsv"),
        "--splits",
        "few-label,groups,downsampled",
        "--groups",
        "donor",
        "--cells-per-type",
        "3",
        "--seeds",
        "2",
        "--methods",
        "default,SVM",
        "--out",
        str(files / "out"),
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "mouse: skipped: --groups 'donor' is not a column of .obs" in printed
    assert "mouse: skipped: downsampled splits need counts" in printed and "earlier run" not in printed
    assert "human: skipped: no type has more than 50 cells" in printed
    table = pd.read_csv(files / "out/accuracy.csv", keep_default_na=False)
    assert table.groupby("set").size().to_dict() == {"human": 2 * (2 + 2 + 4), "mouse": 2 * 2}
    kinds = ["3 per type", "groups donor", "30 % depth, 10 per type", "10 % depth, 10 per type"]
    assert [line.split(": ")[0] for line in printed.splitlines() if line.startswith("### ")][:-1] == [
        f"### {kind}" for kind in kinds
    ]
    assert "| 3 per type | all sets | default: global graph − best baseline | " in printed
    assert (
        "| linear SVM, log1p CP10k | " in printed and "| method | human | mouse | mean over sets |" in printed
    )
    document = json.loads((files / "out/accuracy.json").read_text())
    assert document["seeds"] == 2 and document["networks"]["mouse"].startswith("GeneNetwork")
    assert {row["splits"] for row in document["methods"]} == set(kinds)
    assert (files / "out/accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert main(command) == 0
    again = capsys.readouterr().out
    assert (
        again.count("earlier run") == 20
        and again[again.index("\n### ") :] == printed[printed.index("\n### ") :]
    )


def test_without_a_network(files, capsys):
    assert (
        main(
            [
                "benchmark",
                "accuracy",
                str(files / "human.h5ad"),
                "--label",
                "cell_type",
                "--splits",
                "few-label",
                "--seeds",
                "1",
                "--no-baselines",
                "--out",
                str(files / "out"),
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    assert "network: None; 1 split × 4 methods\n" in printed and "| no graph | " in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--splits", "fold"],
            "--splits 'fold' is unknown; choose from folds, few-label, groups, downsampled, missing-gene, "
            "transfer, held-out-types",
        ),
        (["--splits", "groups"], "--splits 'groups' and --groups COLUMN[,COLUMN] go together"),
        (["--groups", "donor"], "--splits 'groups' and --groups COLUMN[,COLUMN] go together"),
        (["--splits", "groups", "--groups", "lab"], "--splits 'groups' allows no split of any set"),
        (["--cells-per-type", "ten"], "--cells-per-type 'ten' must be whole numbers"),
        (["--methods", "forest"], "--methods forest matches none of the methods"),
        (
            ["--baseline-python", "no-such-python"],
            "--baseline-python 'no-such-python' is not a Python",
        ),
    ],
)
def test_wrong_options_are_named(files, capsys, options, message):
    command = [
        "benchmark",
        "accuracy",
        str(files / "human.h5ad"),
        "--label",
        "cell_type",
        "--out",
        str(files / "out"),
    ]
    assert main([*command, *options]) == 2
    assert message in capsys.readouterr().err


def test_files_with_the_same_name_are_refused(files, capsys):
    path = str(files / "human.h5ad")
    assert (
        main(["benchmark", "accuracy", path, path, "--label", "cell_type", "--out", str(files / "out")]) == 2
    )
    assert "several files named 'human'" in capsys.readouterr().err


def test_default_is_above_logistic_regression_on_real_cells(shared_data, tmp_path):
    cells = anndata.read_h5ad(shared_data / "cells/zheng_sorted_pbmc.h5ad")
    cell_set = accuracy.CellSet.prepare("zheng", cells, "cell_type")
    made, _ = make_splits(cell_set.cells, "cell_type", ["few-label"], seeds=2)
    chosen = choose_methods(None, methods=["no graph", "logistic regression, log1p"])
    results = accuracy.run(cell_set, made, chosen, tmp_path)
    scores = results.pivot(index="split", columns="method", values="macro_f1")
    assert (scores["no graph"] > scores["logistic regression, log1p CP10k"] + 0.02).all()
