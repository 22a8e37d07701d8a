"""The paper's experiments and its future work, each system a `GeneGCNClassifier` with other settings.

Every system is run on the same splits of the cells with the same seeds. Finished runs are stored in a file
under a digest of everything that determines their results, so an interrupted experiment resumes and a changed
one starts anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from gene_gcn import __version__
from gene_gcn.benchmark.metrics import evaluate
from gene_gcn.benchmark.runs import RunStore, digest, digest_of_cells, peak_memory
from gene_gcn.benchmark.splits import labeled_cells, whole_groups, without_rare_types
from gene_gcn.benchmark.systems import System
from gene_gcn.cells import Normalizer, read_batches, read_expression
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.estimators.classifier import GeneGCNClassifier
from gene_gcn.networks import GeneNetwork, resolve_network

if TYPE_CHECKING:
    from anndata import AnnData

TEST_SHARE = 0.2
BATCH_SIZE = 64  # of all systems: the mean gradient of 64 cells is that of 64 cells one by one


class Trial(NamedTuple):
    """A split and a seed.

    Attributes
    ----------
    split : str
        Name of the split.
    train, test : ndarray of int
        Positions of the cells.
    seed : int
        Of the training.
    """

    split: str
    train: np.ndarray
    test: np.ndarray
    seed: int


@dataclass(frozen=True, eq=False)
class Experiment:
    """Cells, their splits, and the network of their genes.

    Attributes
    ----------
    train, test : AnnData
        The same object unless the test cells came in a file of their own.
    train_labels, test_labels : ndarray
    trials : list of Trial
    network : GeneNetwork, "coexpression", "string" or "biogrid"
    organism : str or None
        Of "string" and "biogrid"; None to infer it from the gene names.
    """

    train: AnnData
    test: AnnData
    train_labels: np.ndarray
    test_labels: np.ndarray
    trials: list[Trial]
    network: GeneNetwork | str
    organism: str | None = None


def prepare(
    cells: AnnData,
    label: str,
    network: GeneNetwork | str,
    *,
    test: AnnData | None = None,
    split_column: str | None = None,
    groups: str | None = None,
    seeds: Iterable[int] = range(5),
    organism: str | None = None,
    use_raw: bool = False,
) -> Experiment:
    """Split cells for the experiment.

    `test`, `split_column` or `groups` determine the splits; without them, each seed holds out a fifth of the
    cells of every type.

    Parameters
    ----------
    cells : AnnData
        Expression with gene names. Types of fewer than five cells are excluded.
    label : str
        Column of `obs` with the types.
    network : GeneNetwork, "coexpression" (of the training cells), "string" or "biogrid"
    test : AnnData, optional
        Cells to test on; all of `cells` are then trained on.
    split_column : str, optional
        Column of `obs` that says "train" or "test"; cells with other values are left out.
    groups : str, optional
        Column of `obs` whose groups are held out whole, see `splits.whole_groups`.
    seeds : iterable of int
        Of the initial weights, the order of cells and, without the three arguments, the split.
    organism : str, optional
        For "string" and "biogrid"; by default inferred from the gene names.
    use_raw : bool
        Read `.raw` of `cells` and `test`.

    Returns
    -------
    Experiment

    Raises
    ------
    ArgumentError
        Several of the three arguments are given, or a column does not exist or cannot be used.
    """
    columns = {"split_column": split_column, "groups": groups}
    given = [] if test is None else [Argument("test")]
    given += [Argument(name, column) for name, column in columns.items() if column is not None]
    if len(given) > 1:
        parts = [part for argument in given for part in (" and ", argument)][1:]
        raise ArgumentError(given[1].name, *parts, f" are {len(given)} ways to split; pass only one of them.")
    cells = without_rare_types(labeled_cells(cells, label, use_raw), label)
    labels = cells.obs[label].to_numpy()
    if len(np.unique(labels)) < 2:
        raise ArgumentError(
            "label",
            Argument("label", label),
            " has fewer than two types of at least five cells; choose another column.",
        )
    test = cells if test is None else labeled_cells(test, label, use_raw)
    return Experiment(
        cells,
        test,
        labels,
        test.obs[label].to_numpy(),
        _trials(cells, labels, test, split_column, groups, list(seeds)),
        network,
        organism,
    )


def _trials(
    cells: AnnData,
    labels: np.ndarray,
    test: AnnData,
    split_column: str | None,
    groups: str | None,
    seeds: list[int],
) -> list[Trial]:
    everything = np.arange(cells.n_obs)
    if test is not cells:
        pairs = {"test file": (everything, np.arange(test.n_obs))}
    elif split_column is not None:
        pairs = {split_column: _split_by_column(cells, split_column)}
    elif groups is not None:
        of_cell = read_batches(cells, groups, "groups")
        pairs = {
            f"without {', '.join(pd.unique(of_cell[held_out])[:5])}": (train, held_out)
            for train, held_out in whole_groups(of_cell)
        }
    else:
        split = {
            seed: train_test_split(everything, test_size=TEST_SHARE, stratify=labels, random_state=seed)
            for seed in seeds
        }
        return [
            Trial("stratified", np.sort(train), np.sort(test), seed) for seed, (train, test) in split.items()
        ]
    return [Trial(name, train, held_out, seed) for name, (train, held_out) in pairs.items() for seed in seeds]


def _split_by_column(cells: AnnData, column: str) -> tuple[np.ndarray, np.ndarray]:
    values = read_batches(cells, column, "split_column")
    for part in ("train", "test"):
        if not (values == part).any():
            raise ArgumentError(
                "split_column",
                Argument("split_column", column),
                f" must say 'train' or 'test', but no cell has {part!r}; its values are "
                f"{list(pd.unique(values)[:5])}.",
            )
    return np.flatnonzero(values == "train"), np.flatnonzero(values == "test")


# ---- running ----


def run(
    experiment: Experiment,
    systems: Sequence[System],
    folder: str | Path,
    *,
    on_result: Callable[[dict[str, Any], bool], None] | None = None,
    **changes: Any,
) -> pd.DataFrame:
    """Run every system in every trial, unless the folder has the result already.

    Parameters
    ----------
    experiment : Experiment
    systems : sequence of System
    folder : str or Path
        Where `runs.json` stores finished runs; it is rewritten after each.
    on_result : callable, optional
        Called with each result and whether it was stored already.
    **changes
        Options of `GeneGCNClassifier.paper` for all systems, such as `max_epochs` or `device`.

    Returns
    -------
    DataFrame
        A row per system and trial: "system", "genes", "paper", "split", "seed", "n_genes", the metrics of
        `metrics.evaluate`, "epochs", "seconds" to fit, and "peak_memory_gb" of the process while fitting.
    """
    store = RunStore(folder)
    of_cells = digest_of_cells(
        [(experiment.train, experiment.train_labels), (experiment.test, experiment.test_labels)]
    )
    results = []
    for trial in experiment.trials:
        network = _network(experiment, experiment.train[trial.train])
        for system in systems:
            parameters = {
                "batch_size": BATCH_SIZE,
                "random_state": trial.seed,
                **system.parameters,
                **changes,
            }
            key = _digest(of_cells, trial, network, system, parameters)
            stored = key in store
            if not stored:
                store[key] = _run(experiment, system, trial, network, parameters)
            results.append(
                {
                    "system": system.name,
                    "genes": system.genes,
                    "paper": system.paper,
                    "split": trial.split,
                    "seed": trial.seed,
                    **store[key],
                }
            )
            if on_result is not None:
                on_result(results[-1], stored)
    return pd.DataFrame(results)


def _run(
    experiment: Experiment, system: System, trial: Trial, network: GeneNetwork, parameters: dict[str, Any]
) -> dict[str, float]:
    train = experiment.train[trial.train]
    if system.genes == "interacting":
        train = train[:, network.degree > 0]
    graph = {"none": None, "given": network, "rewired": network}[system.network]
    if system.network == "rewired":
        graph = network.rewired(trial.seed)
    clf = GeneGCNClassifier.paper(graph, **parameters)
    start = time.perf_counter()
    with peak_memory() as peak:
        clf.fit(train.copy(), experiment.train_labels[trial.train])
    seconds = time.perf_counter() - start
    predicted = clf.predict(experiment.test[trial.test].copy())
    return {
        "n_genes": train.n_vars,
        **evaluate(experiment.test_labels[trial.test], predicted),
        "epochs": len(clf.history_),
        "seconds": seconds,
        "peak_memory_gb": peak(),
    }


def _network(experiment: Experiment, train: AnnData) -> GeneNetwork:
    """Return the network on the genes of the cells; co-expression is that of the training cells alone."""
    matrix = None
    if isinstance(experiment.network, str) and experiment.network == "coexpression":
        expression = read_expression(train.copy())
        matrix = Normalizer.fit(expression).transform(expression)
    network, _ = resolve_network(
        experiment.network, tuple(experiment.train.var_names), organism=experiment.organism, cells=matrix
    )
    assert network is not None  # as experiments have one
    return network


def _digest(
    of_cells: str, trial: Trial, network: GeneNetwork, system: System, parameters: dict[str, Any]
) -> str:
    """Return a digest of everything that determines a result; devices should not matter."""
    decisive = {name: value for name, value in parameters.items() if name not in ("device", "verbose")}
    uses_network = system.network != "none" or system.genes == "interacting"
    return digest(
        [
            __version__,
            of_cells,
            trial.train.tolist(),
            trial.test.tolist(),
            trial.seed,
            network.content_hash if uses_network else None,
            system.genes,
            system.network,
            decisive,
        ]
    )
