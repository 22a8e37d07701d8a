"""Transfer and held-out types: the labels of the query stay with the benchmark."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn import GeneGCNClassifier
from gene_gcn.benchmark import transfer, transfer_tables
from gene_gcn.benchmark.accuracy import CellSet
from gene_gcn.benchmark.methods import Method, choose_methods
from gene_gcn.benchmark.pairs import make_pairs
from gene_gcn.benchmark.runners import InProcess, Outcome
from gene_gcn.cli import main

N = 60


def make_cells(seed, types, genes=range(N)):
    """Counts in which each of four types has genes of its own, in two batches."""
    rng = np.random.default_rng(seed)
    y = np.array([int(name[1]) for name in types])
    X = rng.poisson(np.where(np.arange(N) // 15 == y[:, None], 3.0, 0.3)).astype(np.float32)
    obs = pd.DataFrame(
        {"cell_type": types, "batch": [f"b{i // 4 % 2}" for i in range(len(y))]},
        index=[f"s{seed}c{i}" for i in range(len(y))],
    )
    var = pd.DataFrame(index=[f"G{i}" for i in range(N)])
    return anndata.AnnData(sparse.csr_matrix(X), obs=obs, var=var)[:, list(genes)].copy()


REFERENCE, QUERY = ["t0", "t1", "t2"] * 20, ["t0", "t1", "t2", "t3"] * 12


@pytest.fixture(scope="module")
def sets():
    return [
        CellSet.prepare("lab", make_cells(0, REFERENCE), "cell_type"),
        CellSet.prepare("clinic", make_cells(1, QUERY, range(10, N)), "cell_type"),
    ]


class Spy:
    """A method that sees what it gets, and answers with a given outcome."""

    settings = ("spy",)

    def __init__(self):
        self.seen = []

    def run(self, train, labels, test):
        self.seen.append((train, labels, test))
        n = test.n_obs
        return Outcome(np.full(n, labels[0], dtype=object), None, 1.0, 1.0, 1.0, 1.0)


def test_query_comes_without_labels_and_with_its_own_genes(sets, tmp_path):
    ours, baseline = Spy(), Spy()
    methods = [Method("ours", "default", lambda _: ours), Method("peer", "baseline", lambda _: baseline)]
    pairs, _ = make_pairs(sets, ["transfer", "held-out-types"])
    transfer.run(pairs, dict.fromkeys(["lab", "clinic"], methods), tmp_path)
    assert len(ours.seen) == len(baseline.seen) == len(pairs) == 2 + 2 * 3
    for pair, (train, labels, test), (shared_train, _, shared_test) in zip(
        pairs, ours.seen, baseline.seen, strict=True
    ):
        assert test.n_obs == len(pair.query.labels) and not set(train.obs_names) & set(test.obs_names)
        for cells in (test, shared_test):
            parts = (cells.obs, cells.obsm, cells.obsp, cells.uns, cells.layers)
            assert [set(part.keys()) - {None} for part in parts] == [set()] * 5 and cells.raw is None
        assert set(labels) == pair.reference.types and pair.held_out not in labels
        assert {train.n_vars, test.n_vars} == {N, N - 10}
        assert list(shared_train.var_names) == list(shared_test.var_names) and shared_test.n_vars == N - 10


def test_permuted_query_labels_change_no_prediction(sets, tmp_path):
    def predictions(labels):
        cells = make_cells(1, QUERY)
        cells.obs["cell_type"] = labels
        pairs, _ = make_pairs([sets[0], CellSet.prepare("clinic", cells, "cell_type")], ["transfer"])
        outcomes = []

        class Kept(InProcess):
            def run(self, *cells):
                outcomes.append(super().run(*cells))
                return outcomes[-1]

        method = Method("ours", "default", lambda _: Kept(GeneGCNClassifier(random_state=0)))
        transfer.run(pairs[:1], {"lab": [method]}, tmp_path)
        return outcomes[0]

    true, permuted = predictions(QUERY), predictions(QUERY[::-1])
    assert (true.predicted == permuted.predicted).all()
    assert (true.probabilities == permuted.probabilities).all()


def test_finished_runs_are_stored_and_metrics_are_plausible(sets, tmp_path):
    pairs, _ = make_pairs(sets, ["transfer"])
    methods = {cells.name: choose_methods(None, methods=["no graph", "SVM", "neighbors"]) for cells in sets}
    stored = []
    results = transfer.run(pairs, methods, tmp_path, on_result=lambda _, was: stored.append(was))
    again = transfer.run(pairs, methods, tmp_path, on_result=lambda _, was: stored.append(was))
    assert stored == [False] * 6 + [True] * 6
    pd.testing.assert_frame_equal(results, again)
    assert (results["macro_f1"] > 0.8).all() and (results["cpu_seconds"] > 0).all()
    novel = results["novel_cells"] > 0
    assert results.loc[novel, "split"].unique().tolist() == ["lab → clinic"]
    assert results.loc[novel, ["cells", "novel_cells"]].drop_duplicates().to_numpy().tolist() == [[36, 12]]
    no_probabilities = results["method"].str.contains("SVM")
    assert (results["calibration_error"].isna() == no_probabilities).all()
    assert (results["auroc_confidence"].notna() == (novel & ~no_probabilities)).all()


def test_metrics_by_hand():
    y_query = np.array(["a", "a", "b", "b", "new", "new", "other"], dtype=object)
    confidence = np.array([0.99, 0.8, 0.95, 0.7, 0.6, 0.97, 0.5])
    outcome = Outcome(
        np.array(["a", "b", "b", "b", "a", "a", "c"], dtype=object),
        np.column_stack([confidence, 1 - confidence]),
        1.0,
        1.0,
        1.0,
        3.0,
        np.array([0.5, 0.3, 0.9, 0.005, 0.001, 0.02, 0.7]),
    )
    found = transfer.measure(outcome, np.array(["a", "b", "c"]), y_query, "new")
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found["auroc_confidence"] == pytest.approx(5 / 8)  # 0.6 is below four, 0.97 below one
    assert found["auroc_novelty"] == pytest.approx(7 / 8)
    assert (found["novel_confident"], found["novel_found"], found["known_lost"]) == (0.5, 0.5, 0.25)
    assert found["cpu_seconds"] == 3.0
    natural = transfer.measure(outcome, np.array(["a", "b", "c"]), y_query)
    assert natural["novel_confident"] == pytest.approx(1 / 3)


def test_predictions_outside_of_the_shared_types_are_errors_but_no_types():
    outcome = Outcome(np.array(["a", "c", "b"], dtype=object), None, 1.0, 1.0, 1.0, 1.0)
    found = transfer.measure(outcome, np.array(["a", "b", "c"]), np.array(["a", "a", "b"], dtype=object))
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)
    assert np.isnan(found["auroc_confidence"]) and np.isnan(found["novel_confident"])


@pytest.mark.filterwarnings("ignore::gene_gcn.errors.MissingGenesWarning")
def test_a_variant_may_annotate_the_query_as_a_whole(sets):
    class Adapting(GeneGCNClassifier):
        def annotate(self, adata, key_added="gene_gcn", adapt=None):
            assert adapt == "auto" and not len(adata.obs.columns)
            super().annotate(adata, key_added)

        def novelty(self, cells):
            return np.linspace(0, 1, cells.n_obs)

    reference, query = sets[0].cells, sets[1].cells
    runner = InProcess(Adapting(random_state=0), annotate={"adapt": "auto"})
    plain = InProcess(GeneGCNClassifier(random_state=0))
    assert runner.settings[-1] == {"adapt": "auto"} and len(plain.settings) == 3
    labels = reference.obs["cell_type"].to_numpy()
    cells = query.copy()
    cells.obs = cells.obs[[]]
    outcome, expected = runner.run(reference, labels, cells), plain.run(reference, labels, query)
    assert (outcome.predicted == expected.predicted).all()
    assert outcome.probabilities == pytest.approx(expected.probabilities)
    assert outcome.novelty[-1] == 1


# ---- tables ----


def test_differences_are_paired_with_the_first_method():
    scores = {"x → y": (0.8, 0.9), "y → x": (0.7, 0.6), "u → v": (0.5, 0.7)}
    families = {"x → y": "f", "y → x": "f", "u → v": "g"}
    results = pd.DataFrame(
        {"splits": "transfer", "set": families[pair], "split": pair, "method": name, "macro_f1": score}
        for pair, both in scores.items()
        for name, score in zip(("first", "other"), both, strict=True)
    )
    table = transfer_tables.differences(results).set_index("family")
    assert list(table.index) == ["f", "g", "all families"] and set(table["than"]) == {"first"}
    found = table.loc["all families"]
    assert found["pairs"] == 3 and found["difference"] == pytest.approx(0.2 / 3)
    assert (found["ahead"], found["behind"], found["worst"]) == (2, 1, "y → x")
    assert found["worst_difference"] == pytest.approx(-0.1)
    assert table.loc["f", "difference"] == pytest.approx(0)


# ---- the command ----


@pytest.fixture
def files(tmp_path):
    make_cells(0, REFERENCE).write_h5ad(tmp_path / "lab.h5ad")
    clinic = make_cells(1, QUERY, range(10, N))
    clinic.obs["cell_type"] = clinic.obs["cell_type"].str.upper()
    clinic.write_h5ad(tmp_path / "clinic.h5ad")
    (tmp_path / "types.csv").write_text(
        "file,label,type\n" + "".join(f"clinic,T{i},t{i}\n" for i in range(4))
    )
    return tmp_path


def command(folder, *options):
    paths = [str(folder / name) for name in ("lab.h5ad", "clinic.h5ad")]
    return ["benchmark", "accuracy", *paths, "--label", "cell_type", "--out", str(folder / "out"), *options]


def test_command(files, capsys):
    kinds = "transfer,held-out-types"
    options = ("--splits", kinds, "--groups", "batch", "--methods", "no graph,SVM")
    assert main(command(files, *options, "--type-map", str(files / "types.csv"))) == 0
    printed = capsys.readouterr().out
    assert "26 pairs × 2 methods" in printed  # 6 of transfer; 2 · 3 + 2 · 4 + 2 · 3 with a type held out
    for title in ("transfer: macro-F1", "held-out types, transfer: macro-F1", "Differences in macro-F1"):
        assert f"### {title}" in printed
    assert "### AUROC by held-out type: 1 − confidence / novelty" in printed
    assert "| mean over families |" in printed and "| lab, batch | clinic, batch |" in printed
    table = pd.read_csv(files / "out/transfer.csv")
    assert {"clinic, other files", "lab, other files"} <= set(table["set"])
    assert (files / "out/transfer.json").exists() and (files / "out/transfer.png").exists()


def test_types_match_by_equal_names_only(files, capsys):
    assert main(command(files, "--splits", "transfer")) == 2
    captured = capsys.readouterr()
    assert "skipped: lab → clinic: fewer than two types" in captured.out
    assert "allows no pair; pass several CELLS, or a column with several values as --groups." in captured.err


def test_folds_with_held_out_types(files, capsys):
    assert (
        main(command(files, "--splits", "few-label,held-out-types", "--methods", "no graph", "--seeds", "1"))
        == 0
    )
    printed = capsys.readouterr().out
    assert "### 10 per type: macro-F1" in printed and "### held-out types, 5 folds: macro-F1" in printed
    assert (files / "out/accuracy.csv").exists() and (files / "out/transfer.csv").exists()
