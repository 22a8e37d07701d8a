"""Tables and a figure of growth, from the rows of `gene_gcn.benchmark.scale.measure`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gene_gcn.benchmark.runs import records, write_results
from gene_gcn.benchmark.scale import AXES, COSTS, along, exponents

# Columns of the Markdown tables: column, header, digits.
COLUMNS = (
    ("fit_seconds", "fit, s", 1),
    ("fit_cpu_seconds", "fit, CPU s", 1),
    ("predict_cpu_seconds", "predict, CPU s", 2),
    ("peak_memory_gb", "peak memory, GB", 2),
    ("macro_f1", "macro-F1", 3),
)
COLORS = ("#1d6a8c", "#d9822b", "#7b8794", "#a33b5c")


def markdown(results: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of a table per axis with several values, and of one of exponents."""
    axes = [axis for axis in AXES if results[axis].nunique() > 1]
    for axis in axes or AXES[:1]:
        part = along(results, axis)
        others = ", ".join(f"{part[name].iloc[0]:,} {name}" for name in AXES if name != axis)
        yield f"By {axis}; {others}:"
        yield ""
        yield f"| {axis} | method | {' | '.join(header for _, header, _ in COLUMNS)} |"
        yield "|" + "---|" * (2 + len(COLUMNS))
        for row in part.to_dict("records"):
            if row["error"]:
                shown = [row["error"], *[""] * (len(COLUMNS) - 1)]
            else:
                shown = [f"{row[column]:.{digits}f}" for column, _, digits in COLUMNS]
            yield f"| {row[axis]:,} | {row['method']} | {' | '.join(shown)} |"
        yield ""
    if axes:
        yield from _exponents(exponents(results))


def _exponents(fitted: pd.DataFrame) -> Iterator[str]:
    headers = {column: header for column, header, _ in COLUMNS}
    yield "Exponents (± standard error) of costs as powers of each axis:"
    yield ""
    yield f"| axis | method | points | {' | '.join(headers[cost] for cost in COSTS)} |"
    yield "|" + "---|" * (3 + len(COSTS))
    for (axis, method), part in fitted.groupby(["axis", "method"], sort=False):
        rows = part.set_index("cost").loc[list(COSTS)]
        shown = [
            "–" if pd.isna(row.exponent) else f"{row.exponent:.2f} ± {row.standard_error:.2f}"
            for row in rows.itertuples()
        ]
        yield f"| {axis} | {method} | {rows['points'].max()} | {' | '.join(shown)} |"


def write(results: pd.DataFrame, folder: str | Path, settings: dict[str, Any]) -> list[Path]:
    """Write a row per run (.csv), settings and exponents (.json), and a figure (.png) named "scale"."""
    fitted = exponents(results)
    tables = {"settings": settings, "exponents": [] if fitted.empty else records(fitted)}
    return write_results(folder, "scale", results, tables, plot)


def plot(results: pd.DataFrame, path: str | Path) -> None:
    """Draw CPU seconds of fits on logarithmic axes, a panel per axis with several values."""
    from matplotlib.figure import Figure

    from gene_gcn.plots.figure import save_figure

    axes = [axis for axis in AXES if results[axis].nunique() > 1] or list(AXES[:1])
    figure = Figure(figsize=(4 * len(axes), 3.6), layout="constrained")
    panels = figure.subplots(1, len(axes), sharey=True, squeeze=False)[0]
    colors = dict(zip(results["method"].unique(), COLORS, strict=False))
    for panel, axis in zip(panels, axes, strict=True):
        for method, part in along(results, axis).groupby("method", sort=False):
            panel.loglog(part[axis], part["fit_cpu_seconds"], "o-", color=colors[method], label=method)
        shown = sorted(results[axis].unique())
        panel.set(xlabel=axis, xticks=shown, xticklabels=[f"{size:,}" for size in shown])
        panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    panels[0].set_ylabel("fit, CPU seconds")
    panels[0].legend(frameon=False)
    save_figure(figure, path)
