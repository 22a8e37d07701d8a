"""Accuracy of the default beside its controls and baselines, on the same splits of many sets of cells.

Everything is learned from the training cells of a split. The default has the global graph; the controls show
what a graph contributes: none, the network rewired or its genes permuted, the individual graph, and both.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn import __version__
from gene_gcn.benchmark.methods import Method
from gene_gcn.benchmark.metrics import evaluate, expected_calibration_error, recall_per_type
from gene_gcn.benchmark.runners import Outcome, Runner
from gene_gcn.benchmark.runs import RunStore, digest, digest_of_cells
from gene_gcn.benchmark.splits import Split, labeled_cells, without_rare_types
from gene_gcn.errors import Argument, ArgumentError, EmptyCellsWarning, MissingGenesWarning
from gene_gcn.networks import GeneNetwork

if TYPE_CHECKING:
    from anndata import AnnData

RARE = 20  # types with fewer training cells are rare
MIN_CONNECTED = 0.01  # of the genes, by a network
METRICS = (
    "accuracy",
    "macro_f1",
    "weighted_f1",
    "balanced_accuracy",
    "rare_recall",
    "calibration_error",
    "fit_seconds",
    "predict_seconds",
    "peak_memory_gb",
)


@dataclass(frozen=True, eq=False)
class CellSet:
    """Labeled cells of one study.

    Attributes
    ----------
    name : str
    cells : AnnData
        All labeled, and of types with at least five cells.
    label : str
        Column of `obs`.
    network : GeneNetwork or None
        On the genes of the cells.
    """

    name: str
    cells: AnnData
    label: str
    network: GeneNetwork | None = None

    @classmethod
    def prepare(cls, name: str, cells: AnnData, label: str, networks: Sequence[GeneNetwork] = ()) -> CellSet:
        """Exclude cells without a label or of a rare type, and choose the network that connects most genes.

        Raises
        ------
        ArgumentError
            There are fewer than two types of at least five cells, or no network connects 1 % of the genes.
        """
        cells = without_rare_types(labeled_cells(cells, label), label)
        if cells.obs[label].nunique() < 2:
            raise ArgumentError(
                "label",
                Argument("label", label),
                f" has fewer than two types of at least five cells in {name}; choose another column.",
            )
        return cls(name, cells, label, choose_network(networks, tuple(cells.var_names)) if networks else None)


def choose_network(networks: Sequence[GeneNetwork], genes: Sequence[str]) -> GeneNetwork:
    """Choose the network that connects most of the genes, and align it to them.

    Raises
    ------
    ArgumentError
        No network connects 1 % of the genes.
    """
    aligned = [network.align(genes) for network in networks]
    connected = [int((network.degree > 0).sum()) for network in aligned]
    best = int(np.argmax(connected))
    if connected[best] < MIN_CONNECTED * len(genes):
        raise ArgumentError(
            "network",
            Argument("network", networks[best]),
            f" connects {connected[best]:,} of the {len(genes):,} genes of the cells: its genes are like "
            f"{networks[best].genes[:3]}, theirs like {tuple(genes[:3])}. Pass a network of that organism "
            "with the same kind of gene names.",
        )
    return aligned[best]


def run(
    cells: CellSet,
    splits: Iterable[Split],
    methods: Sequence[Method],
    folder: str | Path,
    *,
    on_result: Callable[[dict[str, Any], bool], None] | None = None,
) -> pd.DataFrame:
    """Fit and test every method on every split of a set, unless the folder has the result already.

    A baseline that fails on a split gets a row with its error, and is tried again next time. If a variant of
    our own classifier fails, so does the benchmark.

    Parameters
    ----------
    cells : CellSet
    splits : iterable of Split
    methods : sequence of Method
        From `gene_gcn.benchmark.methods.choose_methods`, for the network of the set.
    folder : str or Path
        Where `runs.json` stores finished runs.
    on_result : callable, optional
        Called with each row and whether it was stored already.

    Returns
    -------
    DataFrame
        A row per split and method: "set", "kind", "splits" (the kind with its settings), "split" (its
        number), "method", "role"; "accuracy", "macro_f1", "weighted_f1", "balanced_accuracy"; "rare_recall",
        the mean recall of the types under 20 training cells; "calibration_error", see
        `metrics.expected_calibration_error`, NaN without probabilities; "fit_seconds", "predict_seconds" and
        "peak_memory_gb" of the process (NaN except on Linux); "error", empty for successful runs.
    """
    store = RunStore(folder)
    labels = cells.cells.obs[cells.label].to_numpy()
    of_cells = digest_of_cells([(cells.cells, labels)])
    rows = []
    for split in splits:
        train, test = split.cells(cells.cells)
        for method in methods:
            if method.kinds and split.kind not in method.kinds:
                continue
            runner = method.prepare(train)
            measure = partial(_measure, runner, train, labels[split.train], test, labels[split.test])
            key = _digest(of_cells, split, runner.settings)
            result, stored = stored_or_measured(store, key, method, measure, METRICS)
            rows.append(
                {
                    "set": cells.name,
                    "kind": split.kind,
                    "splits": split.name,
                    "split": split.number,
                    "method": method.name,
                    "role": method.role,
                    **result,
                }
            )
            if on_result is not None:
                on_result(rows[-1], stored)
    return pd.DataFrame(rows)


def stored_or_measured(
    store: RunStore,
    key: str,
    method: Method,
    measure: Callable[[], dict[str, float]],
    metrics: Sequence[str],
) -> tuple[dict[str, Any], bool]:
    """Return the metrics of a run with its "error", measured unless stored, and whether they were stored.

    Baselines may fail: their metrics are NaN then, and nothing is stored.
    """
    stored = key in store
    try:
        if not stored:
            store[key] = measure()
        return {**store[key], "error": ""}, stored
    except (ValueError, RuntimeError) as error:
        if method.role != "baseline":
            raise
        return {**dict.fromkeys(metrics, float("nan")), "error": str(error)}, stored


def _digest(of_cells: str, split: Split, settings: list[Any]) -> str:
    decisive = [
        __version__,
        of_cells,
        split.train.tolist(),
        split.test.tolist(),
        split.number,
        split.depth,
        split.panel,
        settings,
    ]
    return digest(decisive)


def _measure(
    runner: Runner, train: AnnData, y_train: np.ndarray, test: AnnData, y_test: np.ndarray
) -> dict[str, float]:
    return measure_outcome(run_without_labels(runner, train, y_train, test), y_train, y_test)


def run_without_labels(runner: Runner, train: AnnData, y_train: np.ndarray, test: AnnData) -> Outcome:
    """Run a method, which gets of the test cells their genes, values and names only."""
    import anndata

    bare = anndata.AnnData(test.X, obs=test.obs[[]].copy(), var=test.var[[]].copy())
    with warnings.catch_warnings():
        # Splits remove genes on purpose, and counts until some cells have none.
        warnings.simplefilter("ignore", MissingGenesWarning)
        warnings.simplefilter("ignore", EmptyCellsWarning)
        return runner.run(train, y_train, bare)


def measure_outcome(outcome: Outcome, y_train: np.ndarray, y_test: np.ndarray) -> dict[str, float]:
    """Compute `METRICS` of predictions."""
    recall = recall_per_type(y_test, outcome.predicted)["recall"]
    size = pd.Series(y_train).value_counts().reindex(recall.index, fill_value=0)
    calibration_error = float("nan")
    if outcome.probabilities is not None:
        confidence = outcome.probabilities.max(axis=1)
        calibration_error = expected_calibration_error(y_test, outcome.predicted, confidence)
    return {
        **evaluate(y_test, outcome.predicted),
        "rare_recall": float(recall[size < RARE].mean()),
        "calibration_error": calibration_error,
        "fit_seconds": outcome.fit_seconds,
        "predict_seconds": outcome.predict_seconds,
        "peak_memory_gb": outcome.peak_memory_gb,
    }
