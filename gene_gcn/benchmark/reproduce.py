"""The paper's experiments and its future work, each system a `GeneGCNClassifier` and nothing else.

Every row is run on the same parts of the cells with the same seeds. What is finished is kept in a file under a
digest of everything that decides the result, so that an interrupted experiment goes on where it was and a changed
one starts anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from gene_gcn import __version__, networks
from gene_gcn.benchmark.metrics import evaluate
from gene_gcn.benchmark.paired import paired
from gene_gcn.benchmark.runs import KeptRuns, digest, digest_of_cells, peak_memory, records, write_results
from gene_gcn.benchmark.splits import frequent, group_column, labelled_cells, whole_groups
from gene_gcn.cells.expression import Normalizer, read_expression
from gene_gcn.estimators.classifier import GeneGCNClassifier
from gene_gcn.networks import GeneNetwork

if TYPE_CHECKING:
    from anndata import AnnData

TEST_SHARE = 0.2
BATCH_SIZE = 64  # of all rows: the mean gradient of 64 cells is that of 64 cells one by one


@dataclass(frozen=True)
class Row:
    """A system of the experiment.

    Attributes
    ----------
    system : str
    genes : {"all", "interacting"}
        Which genes it sees; "interacting" are those with an edge in the network.
    network : {"none", "given", "rewired"}
        Its global graph; "rewired" has the degrees of the given one, and edges at random.
    parameters : dict
        Options of `GeneGCNClassifier.paper` besides.
    paper : str
        The paper's test accuracy in percent, measured on other data; empty where it tells none.
    """

    system: str
    genes: str = "all"
    network: str = "none"
    parameters: dict[str, Any] = field(default_factory=dict)
    paper: str = ""


def paper_rows() -> list[Row]:
    """The systems of the paper, and a control in which the edges of its network mean nothing."""
    systems = {
        "FC": ("none", {"attention": None}, "51.48, 52.36", "49.98"),
        "FC from autoencoder": ("none", {"attention": None, "head_init": "autoencoder"}, "48.68", ""),
        "individual graph": ("none", {}, "", ""),
        "global graph, diagonal 0": ("given", {"attention": None}, "53.1", "47.46"),
        "global graph, diagonal 1": ("given", {"attention": None, "diagonal": 1}, "51.73", "47.43"),
        "both graphs": ("given", {}, "", ""),
    }
    rows = [
        Row(name, genes, network, parameters, figures[genes == "interacting"])
        for genes in ("all", "interacting")
        for name, (network, parameters, *figures) in systems.items()
    ]
    return [*rows, Row("global graph, diagonal 0, rewired", "all", "rewired", {"attention": None})]


def future_rows() -> list[Row]:
    """What the paper leaves as future work, on the individual graph alone, beside no graph at all.

    Graphs of "dot" share the features of a gene, so that H of them need as many.
    """
    return [Row("FC", parameters={"attention": None})] + [
        Row(
            f"{attention}, H = {heads}, layers = {layers}",
            parameters={"attention": attention, "heads": heads, "num_layers": layers}
            | ({"channels": heads} if attention == "dot" else {}),
        )
        for attention in ("embedded_dot", "dot", "additive")
        for heads in (1, 2, 4)
        for layers in (1, 2, 3)
    ]


# The paper's conclusions: the first system of each pair did better there.
CONCLUSIONS = (
    ("an autoencoder does not help", ("FC", "all"), ("FC from autoencoder", "all")),
    ("diagonal 0 beats 1", ("global graph, diagonal 0", "all"), ("global graph, diagonal 1", "all")),
    ("all genes beat the interacting ones", ("FC", "all"), ("FC", "interacting")),
    (
        "all genes beat the interacting ones",
        ("global graph, diagonal 0", "all"),
        ("global graph, diagonal 0", "interacting"),
    ),
    (
        "all genes beat the interacting ones",
        ("global graph, diagonal 1", "all"),
        ("global graph, diagonal 1", "interacting"),
    ),
    ("the global graph helps", ("global graph, diagonal 0", "all"), ("FC", "all")),
    (
        "control: its edges matter",
        ("global graph, diagonal 0", "all"),
        ("global graph, diagonal 0, rewired", "all"),
    ),
)


class Part(NamedTuple):
    """Positions of the cells to train on and to test on, and the seed of the training."""

    name: str
    train: np.ndarray
    test: np.ndarray
    seed: int


@dataclass(frozen=True, eq=False)
class Experiment:
    """Cells, how they are split and what joins their genes.

    Attributes
    ----------
    train, test : AnnData
        The same one unless the test cells came in a file of their own.
    parts : list of Part
    network : GeneNetwork, "coexpression", "string" or "biogrid"
    """

    train: AnnData
    test: AnnData
    train_labels: np.ndarray
    test_labels: np.ndarray
    parts: list[Part]
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

    One of three arguments says how; without any, each seed holds out a fifth of the cells of every type.

    Parameters
    ----------
    cells : AnnData
        Expression with gene names. Types of fewer than five cells are left out.
    label : str
        Column of `obs` with the types.
    network : GeneNetwork, "coexpression" (of the training cells), "string" or "biogrid"
    test : AnnData, optional
        Cells to test on; all of `cells` are then for training.
    split_column : str, optional
        Column of `obs` that says "train" or "test"; other cells are left out.
    groups : str, optional
        Column of `obs` whose groups are held out whole, see `splits.whole_groups`.
    seeds : iterable of int
        Of the first weights, the order of cells and, without the three arguments, the split.
    use_raw : bool
        Read `.raw` of `cells` and `test`.

    Raises
    ------
    ValueError
        More than one of the three arguments; columns that are not there or cannot be used.
    """
    ways = {"test": test, "split_column": split_column, "groups": groups}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} are {len(given)} ways to split; pass one of them.")
    cells = labelled_cells(cells, label, use_raw)
    if not (kept := frequent(cells, label)).all():
        cells = cells[kept].copy()
    labels = cells.obs[label].to_numpy()
    if len(np.unique(labels)) < 2:
        raise ValueError(f"label={label!r} has fewer than two types of at least five cells.")
    test = cells if test is None else labelled_cells(test, label, use_raw)
    return Experiment(
        cells,
        test,
        labels,
        test.obs[label].to_numpy(),
        _parts(cells, labels, test, split_column, groups, list(seeds)),
        network,
        organism,
    )


def _parts(
    cells: AnnData,
    labels: np.ndarray,
    test: AnnData,
    split_column: str | None,
    groups: str | None,
    seeds: list[int],
) -> list[Part]:
    everything = np.arange(cells.n_obs)
    if test is not cells:
        pairs = {"test file": (everything, np.arange(test.n_obs))}
    elif split_column is not None:
        pairs = {split_column: _named_parts(cells, split_column)}
    elif groups is not None:
        of_cell = group_column(cells, groups)
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
            Part("stratified", np.sort(train), np.sort(test), seed) for seed, (train, test) in split.items()
        ]
    return [Part(name, train, held_out, seed) for name, (train, held_out) in pairs.items() for seed in seeds]


def _named_parts(cells: AnnData, column: str) -> tuple[np.ndarray, np.ndarray]:
    values = group_column(cells, column)
    for part in ("train", "test"):
        if not (values == part).any():
            raise ValueError(
                f"split_column={column!r} must say 'train' or 'test'; no cell says {part!r}, its "
                f"values are {list(pd.unique(values)[:5])}."
            )
    return np.flatnonzero(values == "train"), np.flatnonzero(values == "test")


# ---- running ----


def run(
    experiment: Experiment,
    rows: list[Row],
    folder: str | Path,
    *,
    on_result: Callable[[dict[str, Any], bool], None] | None = None,
    **changes: Any,
) -> pd.DataFrame:
    """Run every row on every part, unless the folder has the result already.

    Parameters
    ----------
    folder : path
        Where `runs.json` keeps what is finished; written whole after each run.
    on_result : callable, optional
        Called with each result and whether it was there already.
    **changes
        Options of `GeneGCNClassifier.paper` for all rows, such as `max_epochs` or `device`.

    Returns
    -------
    DataFrame
        A row per system and part: "system", "genes", "paper", "part", "seed", "n_genes", the figures of
        `metrics.evaluate`, "epochs", "seconds" to fit and "peak_memory_gb" of the process while fitting.
    """
    kept = KeptRuns(folder)
    cells = digest_of_cells(
        [(experiment.train, experiment.train_labels), (experiment.test, experiment.test_labels)]
    )
    results = []
    for part in experiment.parts:
        train = experiment.train[part.train]
        network = _network(experiment, train)
        for row in rows:
            parameters = {"batch_size": BATCH_SIZE, "random_state": part.seed, **row.parameters, **changes}
            key = _digest(cells, part, network, row, parameters)
            known = key in kept
            if not known:
                kept[key] = _run(experiment, row, part, network, parameters)
            results.append(
                {
                    "system": row.system,
                    "genes": row.genes,
                    "paper": row.paper,
                    "part": part.name,
                    "seed": part.seed,
                    **kept[key],
                }
            )
            if on_result is not None:
                on_result(results[-1], known)
    return pd.DataFrame(results)


def _run(
    experiment: Experiment, row: Row, part: Part, network: GeneNetwork, parameters: dict[str, Any]
) -> dict[str, float]:
    train = experiment.train[part.train]
    if row.genes == "interacting":
        train = train[:, network.degree > 0]
    graph = {"none": None, "given": network, "rewired": network}[row.network]
    if row.network == "rewired":
        graph = network.rewired(part.seed)
    clf = GeneGCNClassifier.paper(graph, **parameters)
    start = time.perf_counter()
    with peak_memory() as peak:
        clf.fit(train.copy(), experiment.train_labels[part.train])
    seconds = time.perf_counter() - start
    named = clf.predict(experiment.test[part.test].copy())
    return {
        "n_genes": train.n_vars,
        **evaluate(experiment.test_labels[part.test], named),
        "epochs": len(clf.history_),
        "seconds": seconds,
        "peak_memory_gb": peak(),
    }


def _network(experiment: Experiment, train: AnnData) -> GeneNetwork:
    """The network on the genes of the cells; co-expression is that of the training cells alone."""
    network, genes = experiment.network, tuple(experiment.train.var_names)
    if network == "coexpression":
        expression = read_expression(train.copy())
        return networks.coexpression(
            Normalizer.fit(expression).transform(expression), genes=genes, counts=False
        )
    if isinstance(network, str):
        return networks.for_genes(network, genes, experiment.organism)[0]
    aligned = network.align(genes)
    if not aligned.num_edges:
        raise ValueError(
            f"network has no edge between the genes of the cells: its genes are like "
            f"{network.genes[:3]}, theirs like {genes[:3]}."
        )
    return aligned


def _digest(cells: str, part: Part, network: GeneNetwork, row: Row, parameters: dict[str, Any]) -> str:
    """Of everything that decides a result; a device is not meant to."""
    decides = {name: value for name, value in parameters.items() if name not in ("device", "verbose")}
    uses_network = row.network != "none" or row.genes == "interacting"
    return digest(
        [
            __version__,
            cells,
            part.train.tolist(),
            part.test.tolist(),
            part.seed,
            network.content_hash if uses_network else None,
            row.genes,
            row.network,
            decides,
        ]
    )


# ---- telling ----


def summarize(results: pd.DataFrame) -> pd.DataFrame:
    """A line per row: mean and standard deviation over parts and seeds, mean seconds, largest memory."""
    table = results.groupby(["system", "genes"], sort=False).agg(
        n_genes=("n_genes", "mean"),
        runs=("seed", "size"),
        accuracy=("accuracy", "mean"),
        accuracy_sd=("accuracy", "std"),
        macro_f1=("macro_f1", "mean"),
        macro_f1_sd=("macro_f1", "std"),
        seconds=("seconds", "mean"),
        peak_memory_gb=("peak_memory_gb", "max"),
        paper=("paper", "first"),
    )
    return table.reset_index()


def conclusions(results: pd.DataFrame) -> pd.DataFrame:
    """Test the paper's conclusions, paired over parts and seeds, by accuracy.

    Runs on one part of the cells, or on parts that share training cells, are not independent: intervals of so
    few pairs are too narrow rather than too wide.

    Returns
    -------
    DataFrame
        "conclusion", "better" and "worse" (as the paper has it), "pairs", "difference" (mean, in accuracy),
        "low" and "high" (95 % interval by Student's t), "p_t", "p_wilcoxon", and "verdict": "holds", "not shown"
        where the interval holds zero, "the opposite", or "too few pairs" of fewer than five.
    """
    accuracy = results.pivot(index=["part", "seed"], columns=["system", "genes"], values="accuracy")
    rows = []
    for text, better, worse in CONCLUSIONS:
        test = paired((accuracy[better] - accuracy[worse]).to_numpy())
        rows.append({"conclusion": text, "better": ", ".join(better), "worse": ", ".join(worse), **test})
    return pd.DataFrame(rows)


def write(
    folder: str | Path, name: str, results: pd.DataFrame, tests: pd.DataFrame | None, settings: dict[str, Any]
) -> list[Path]:
    """Write every run (.csv), table, tests and settings (.json) and a picture (.png) under a name."""
    tables = {
        **settings,
        "rows": records(summarize(results)),
        "conclusions": [] if tests is None else records(tests),
    }
    return write_results(folder, name, results, tables, plot)


def plot(results: pd.DataFrame, path: str | Path) -> None:
    """Accuracy of every run and the mean of each row, in percent."""
    from matplotlib.figure import Figure

    from gene_gcn.plots.figure import FAINT, INK, save_figure

    colours = {"all": "#1d6a8c", "interacting": "#d9822b"}
    groups = list(results.groupby(["system", "genes"], sort=False))[::-1]
    figure = Figure(figsize=(7.5, 0.32 * len(groups) + 1.2), layout="constrained")
    axis = figure.add_subplot()
    for place, ((_, genes), part) in enumerate(groups):
        values = 100 * part["accuracy"].to_numpy()
        axis.plot(values, np.full(len(values), place), "o", color=colours[genes], alpha=0.4, markersize=4)
        axis.plot(values.mean(), place, "|", color=INK, markersize=14, markeredgewidth=2)
    axis.set_yticks(
        range(len(groups)),
        [f"{system}; {genes} genes" for (system, genes), _ in groups],
        fontsize=8,
        color=INK,
    )
    axis.set_xlabel("test accuracy, %: every run, and the mean of each row", fontsize=9, color=FAINT)
    axis.grid(axis="x", color="#e4e7eb")
    axis.spines[["top", "right", "left"]].set_visible(False)
    save_figure(figure, path)
