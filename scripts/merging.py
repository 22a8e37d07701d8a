"""Merge models of parts of a data set, and compare the result with a model that is trained on all cells.

    python scripts/merging.py CELLS... --label cell_type [--batch batch]

A fifth of the cells of each set is held out. The others are divided by `--batch`, of which the two values
with the most cells are taken, or else at random into two halves. A row per set: macro-F1 on the held-out
cells of both models, of the model that is trained on all cells together, of the merged one, and of the first
one to which the cells of the second were added; the expected calibration error of two of them, and seconds
that merging takes.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import anndata
import numpy as np

from gene_gcn import GeneGCNClassifier, merge_models
from gene_gcn.benchmark.metrics import evaluate, expected_calibration_error
from gene_gcn.benchmark.splits import folds, labeled_cells, without_rare_types


def measure(path: Path, label: str, batch: str | None) -> dict[str, object]:
    """Return the row of a set."""
    every = anndata.read_h5ad(path)
    cells = without_rare_types(labeled_cells(every, label), label)
    train, test = next(folds(cells.obs[label].to_numpy()))
    train, query = cells[train].copy(), cells[test].copy()
    if batch is None or batch not in train.obs:
        part = np.random.default_rng(0).integers(0, 2, train.n_obs)
        parts = [train[part == index].copy() for index in (0, 1)]
    else:
        largest = train.obs[batch].value_counts().index[:2]
        parts = [train[train.obs[batch] == value].copy() for value in largest]
        query = query[query.obs[batch].isin(largest)].copy()
    together = anndata.concat(parts)
    models = [GeneGCNClassifier(random_state=0).fit(part, label) for part in (*parts, together)]
    start = time.perf_counter()
    merged = merge_models(*models[:2])
    seconds = time.perf_counter() - start
    added = models[0].add(parts[1], label)
    true = query.obs[label].to_numpy()
    row: dict[str, object] = {"set": path.stem, "cells": f"{parts[0].n_obs:,} + {parts[1].n_obs:,}"}
    names = ("first", "second", "together", "merged", "added")
    for name, model in zip(names, (*models, merged, added), strict=True):
        row[name] = round(evaluate(true, model.predict(query))["macro_f1"], 3)
    for name, model in {"together": models[2], "merged": merged}.items():
        probability = model.predict_proba(query)
        called = model.classes_[probability.argmax(axis=1)]
        row[f"calibration error, {name}"] = round(
            expected_calibration_error(true, called, probability.max(axis=1)), 3
        )
    return row | {"seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", nargs="+", type=Path)
    parser.add_argument("--label", required=True)
    parser.add_argument("--batch")
    arguments = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [measure(path, arguments.label, arguments.batch) for path in arguments.cells]
    print(*markdown(rows), sep="\n")


def markdown(rows: Sequence[dict[str, object]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(rows[0])} |"
    yield f"|{'---|' * len(rows[0])}"
    for row in rows:
        yield f"| {' | '.join(map(str, row.values()))} |"


if __name__ == "__main__":
    main()
