"""Tables and a figure of the accuracy benchmark, from the rows of `gene_gcn.benchmark.accuracy.run`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gene_gcn.benchmark.accuracy import METRICS
from gene_gcn.benchmark.paired import paired_test
from gene_gcn.benchmark.runs import records, write_results
from gene_gcn.benchmark.transfer import NOVELTY_METRICS

CONTROLS = ("no graph", "network rewired", "network permuted")
# Columns of the Markdown table: header, column, digits.
COLUMNS = (
    ("mean over {over}", "macro_f1", 3),
    ("mean rank", "rank", 1),
    ("accuracy", "accuracy", 3),
    ("calibration error", "calibration_error", 3),
    ("rare recall", "rare_recall", 3),
    ("fit, s", "fit_seconds", 1),
    ("predict, s", "predict_seconds", 2),
    ("peak memory, GB", "peak_memory_gb", 2),
    ("CPU, s", "cpu_seconds", 1),
    ("AUROC of 1 − confidence", "auroc_confidence", 3),
    ("AUROC of novelty", "auroc_novelty", 3),
    ("novel called > 0.9", "novel_confident", 3),
    ("novel found", "novel_found", 3),
    ("known lost", "known_lost", 3),
)
COSTS = ("fit_seconds", "predict_seconds", "cpu_seconds", "peak_memory_gb")
VARIANT_COLOR, BASELINE_COLOR = "#1d6a8c", "#d9822b"


def summarize(results: pd.DataFrame) -> pd.DataFrame:
    """Compute mean and standard deviation over splits, indexed by "splits", "set" and "method".

    Returns
    -------
    DataFrame
        The mean of each metric over the runs that succeeded, "macro_f1_sd", "runs", and "failed", the number
        of runs that failed.
    """
    groups = results.groupby(["splits", "set", "method"], sort=False)
    table = groups[[name for name in (*METRICS, *NOVELTY_METRICS) if name in results]].mean()
    return table.assign(
        macro_f1_sd=groups["macro_f1"].std(),
        runs=groups.size(),
        failed=groups["error"].agg(lambda errors: int((errors != "").sum())),
    )


def over_sets(summary: pd.DataFrame) -> pd.DataFrame:
    """Compute means over sets, in which all sets have the same weight, indexed by "splits" and "method".

    Returns
    -------
    DataFrame
        The mean of each metric, and "rank": the mean rank of the method by macro-F1, 1 for the best. A method
        that failed on all splits of a set has neither a mean accuracy nor a rank, as those of the others
        include that set. "peak_memory_gb" is the maximum.
    """
    rank = summary["macro_f1"].groupby(level=["splits", "set"], sort=False).rank(ascending=False)
    groups = summary.assign(rank=rank).groupby(level=["splits", "method"], sort=False)
    metrics = [name for name in (*METRICS, *NOVELTY_METRICS) if name in summary]
    table = groups[[*metrics, "rank"]].mean()
    table["peak_memory_gb"] = groups["peak_memory_gb"].max()
    incomplete = groups["macro_f1"].agg(lambda values: values.isna().any())
    table.loc[incomplete, [name for name in (*metrics, "rank") if name not in COSTS]] = np.nan
    return table


def differences(results: pd.DataFrame) -> pd.DataFrame:
    """Compare the macro-F1 of the default with controls and the best baseline, paired over the splits.

    The best baseline is the one with the highest mean on these very splits among those that never failed,
    which favors it. Splits of one set share cells and are not independent, so intervals are too narrow rather
    than too wide. The set "all sets" is paired over the means of the sets.

    Returns
    -------
    DataFrame
        "splits", "set", "default", "than" (a control or "best baseline"), "method" (its name) and the results
        of `paired_test`; empty if the default was not run.
    """
    default = results.loc[results["role"] == "default", "method"].unique()
    if not len(default):
        return pd.DataFrame()
    rows = []
    for name, of_kind in results.groupby("splits", sort=False):
        found = list(_differences_on(of_kind, default[0]))
        means: dict[str, list[float]] = {}
        for set_name, than, method, gain in found:
            means.setdefault(than, []).append(float(gain.mean()))
            rows.append(_difference(name, set_name, default[0], than, method, gain))
        rows += [
            _difference(name, "all sets", default[0], than, than, np.array(gains))
            for than, gains in means.items()
            if len(gains) > 1
        ]
    return pd.DataFrame(rows)


def _differences_on(results: pd.DataFrame, default: str) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Yield set, control or "best baseline", its name, and the default's gain on each split."""
    for set_name, part in results.groupby("set", sort=False):
        scores = part.pivot(index="split", columns="method", values="macro_f1")
        if default not in scores:
            continue
        others = {method: method for method in CONTROLS if method in scores and method != default}
        baselines = part.loc[part["role"] == "baseline", "method"].unique()
        if complete := [method for method in baselines if scores[method].notna().all()]:
            others["best baseline"] = scores[complete].mean().idxmax()
        for than, method in others.items():
            yield set_name, than, method, (scores[default] - scores[method]).dropna().to_numpy()


def _difference(
    name: str, set_name: str, default: str, than: str, method: str, gain: np.ndarray
) -> dict[str, Any]:
    row = {"splits": name, "set": set_name, "default": default, "than": than, "method": method}
    return row | paired_test(gain)


def markdown(results: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of a Markdown table of all methods per kind of split, and of the differences."""
    yield from method_tables(results)
    if len(gains := differences(results)):
        yield from ("", "### Differences in macro-F1, points (95 % interval over splits)", "")
        yield from ("| splits | set | difference | points | pairs |", "|---|---|---|---|---|")
        for row in gains.itertuples():
            than = row.than if row.method == row.than else f"{row.than} ({row.method})"
            yield (
                f"| {row.splits} | {row.set} | {row.default} − {than} "
                f"| {points(row.difference, row.low, row.high)} | {row.pairs} |"
            )


def method_tables(results: pd.DataFrame, over: str = "sets") -> Iterator[str]:
    """Yield the lines of a Markdown table of all methods per kind of split."""
    summary = summarize(results)
    means = over_sets(summary)
    columns = [column for column in COLUMNS if column[1] in means]
    for name in results["splits"].unique():
        part = summary.loc[name]
        sets = part.index.get_level_values("set").unique()
        header = ["method", *sets, *(title.format(over=over) for title, _, _ in columns)]
        yield from ("", f"### {name}: macro-F1, mean ± sd", "")
        yield from (f"| {' | '.join(header)} |", "|---" * len(header) + "|")
        for method, row in means.loc[name].iterrows():
            scores = [
                _score(part.loc[set_name, method]) if (set_name, method) in part.index else "–"
                for set_name in sets
            ]
            metrics = [number(row[column], digits) for _, column, digits in columns]
            yield f"| {' | '.join([method, *scores, *metrics])} |"


def points(difference: float, low: float, high: float) -> str:
    """Format a difference as points, with its interval unless that is NaN."""
    interval = "" if np.isnan(low) else f" ({100 * low:+.2f} to {100 * high:+.2f})"
    return f"{100 * difference:+.2f}{interval}"


def _score(row: pd.Series) -> str:
    if row["failed"] == row["runs"]:
        return "failed"
    succeeded = int(row["runs"] - row["failed"])
    spread = f" ± {row['macro_f1_sd']:.3f}" if succeeded > 1 else ""
    share = f" ({succeeded} of {row['runs']:.0f})" if row["failed"] else ""
    return number(row["macro_f1"], 3) + spread + share


def number(value: float, digits: int) -> str:
    """Format a number, and NaN as a dash."""
    return "–" if np.isnan(value) else f"{value:.{digits}f}"


def write(folder: str | Path, results: pd.DataFrame, settings: dict[str, Any]) -> list[Path]:
    """Write every run (accuracy.csv), tables and settings (accuracy.json), and a figure (accuracy.png)."""
    summary = summarize(results)
    tables = {
        **settings,
        "sets": records(summary.reset_index()),
        "methods": records(over_sets(summary).reset_index()),
        "differences": records(differences(results)),
    }
    return write_results(folder, "accuracy", results, tables, plot)


def plot(results: pd.DataFrame, path: str | Path, over: str = "sets") -> None:
    """Draw macro-F1 by method, a panel per kind of split: small dots for sets, a large one for their mean."""
    from matplotlib.figure import Figure

    from gene_gcn.plots.figure import FAINT, INK, save_figure

    summary = summarize(results)
    means = over_sets(summary)
    kinds, names = list(results["splits"].unique()), list(results["method"].unique())[::-1]
    baselines = set(results.loc[results["role"] == "baseline", "method"])
    n_columns = min(4, len(kinds))
    n_rows = -(-len(kinds) // n_columns)
    figure = Figure(
        figsize=(3.2 + 2.2 * n_columns, n_rows * (0.24 * len(names) + 0.8) + 0.3), layout="constrained"
    )
    axes = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False).ravel()
    for axis in axes[len(kinds) :]:
        axis.remove()
    for axis, kind in zip(axes, kinds, strict=False):
        for position, name in enumerate(names):
            color = BASELINE_COLOR if name in baselines else VARIANT_COLOR
            of_sets = summary.loc[kind].query("method == @name")["macro_f1"]
            axis.plot(of_sets, np.full(len(of_sets), position), "o", color=color, alpha=0.35, markersize=3)
            if (kind, name) in means.index:
                axis.plot(means.loc[(kind, name), "macro_f1"], position, "o", color=color, markersize=7)
        axis.set_title(kind, fontsize=9, color=INK)
        axis.tick_params(axis="x", labelsize=7)
        axis.tick_params(axis="y", labelsize=8, labelcolor=INK, length=0)
        axis.grid(axis="x", color="#e4e7eb")
        axis.spines[["top", "right", "left"]].set_visible(False)
    axes[0].set_yticks(range(len(names)), names)
    figure.supxlabel(f"macro-F1: {over}, and their mean", fontsize=9, color=FAINT)
    save_figure(figure, path)
