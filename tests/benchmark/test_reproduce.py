"""The paper's experiments: rows are classifiers with options, finished rows are kept, and tests are honest."""

from __future__ import annotations

import json

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from gene_gcn import GeneGCNClassifier, GeneNetwork
from gene_gcn.benchmark import reproduce
from gene_gcn.cli.main import main

N = 40


def make_cells(n=90, seed=0):
    """Counts of three types; donors and parts; the first thirty genes have edges."""
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


# ---- the rows ----


@pytest.mark.parametrize(
    "row", [*reproduce.paper_rows(), *reproduce.future_rows()], ids=lambda row: f"{row.system}, {row.genes}"
)
def test_a_row_is_a_classifier_of_the_paper_with_options(row):
    clf = GeneGCNClassifier.paper(None, **row.parameters)
    assert (clf.optimizer, clf.normalization, clf.network_normalization) == ("adam", "log1p", "max")
    assert row.genes in ("all", "interacting") and row.network in ("none", "given", "rewired")
    assert clf.attention is not None or row.network != "none" or row.system.startswith("FC")


def test_the_figures_of_the_paper_are_beside_their_rows():
    figures = {(row.system, row.genes): row.paper for row in reproduce.paper_rows() if row.paper}
    assert figures == {
        ("FC", "all"): "51.48, 52.36",
        ("FC from autoencoder", "all"): "48.68",
        ("FC", "interacting"): "49.98",
        ("global graph, diagonal 0", "all"): "53.1",
        ("global graph, diagonal 1", "all"): "51.73",
        ("global graph, diagonal 0", "interacting"): "47.46",
        ("global graph, diagonal 1", "interacting"): "47.43",
    }
    rows = {(row.system, row.genes) for row in reproduce.paper_rows()}
    assert {pair for _, *pairs in reproduce.CONCLUSIONS for pair in pairs} <= rows
    assert len(reproduce.future_rows()) == 1 + 3 * 3 * 3


def test_what_each_row_sees(cells, network, tmp_path, monkeypatch):
    seen = {}
    fit = GeneGCNClassifier.fit

    def spy(self, X, y):
        seen[len(seen)] = self, X.n_vars
        return fit(self, X, y)

    monkeypatch.setattr(GeneGCNClassifier, "fit", spy)
    rows = reproduce.paper_rows()
    reproduce.run(experiment(cells, network, seeds=[0]), rows, tmp_path, max_epochs=1)
    for row, (clf, n_genes) in zip(rows, seen.values(), strict=True):
        assert n_genes == (N if row.genes == "all" else (network.degree > 0).sum())
        assert (clf.network_ is None) == (row.network == "none") and clf.batch_size == 64
        if row.network == "rewired":
            assert clf.network_ != network and (clf.network_.degree == network.degree).all()
        elif row.network == "given":
            assert clf.network_.num_edges == network.num_edges


# ---- the parts ----


def test_parts_of_the_cells(cells, network):
    stratified = experiment(cells, network).parts
    assert len(stratified) == 2 and not np.array_equal(stratified[0].test, stratified[1].test)
    for part in stratified:
        assert not set(part.train) & set(part.test) and len(part.test) == 18
        assert set(pd.Series(part.test % 3).value_counts()) == {6}
    donors = experiment(cells, network, groups="donor")
    assert [(part.name, part.seed) for part in donors.parts] == [
        (f"without d{i}", seed) for i in range(3) for seed in range(2)
    ]
    for part in donors.parts:
        assert set(cells.obs["donor"].iloc[part.test]) == {part.name.split()[1]}
    named = experiment(cells, network, split_column="part").parts
    assert all(list(part.train) == list(range(60)) and len(part.test) == 30 for part in named)
    apart = experiment(cells, network, test=make_cells(30, seed=3))
    assert apart.test.n_obs == 30 and all(len(part.train) == 90 for part in apart.parts)


def test_rare_types_and_cells_without_a_label_are_left_out(cells, network):
    few = cells.copy()
    few.obs["cell_type"] = [None, "rare", "", *few.obs["cell_type"].iloc[3:]]
    prepared = experiment(few, network)
    assert prepared.train.n_obs == 87 and set(prepared.train_labels) == {"t0", "t1", "t2"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": "donor", "split_column": "part"}, "split_column and groups are 2 ways to split"),
        ({"groups": "lab"}, "groups='lab' is not a column of obs"),
        ({"split_column": "donor"}, "split_column='donor' must say 'train' or 'test'; no cell says 'train'"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(cells, network, options, message):
    with pytest.raises(ValueError, match=message):
        experiment(cells, network, **options)


# ---- running ----

ROWS = [row for row in reproduce.paper_rows() if row.system in ("FC", "global graph, diagonal 0")]


def test_finished_rows_are_kept_and_a_changed_configuration_is_run_again(cells, network, tmp_path):
    def run(**changes):
        calls = []
        options = {name: changes.pop(name) for name in ("cells", "network", "seeds") if name in changes}
        setting = experiment(options.pop("cells", cells), options.pop("network", network), **options)
        results = reproduce.run(
            setting,
            ROWS,
            tmp_path,
            on_result=lambda row, known: calls.append(known),
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
    # FC on all genes does not know the network; which genes interact follows from it.
    assert run(network=network.rewired(7))[1] == [True, False, False, False] * 2
    assert not list(tmp_path.glob(".*"))  # nothing half written


def test_an_interrupted_run_goes_on(cells, network, tmp_path, monkeypatch):
    fit, calls = GeneGCNClassifier.fit, []

    def interrupted(self, X, y):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return fit(self, X, y)

    monkeypatch.setattr(GeneGCNClassifier, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        reproduce.run(experiment(cells, network), ROWS, tmp_path, max_epochs=1)
    assert len(json.loads((tmp_path / "runs.json").read_text())) == 3
    results = reproduce.run(experiment(cells, network), ROWS, tmp_path, max_epochs=1)
    assert len(results) == 8 and len(calls) == 4 + 5


def test_a_network_of_other_genes_is_refused(cells, tmp_path):
    with pytest.raises(ValueError, match="no edge between the genes of the cells"):
        reproduce.run(experiment(cells, GeneNetwork(["a", "b"], [[0], [1]])), ROWS, tmp_path)


# ---- telling ----


def test_paired_tests_against_scipy():
    better, worse = np.array([0.7, 0.8, 0.75, 0.9, 0.85]), np.array([0.6, 0.72, 0.7, 0.8, 0.82])
    found = reproduce.paired(better - worse)
    t = stats.ttest_rel(better, worse)
    assert found["p_t"] == pytest.approx(t.pvalue) and found["pairs"] == 5
    assert [found["low"], found["high"]] == pytest.approx(list(t.confidence_interval()))
    assert found["difference"] == pytest.approx((better - worse).mean()) and found["verdict"] == "holds"
    assert reproduce.paired(worse - better)["verdict"] == "the opposite"
    assert reproduce.paired(np.array([0.1, -0.1, 0.02, 0.05, -0.03]))["verdict"] == "not shown"
    assert reproduce.paired(np.zeros(5))["verdict"] == "not shown"
    for few in (better[:4], better[:1]):
        assert reproduce.paired(few)["verdict"] == "too few pairs"


def test_conclusions_pair_parts_and_seeds():
    rng = np.random.default_rng(0)
    results = pd.DataFrame(
        [
            {
                "system": row.system,
                "genes": row.genes,
                "part": part,
                "seed": seed,
                "accuracy": rng.normal(0.5, 0.1) if row.system == "FC" else 0.1 * seed + (part == "a"),
            }
            for row in reproduce.paper_rows()
            for part in "ab"
            for seed in range(3)
        ]
    )
    tests = reproduce.conclusions(results.sample(frac=1, random_state=0)).set_index(["better", "worse"])
    same = tests.loc[("global graph, diagonal 0, all", "global graph, diagonal 1, all")]
    assert same["pairs"] == 6 and same["difference"] == 0 and same["verdict"] == "not shown"
    assert tests["conclusion"].nunique() == 5


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
    assert printed.count("\n| ") == 13 + 7 + 2 and "kept" not in printed
    assert "| FC from autoencoder | all (40) |" in printed and "| 48.68 |" in printed
    document = json.loads((tmp_path / "out/paper.json").read_text())
    assert len(document["rows"]) == 13 and document["network"].startswith("GeneNetwork")
    assert len(pd.read_csv(tmp_path / "out/paper.csv")) == 26
    assert (tmp_path / "out/paper.png").read_bytes().startswith(b"\x89PNG")
    assert main(command) == 0
    again = capsys.readouterr().out
    assert (
        again.count("kept") == 26
        and again[again.index("\n| system") :] == printed[printed.index("\n| system") :]
    )
    assert main([*command, "--groups", "donor"]) == 2
    assert "two ways" in capsys.readouterr().err.replace("2 ways", "two ways")


def test_without_a_file_the_cells_of_scanpy_are_used(tmp_path, capsys):
    assert main(["reproduce", "--quick", "--seeds", "1", "--max-epochs", "1", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert (
        "700 cells × 765 genes, 10 types; 13 rows × 1 seeds" in printed
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
    """As the paper's data were probably kept, train_data.h5 and test_data.h5 with rpkm and labels."""
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
    assert "60 cells × 40 genes, 3 types; 13 rows × 1 seeds × 1 splits (test file)" in capsys.readouterr().out
