"""Tables, tests and a figure of the paper's experiments, from the rows of `reproduce.run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gene_gcn.benchmark.paired import paired_test
from gene_gcn.benchmark.runs import records, write_results
from gene_gcn.benchmark.systems import CONCLUSIONS


def summarize(results: pd.DataFrame) -> pd.DataFrame:
    """Compute mean and standard deviation over trials, mean seconds and peak memory of each system."""
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
    """Test the paper's conclusions by accuracy, paired over trials.

    Runs on the same split, or on splits that share training cells, are not independent, so intervals over so
    few pairs are too narrow rather than too wide.

    Returns
    -------
    DataFrame
        "conclusion", "better" and "worse" (in the paper), and the results of `paired_test`, in accuracy.
    """
    accuracy = results.pivot(index=["split", "seed"], columns=["system", "genes"], values="accuracy")
    rows = []
    for text, better, worse in CONCLUSIONS:
        test = paired_test((accuracy[better] - accuracy[worse]).to_numpy())
        rows.append({"conclusion": text, "better": ", ".join(better), "worse": ", ".join(worse), **test})
    return pd.DataFrame(rows)


def write(
    folder: str | Path, name: str, results: pd.DataFrame, tests: pd.DataFrame | None, settings: dict[str, Any]
) -> list[Path]:
    """Write every run (.csv), the table, tests and settings (.json), and a figure (.png).

    Parameters
    ----------
    folder : str or Path
    name : str
        Of the files, without their endings.
    results : DataFrame
        From `reproduce.run`.
    tests : DataFrame or None
        From `conclusions`.
    settings : dict

    Returns
    -------
    list of Path
    """
    tables = {
        **settings,
        "systems": records(summarize(results)),
        "conclusions": [] if tests is None else records(tests),
    }
    return write_results(folder, name, results, tables, plot)


def plot(results: pd.DataFrame, path: str | Path) -> None:
    """Draw the accuracy of every run and the mean of each system, in percent."""
    from matplotlib.figure import Figure

    from gene_gcn.plots.figure import FAINT, INK, save_figure

    colors = {"all": "#1d6a8c", "interacting": "#d9822b"}
    groups = list(results.groupby(["system", "genes"], sort=False))[::-1]
    figure = Figure(figsize=(7.5, 0.32 * len(groups) + 1.2), layout="constrained")
    axis = figure.add_subplot()
    for position, ((_, genes), part) in enumerate(groups):
        values = 100 * part["accuracy"].to_numpy()
        axis.plot(values, np.full(len(values), position), "o", color=colors[genes], alpha=0.4, markersize=4)
        axis.plot(values.mean(), position, "|", color=INK, markersize=14, markeredgewidth=2)
    axis.set_yticks(
        range(len(groups)),
        [f"{system}; {genes} genes" for (system, genes), _ in groups],
        fontsize=8,
        color=INK,
    )
    axis.set_xlabel("test accuracy, %: every run, and the mean of each system", fontsize=9, color=FAINT)
    axis.grid(axis="x", color="#e4e7eb")
    axis.spines[["top", "right", "left"]].set_visible(False)
    save_figure(figure, path)
