"""Tables and a figure of references and queries, from the rows of `gene_gcn.benchmark.transfer.run`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from gene_gcn.benchmark.accuracy_tables import method_tables, number, over_sets, plot, points, summarize
from gene_gcn.benchmark.paired import paired_test
from gene_gcn.benchmark.runs import records, write_results

OVER = "families"
ALL = f"all {OVER}"
COMPARED = {
    "macro_f1": "macro-F1",
    "auroc_confidence": "AUROC of 1 − confidence",
    "auroc_novelty": "AUROC of novelty",
}


def differences(results: pd.DataFrame, metric: str = "macro_f1") -> pd.DataFrame:
    """Compare every method with the first one, paired over the pairs of a family and of all families.

    Pairs of a family share cells and are not independent, so intervals are too narrow rather than too wide.

    Returns
    -------
    DataFrame
        "splits", "family", "method", "than" (the first method); the results of `paired_test` for method −
        first; "ahead" and "behind", the numbers of pairs; "worst" and "worst_difference", the pair in which
        the method is furthest behind, or least ahead. Pairs without a value of one of the two are left out.
    """
    rows = []
    for splits, of_kind in results.groupby("splits", sort=False):
        scores = of_kind.pivot(index=["set", "split"], columns="method", values=metric)
        first, *others = of_kind["method"].unique()
        for method in others:
            gains = (scores[method] - scores[first]).dropna()
            families = {str(name): part.droplevel("set") for name, part in gains.groupby("set", sort=False)}
            if len(families) > 1:
                families[ALL] = gains.droplevel("set")
            rows += [
                {"splits": splits, "family": family, "method": method, "than": first}
                | paired_test(part.to_numpy())
                | {
                    "ahead": int((part > 0).sum()),
                    "behind": int((part < 0).sum()),
                    "worst": str(part.idxmin()),
                    "worst_difference": float(part.min()),
                }
                for family, part in families.items()
            ]
    return pd.DataFrame(rows)


def novelty_by_type(results: pd.DataFrame) -> pd.DataFrame:
    """Compute the mean AUROC of each held-out type, by family and method."""
    held_out = results[results["held_out"] != ""]
    keys = ["splits", "set", "held_out", "method"]
    return held_out.groupby(keys, sort=False)[["auroc_confidence", "auroc_novelty"]].mean()


def markdown(results: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of Markdown tables: all methods, the differences, and the types that were held out."""
    yield from method_tables(results, OVER)
    for metric, title in COMPARED.items():
        gains = differences(results, metric)
        if gains.empty:
            continue
        yield from ("", f"### Differences in {title}, points (95 % interval over pairs)", "")
        header = ("splits", "family", "difference", "points", "pairs", "ahead", "behind", "worst pair")
        yield from (f"| {' | '.join(header)} |", "|---" * len(header) + "|")
        for row in gains.itertuples():
            yield (
                f"| {row.splits} | {row.family} | {row.method} − {row.than} "
                f"| {points(row.difference, row.low, row.high)} | {row.pairs} | {row.ahead} | {row.behind} "
                f"| {row.worst} ({100 * row.worst_difference:+.1f}) |"
            )
    by_type = novelty_by_type(results)
    if by_type.empty:
        return
    table = by_type.apply(lambda row: " / ".join(number(value, 3) for value in row), axis=1).unstack("method")
    methods = list(results["method"].unique())
    header = ("splits", "family", "held-out type", *methods)
    yield from ("", "### AUROC by held-out type: 1 − confidence / novelty", "")
    yield from (f"| {' | '.join(header)} |", "|---" * len(header) + "|")
    for names, row in table.iterrows():
        yield f"| {' | '.join([*names, *row.reindex(methods, fill_value='–').fillna('–')])} |"


def write(folder: str | Path, results: pd.DataFrame, settings: dict[str, Any]) -> list[Path]:
    """Write every run (transfer.csv), tables and settings (transfer.json), and a figure (transfer.png)."""
    summary = summarize(results)
    tables = {
        **settings,
        "families": records(summary.reset_index()),
        "methods": records(over_sets(summary).reset_index()),
        "differences": {metric: records(differences(results, metric)) for metric in COMPARED},
        "held_out_types": records(novelty_by_type(results).reset_index()),
    }
    return write_results(folder, "transfer", results, tables, partial(plot, over=OVER))
