"""Accuracy of the classifier beside its controls and its peers, on the same splits of many sets of cells.

Everything is learned from the training cells of a split. The default has the global graph; the controls
tell what a graph is worth: none, the network rewired or its genes permuted, the individual graph, and both.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn import __version__
from gene_gcn.benchmark.methods import Method
from gene_gcn.benchmark.metrics import evaluate, expected_calibration_error, recall_per_type
from gene_gcn.benchmark.paired import paired
from gene_gcn.benchmark.runs import KeptRuns, digest, digest_of_cells, records, write_results
from gene_gcn.benchmark.splits import Split, frequent, labelled_cells
from gene_gcn.networks import GeneNetwork

if TYPE_CHECKING:
    from anndata import AnnData

RARE = 20  # training cells, under which a type is rare
SMALLEST_SHARE = 0.01  # of the genes, that a network must join
CONTROLS = ("no graph", "network rewired", "network permuted")
FIGURES = (
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


# ---- running ----


@dataclass(frozen=True, eq=False)
class CellSet:
    """Labelled cells of one study.

    Attributes
    ----------
    name : str
    cells : AnnData
        Labelled, without types of fewer than five cells.
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
        """Leave out cells of no or a rare type, and take the network that joins most of the genes.

        Raises
        ------
        ValueError
            Fewer than two types of at least five cells; no network joins 1 % of the genes.
        """
        cells = labelled_cells(cells, label)
        if not (kept := frequent(cells, label)).all():
            cells = cells[kept].copy()
        if cells.obs[label].nunique() < 2:
            raise ValueError(f"label={label!r} has fewer than two types of at least five cells in {name}.")
        return cls(name, cells, label, choose_network(networks, tuple(cells.var_names)) if networks else None)


def choose_network(networks: Sequence[GeneNetwork], genes: Sequence[str]) -> GeneNetwork:
    """The network that joins most of the genes, aligned to them; ValueError if none joins 1 % of them."""
    aligned = [network.align(genes) for network in networks]
    joined = [int((network.degree > 0).sum()) for network in aligned]
    if max(joined) < SMALLEST_SHARE * len(genes):
        raise ValueError(
            f"network joins {max(joined):,} of the {len(genes):,} genes of the cells: its genes are "
            f"like {networks[int(np.argmax(joined))].genes[:3]}, theirs like {tuple(genes[:3])}."
        )
    return aligned[int(np.argmax(joined))]


def run(
    cells: CellSet,
    splits: Iterable[Split],
    methods: Sequence[Method],
    folder: str | Path,
    *,
    on_result: Callable[[dict[str, Any], bool], None] | None = None,
) -> pd.DataFrame:
    """Fit and test every method on every split of a set, unless the folder has the result already.

    A peer that fails on a split gets a row that says so; it is tried again next time. Where our own classifier
    fails, so does the benchmark.

    Parameters
    ----------
    cells : CellSet
    splits : iterable of Split
    methods : sequence of Method
        Of `gene_gcn.benchmark.methods.methods`, for the network of the set.
    folder : path
        Where `runs.json` keeps what is finished.
    on_result : callable, optional
        Called with each row and whether it was there already.

    Returns
    -------
    DataFrame
        A row per split and method: "set", "kind", "splits" (what kind exactly), "split" (its number), "method",
        "role"; "accuracy", "macro_f1", "weighted_f1", "balanced_accuracy"; "rare_recall", the mean recall of the
        types under 20 training cells; "calibration_error", see `metrics.expected_calibration_error`, NaN without
        probabilities; "fit_seconds", "predict_seconds" and "peak_memory_gb" of the process (NaN but on Linux);
        "error", empty where all went well.
    """
    kept = KeptRuns(folder)
    labels = cells.cells.obs[cells.label].to_numpy()
    of_cells = digest_of_cells([(cells.cells, labels)])
    rows = []
    for split in splits:
        train, test = split.cells(cells.cells)
        for method in methods:
            if method.kinds and split.kind not in method.kinds:
                continue
            prepared = method.prepare(train)
            key = digest(
                [
                    __version__,
                    of_cells,
                    split.train.tolist(),
                    split.test.tolist(),
                    split.number,
                    split.depth,
                    split.panel,
                    prepared.settings,
                ]
            )
            result, known = {}, key in kept
            if not known:
                try:
                    kept[key] = _measure(prepared, train, labels[split.train], test, labels[split.test])
                except (ValueError, RuntimeError) as error:
                    if method.role != "peer":
                        raise
                    result = {**dict.fromkeys(FIGURES, float("nan")), "error": str(error)}
            result = result or {**kept[key], "error": ""}
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
                on_result(rows[-1], known)
    return pd.DataFrame(rows)


def _measure(
    prepared, train: AnnData, y_train: np.ndarray, test: AnnData, y_test: np.ndarray
) -> dict[str, float]:
    with warnings.catch_warnings():
        # Here they are meant to be missing, and counts are taken away until cells have none.
        warnings.filterwarnings("ignore", message=".*are missing from X and count as zero")
        warnings.filterwarnings("ignore", message=".*express none of the model's genes")
        outcome = prepared.run(train, y_train, test)
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


# ---- telling ----


def summarize(results: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over splits, indexed by "splits", "set" and "method".

    Returns
    -------
    DataFrame
        The mean of each figure, "macro_f1_sd", "runs" and "failed", the number of runs that failed. Means are of
        the others.
    """
    groups = results.groupby(["splits", "set", "method"], sort=False)
    table = groups[list(FIGURES)].mean()
    return table.assign(
        macro_f1_sd=groups["macro_f1"].std(),
        runs=groups.size(),
        failed=groups["error"].agg(lambda errors: int((errors != "").sum())),
    )


def over_sets(summary: pd.DataFrame) -> pd.DataFrame:
    """Means over sets, each set counting once, indexed by "splits" and "method".

    Returns
    -------
    DataFrame
        The mean of each figure, and "rank": the mean place of the method among all by macro-F1, 1 for the best. A
        method that failed throughout in a set has no mean of any figure of accuracy and no rank: what it would be
        compared with has. "peak_memory_gb" is the largest.
    """
    rank = summary["macro_f1"].groupby(level=["splits", "set"], sort=False).rank(ascending=False)
    groups = summary.assign(rank=rank).groupby(level=["splits", "method"], sort=False)
    table = groups[[*FIGURES, "rank"]].mean()
    table["peak_memory_gb"] = groups["peak_memory_gb"].max()
    incomplete = groups["macro_f1"].agg(lambda values: values.isna().any())
    table.loc[incomplete, [*FIGURES[: FIGURES.index("fit_seconds")], "rank"]] = np.nan
    return table


def differences(results: pd.DataFrame) -> pd.DataFrame:
    """Macro-F1 of the default less that of controls and of the best peer, paired over the splits of each set.

    The best peer is chosen by its mean on these very splits, among those that never failed, which favours it.
    Splits of one set share cells and are not independent: intervals are too narrow rather than too wide. The set
    "all sets" is paired over the means of the sets.

    Returns
    -------
    DataFrame
        "splits", "set", "default", "than" (a control or "best peer"), "method" (its name) and what
        `paired.paired` tells; empty where the default was not run.
    """
    default = results.loc[results["role"] == "default", "method"].unique()
    rows = []
    for name, of_kind in results.groupby("splits", sort=False):
        means: dict[str, list[float]] = {}
        for set_name, part in of_kind.groupby("set", sort=False):
            scores = part.pivot(index="split", columns="method", values="macro_f1")
            if not len(default) or default[0] not in scores:
                continue
            peers = [
                method
                for method in part.loc[part["role"] == "peer", "method"].unique()
                if scores[method].notna().all()
            ]
            others = {method: method for method in CONTROLS if method in scores and method != default[0]}
            if peers:
                others["best peer"] = scores[peers].mean().idxmax()
            for than, method in others.items():
                gain = (scores[default[0]] - scores[method]).dropna().to_numpy()
                means.setdefault(than, []).append(float(gain.mean()))
                rows.append(
                    {
                        "splits": name,
                        "set": set_name,
                        "default": default[0],
                        "than": than,
                        "method": method,
                        **paired(gain),
                    }
                )
        rows += [
            {
                "splits": name,
                "set": "all sets",
                "default": default[0],
                "than": than,
                "method": than,
                **paired(np.array(gains)),
            }
            for than, gains in means.items()
            if len(gains) > 1
        ]
    return pd.DataFrame(rows)


def markdown(results: pd.DataFrame) -> Iterator[str]:
    """Lines of a table of all methods for each kind of split, and of the differences."""
    summary = summarize(results)
    means = over_sets(summary)
    for name in results["splits"].unique():
        part = summary.loc[name]
        sets = part.index.get_level_values("set").unique()
        header = [
            "method",
            *sets,
            "mean over sets",
            "mean rank",
            "accuracy",
            "calibration error",
            "rare recall",
            "fit, s",
            "predict, s",
            "peak memory, GB",
        ]
        yield from (
            "",
            f"### {name}: macro-F1, mean ± sd",
            "",
            f"| {' | '.join(header)} |",
            "|---" * len(header) + "|",
        )
        for method, row in means.loc[name].iterrows():
            scores = [
                _score(part.loc[set_name, method]) if (set_name, method) in part.index else "–"
                for set_name in sets
            ]
            figures = [
                _number(row[column], digits)
                for column, digits in (
                    ("macro_f1", 3),
                    ("rank", 1),
                    ("accuracy", 3),
                    ("calibration_error", 3),
                    ("rare_recall", 3),
                    ("fit_seconds", 1),
                    ("predict_seconds", 2),
                    ("peak_memory_gb", 2),
                )
            ]
            yield f"| {' | '.join([method, *scores, *figures])} |"
    if len(gains := differences(results)):
        yield from (
            "",
            "### Differences in macro-F1, points (95 % interval over splits)",
            "",
            "| splits | set | difference | points | pairs |",
            "|---|---|---|---|---|",
        )
        for row in gains.itertuples():
            than = row.than if row.method == row.than else f"{row.than} ({row.method})"
            interval = f" ({100 * row.low:+.2f} to {100 * row.high:+.2f})" if row.pairs > 1 else ""
            yield (
                f"| {row.splits} | {row.set} | {row.default} − {than} "
                f"| {100 * row.difference:+.2f}{interval} | {row.pairs} |"
            )


def _score(row: pd.Series) -> str:
    if row["failed"] == row["runs"]:
        return "failed"
    done = int(row["runs"] - row["failed"])
    spread = f" ± {row['macro_f1_sd']:.3f}" if done > 1 else ""
    return _number(row["macro_f1"], 3) + spread + (f" ({done} of {row['runs']:.0f})" if row["failed"] else "")


def _number(value: float, digits: int) -> str:
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def write(folder: str | Path, results: pd.DataFrame, settings: dict[str, Any]) -> list[Path]:
    """Write every run (accuracy.csv), tables and settings (accuracy.json) and a picture (accuracy.png)."""
    summary = summarize(results)
    tables = {
        **settings,
        "sets": records(summary.reset_index()),
        "methods": records(over_sets(summary).reset_index()),
        "differences": records(differences(results)),
    }
    return write_results(folder, "accuracy", results, tables, plot)


def plot(results: pd.DataFrame, path: str | Path) -> None:
    """Macro-F1 by method, a panel for each kind of split: small dots for sets, a large one for their mean."""
    from matplotlib.figure import Figure

    from gene_gcn.plots.figure import FAINT, INK, save_figure

    summary = summarize(results)
    means = over_sets(summary)
    kinds, names = list(results["splits"].unique()), list(results["method"].unique())[::-1]
    peers = set(results.loc[results["role"] == "peer", "method"])
    n_columns = min(4, len(kinds))
    n_rows = -(-len(kinds) // n_columns)
    figure = Figure(
        figsize=(3.2 + 2.2 * n_columns, n_rows * (0.24 * len(names) + 0.8) + 0.3), layout="constrained"
    )
    axes = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False).ravel()
    for axis in axes[len(kinds) :]:
        axis.remove()
    for axis, kind in zip(axes, kinds, strict=False):
        for place, name in enumerate(names):
            colour = "#d9822b" if name in peers else "#1d6a8c"
            of_sets = summary.loc[kind].query("method == @name")["macro_f1"]
            axis.plot(of_sets, np.full(len(of_sets), place), "o", color=colour, alpha=0.35, markersize=3)
            if (kind, name) in means.index:
                axis.plot(means.loc[(kind, name), "macro_f1"], place, "o", color=colour, markersize=7)
        axis.set_title(kind, fontsize=9, color=INK)
        axis.tick_params(axis="x", labelsize=7)
        axis.tick_params(axis="y", labelsize=8, labelcolor=INK, length=0)
        axis.grid(axis="x", color="#e4e7eb")
        axis.spines[["top", "right", "left"]].set_visible(False)
    axes[0].set_yticks(range(len(names)), names)
    figure.supxlabel("macro-F1: every set, and their mean", fontsize=9, color=FAINT)
    save_figure(figure, path)
