"""The paper's experiments: what each system sees, and that finished runs are stored."""

from __future__ import annotations

import json

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn import GeneGCNClassifier, GeneNetwork
from gene_gcn.benchmark import reproduce
from gene_gcn.benchmark.systems import paper_systems
from gene_gcn.cli import main

N = 40


def make_cells(n=90, seed=0):
    """Counts of three types; donors, a column of train and test; the first thirty genes have edges."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = rng.poisson(np.where(np.arange(N) // 10 == y[:, None], 4.0, 0.5)).astype(np.float32)
    obs = pd.DataFrame(
        {
            "cell_type": [f"t{k}" for k in y],
            "donor": [f"d{i // 3 % 3}" for i in range(n)],
            "part": np.where(np.arange(n) < 60, "train", "test"),
        },
        index=[f"c{i}" for i in range(n)],
    )
    return anndata.AnnData(sparse.csr_matrix(X), obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(N)]))


@pytest.fixture(scope="module")
def cells():
    return make_cells()


@pytest.fixture(scope="module")
def network(cells):
    rng = np.random.default_rng(0)
    return GeneNetwork(tuple(cells.var_names), rng.integers(0, 30, (2, 90)), rng.uniform(0.1, 1, 90))


def experiment(cells, network, **options):
    return reproduce.prepare(cells, "cell_type", network, **{"seeds": range(2), **options})


def test_genes_and_network_of_each_system(cells, network, tmp_path, monkeypatch):
    seen = {}
    fit = GeneGCNClassifier.fit

    def spy(self, X, y):
        seen[len(seen)] = self, X.n_vars
        return fit(self, X, y)

    monkeypatch.setattr(GeneGCNClassifier, "fit", spy)
    systems = paper_systems()
    reproduce.run(experiment(cells, network, seeds=[0]), systems, tmp_path, max_epochs=1)
    for system, (clf, n_genes) in zip(systems, seen.values(), strict=True):
        assert n_genes == (N if system.genes == "all" else (network.degree > 0).sum())
        assert (clf.network_ is None) == (system.network == "none") and clf.batch_size == 64
        if system.network == "rewired":
            assert clf.network_ != network and (clf.network_.degree == network.degree).all()
        elif system.network == "given":
            assert clf.network_.num_edges == network.num_edges


# ---- the splits ----


def test_splits_of_the_cells(cells, network):
    stratified = experiment(cells, network).trials
    assert len(stratified) == 2 and not np.array_equal(stratified[0].test, stratified[1].test)
    for trial in stratified:
        assert not set(trial.train) & set(trial.test) and len(trial.test) == 18
        assert set(pd.Series(trial.test % 3).value_counts()) == {6}
    donors = experiment(cells, network, groups="donor")
    assert [(trial.split, trial.seed) for trial in donors.trials] == [
        (f"without d{i}", seed) for i in range(3) for seed in range(2)
    ]
    for trial in donors.trials:
        assert set(cells.obs["donor"].iloc[trial.test]) == {trial.split.split()[1]}
    named = experiment(cells, network, split_column="part").trials
    assert all(list(trial.train) == list(range(60)) and len(trial.test) == 30 for trial in named)
    apart = experiment(cells, network, test=make_cells(30, seed=3))
    assert apart.test.n_obs == 30 and all(len(trial.train) == 90 for trial in apart.trials)


def test_rare_types_and_unlabeled_cells_are_excluded(cells, network):
    few = cells.copy()
    few.obs["cell_type"] = [None, "rare", "", *few.obs["cell_type"].iloc[3:]]
    prepared = experiment(few, network)
    assert prepared.train.n_obs == 87 and set(prepared.train_labels) == {"t0", "t1", "t2"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"groups": "donor", "split_column": "part"},
            "split_column='part' and groups='donor' are 2 ways to split",
        ),
        ({"groups": "lab"}, "groups='lab' is not a column of .obs"),
        (
            {"split_column": "donor"},
            "split_column='donor' must say 'train' or 'test', but no cell has 'train'",
        ),
    ],
)
def test_impossible_splits_are_refused(cells, network, options, message):
    with pytest.raises(ValueError, match=message):
        experiment(cells, network, **options)


# ---- running ----

SYSTEMS = [system for system in paper_systems() if system.name in ("FC", "global graph, diagonal 0")]


def test_finished_runs_are_stored_and_changed_ones_are_run_again(cells, network, tmp_path):
    def run(**changes):
        calls = []
        options = {name: changes.pop(name) for name in ("cells", "network", "seeds") if name in changes}
        setting = experiment(options.pop("cells", cells), options.pop("network", network), **options)
        results = reproduce.run(
            setting,
            SYSTEMS,
            tmp_path,
            on_result=lambda row, stored: calls.append(stored),
            **{"max_epochs": 2, **changes},
        )
        return results, calls

    first, calls = run()
    assert calls == [False] * 8 and first["accuracy"].between(0, 1).all() and (first["seconds"] > 0).all()
    again, calls = run()
    assert calls == [True] * 8
    pd.testing.assert_frame_equal(first, again)
    assert run(seeds=range(3))[1] == [True] * 8 + [False] * 4  # more of the same
    assert run(max_epochs=1)[1] == [False] * 8
    assert run(cells=make_cells(seed=1))[1] == [False] * 8
    # FC on all genes does not use the network, which determines the interacting genes.
    assert run(network=network.rewired(7))[1] == [True, False, False, False] * 2
    assert not list(tmp_path.glob(".*"))  # nothing half written


def test_interrupted_runs_resume(cells, network, tmp_path, monkeypatch):
    fit, calls = GeneGCNClassifier.fit, []

    def interrupted(self, X, y):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return fit(self, X, y)

    monkeypatch.setattr(GeneGCNClassifier, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reproduce.run(experiment(cells, network), SYSTEMS, tmp_path, max_epochs=1)
    assert len(json.loads((tmp_path / "runs.json").read_text())) == 3
    results = reproduce.run(experiment(cells, network), SYSTEMS, tmp_path, max_epochs=1)
    assert len(results) == 8 and len(calls) == 4 + 5


def test_network_of_other_genes_is_refused(cells, tmp_path):
    with pytest.raises(ValueError, match="share 0 genes and 0 edges"):
        reproduce.run(experiment(cells, GeneNetwork(["a", "b"], [[0], [1]])), SYSTEMS, tmp_path)


# ---- the command ----


def test_command(cells, network, tmp_path, capsys):
    cells.write_h5ad(tmp_path / "cells.h5ad")
    network.to_frame().to_csv(tmp_path / "edges.tsv", sep="\t", index=False)
    command = [
        "reproduce",
        str(tmp_path / "cells.h5ad"),
        "--network",
        str(tmp_path / "edges.tsv"),
        "--seeds",
        "2",
        "--max-epochs",
        "2",
        "--out",
        str(tmp_path / "out"),
        "--split-column",
        "part",
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n| ") == 13 + 7 + 2 and "earlier run" not in printed
    assert "| FC from autoencoder | all (40) |" in printed and "| 48.68 |" in printed
    document = json.loads((tmp_path / "out/paper.json").read_text())
    assert len(document["systems"]) == 13 and document["network"].startswith("GeneNetwork")
    assert len(pd.read_csv(tmp_path / "out/paper.csv")) == 26
    assert (tmp_path / "out/paper.png").read_bytes().startswith(b"\x89PNG")
    assert main(command) == 0
    again = capsys.readouterr().out
    assert (
        again.count("earlier run") == 26
        and again[again.index("\n| system") :] == printed[printed.index("\n| system") :]
    )
    assert main([*command, "--groups", "donor"]) == 2
    assert "--split-column 'part' and --groups 'donor' are 2 ways to split" in capsys.readouterr().err


def test_cells_of_scanpy_are_the_default(tmp_path, capsys):
    assert main(["reproduce", "--quick", "--seeds", "1", "--max-epochs", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert (
        "700 cells × 765 genes, 10 types; 13 systems × 1 seed ×" in printed
        and "network: 'coexpression'" in printed
    )
    assert "too few pairs" in printed
    assert main(["reproduce", "--label", "cell_type", "--out", str(tmp_path)]) == 2
    assert "Columns with few values" in capsys.readouterr().err


def test_future_work(cells, network, tmp_path, capsys):
    cells.write_h5ad(tmp_path / "cells.h5ad")
    network.to_frame().to_csv(tmp_path / "edges.tsv", sep="\t", index=False)
    assert (
        main(
            [
                "reproduce",
                str(tmp_path / "cells.h5ad"),
                "--network",
                str(tmp_path / "edges.tsv"),
                "--future",
                "--seeds",
                "1",
                "--max-epochs",
                "1",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    assert "| additive, H = 4, layers = 3 | all (40) |" in capsys.readouterr().out
    assert len(pd.read_csv(tmp_path / "out/future.csv")) == 28


def test_a_pair_of_hdfstores(cells, network, tmp_path, capsys):
    """As the paper's data were probably stored, train_data.h5 and test_data.h5 with rpkm and labels."""
    for name, part in {"train": cells[:60], "test": cells[60:]}.items():
        with h5py.File(tmp_path / f"{name}_data.h5", "w") as store:
            frame = store.create_group("rpkm")
            frame.attrs.update({"pandas_type": np.bytes_("frame"), "nblocks": 1})
            frame["axis0"] = frame["block0_items"] = np.array(part.var_names, "S")
            frame["axis1"], frame["block0_values"] = np.array(part.obs_names, "S"), part.X.toarray()
            labels = store.create_group("labels")
            labels.attrs["pandas_type"] = np.bytes_("series")
            labels["values"] = np.array(part.obs["cell_type"], "S")
    network.to_frame().to_csv(tmp_path / "edges.tsv", sep="\t", index=False)
    assert (
        main(
            [
                "reproduce",
                str(tmp_path / "train_data.h5"),
                "--test",
                str(tmp_path / "test_data.h5"),
                "--label",
                "labels",
                "--network",
                str(tmp_path / "edges.tsv"),
                "--seeds",
                "1",
                "--max-epochs",
                "1",
                "--out",
                str(tmp_path / "out"),
            ]
        )
        == 0
    )
    assert (
        "60 cells × 40 genes, 3 types; 13 systems × 1 seed × 1 split (test file)" in capsys.readouterr().out
    )
