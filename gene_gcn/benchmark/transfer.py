"""Accuracy on another laboratory's cells, and what happens to cells of types that the reference lacks.

A method gets the reference with its labels and the whole query without labels. Variants of our classifier get
the genes of each side as they are; baselines, which cannot handle missing genes, get the shared ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, roc_auc_score

from gene_gcn import __version__
from gene_gcn.benchmark.accuracy import (
    METRICS,
    measure_outcome,
    run_without_labels,
    stored_or_measured,
)
from gene_gcn.benchmark.methods import Method
from gene_gcn.benchmark.pairs import Pair, on_shared_genes
from gene_gcn.benchmark.runners import Outcome, Runner
from gene_gcn.benchmark.runs import RunStore, digest, digest_of_cells
from gene_gcn.estimators.annotation import UNKNOWN_BELOW

if TYPE_CHECKING:
    from anndata import AnnData

CONFIDENT = 0.9  # a probability above it is a confident call
NOVEL = UNKNOWN_BELOW  # a p-value of "none of these types" below it means unknown
NOVELTY_METRICS = (
    "cpu_seconds",
    "auroc_confidence",
    "auroc_novelty",
    "novel_confident",
    "novel_found",
    "known_lost",
)


def run(
    pairs: Iterable[Pair],
    methods: Mapping[str, Sequence[Method]],
    folder: str | Path,
    *,
    on_result: Callable[[dict[str, Any], bool], None] | None = None,
) -> pd.DataFrame:
    """Fit every method on each reference and annotate its query, unless the folder has the result.

    Parameters
    ----------
    pairs : iterable of Pair
    methods : mapping of str to sequence of Method
        By the name of the set of a reference, as they depend on its network.
    folder : str or Path
        Where `runs.json` stores finished runs.
    on_result : callable, optional
        Called with each row and whether it was stored already.

    Returns
    -------
    DataFrame
        A row per pair and method, as from `accuracy.run`; "set" is the family of the pair and "split" the
        name of the pair. "reference", "query", "held_out"; "cells" and "novel_cells", the query cells of
        shared types and of types that the reference lacks. F1, accuracy and calibration error are those of
        the former, and "macro_f1" is the mean over the shared types. See `measure` for the other columns.
    """
    store, rows = RunStore(folder), []
    for pair in pairs:
        reference, query = pair.cells()
        shared = on_shared_genes(reference, query)
        y_reference, y_query = pair.reference.labels, pair.query.labels
        described = _describe(pair, y_reference, y_query)
        of_cells = digest_of_cells([(reference, y_reference), (query, y_query)])
        for method in methods[pair.reference.cell_set.name]:
            if method.kinds and pair.kind not in method.kinds:
                continue
            train, test = shared if method.role == "baseline" else (reference, query)
            runner = method.prepare(train)
            key = digest([__version__, of_cells, pair.held_out, method.role == "baseline", runner.settings])
            attempt = partial(_measure, runner, train, y_reference, test, y_query, pair.held_out)
            result, stored = stored_or_measured(store, key, method, attempt, (*METRICS, *NOVELTY_METRICS))
            rows.append({**described, "method": method.name, "role": method.role, **result})
            if on_result is not None:
                on_result(rows[-1], stored)
    return pd.DataFrame(rows)


def _describe(pair: Pair, y_reference: np.ndarray, y_query: np.ndarray) -> dict[str, Any]:
    known, novel = _known_and_novel(y_reference, y_query, pair.held_out)
    return {
        "set": pair.family,
        "kind": pair.kind,
        "splits": pair.splits,
        "split": pair.name,
        "reference": pair.reference.name,
        "query": pair.query.name,
        "held_out": pair.held_out,
        "cells": int(known.sum()),
        "novel_cells": int(novel.sum()),
    }


def _known_and_novel(
    y_reference: np.ndarray, y_query: np.ndarray, held_out: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return which cells are of shared types, and which are novel: all others, or of the held-out type."""
    known = np.isin(y_query.astype(str), np.unique(y_reference.astype(str)))
    return known, y_query == held_out if held_out else ~known


def _measure(
    runner: Runner, train: AnnData, y_train: np.ndarray, test: AnnData, y_test: np.ndarray, held_out: str
) -> dict[str, float]:
    outcome = run_without_labels(runner, train, y_train, test)
    return measure(outcome, y_train, y_test, held_out)


def measure(
    outcome: Outcome, y_reference: np.ndarray, y_query: np.ndarray, held_out: str = ""
) -> dict[str, float]:
    """Compute the metrics of a pair.

    Parameters
    ----------
    outcome : Outcome
        For all cells of the query.
    y_reference, y_query : ndarray of str
    held_out : str
        If given, only cells of this type are novel; other types that the reference lacks are left out.

    Returns
    -------
    dict of str to float
        `accuracy.METRICS` on cells of shared types, and: "cpu_seconds" of fit and predict;
        "auroc_confidence", how well 1 − the largest probability tells novel cells from those of shared
        types, and "auroc_novelty", how well 1 − the p-value of novelty does; "novel_confident", the fraction
        of novel cells with a probability above 0.9; "novel_found" and "known_lost", the fractions of novel
        cells and of the others with a p-value below 0.02. NaN without probabilities, p-values or novel cells.
    """
    known, novel = _known_and_novel(y_reference, y_query, held_out)
    confidence = None if outcome.probabilities is None else outcome.probabilities.max(axis=1)
    p_value = outcome.novelty
    of_known = outcome._replace(
        predicted=outcome.predicted[known],
        probabilities=None if outcome.probabilities is None else outcome.probabilities[known],
    )
    shared = np.unique(y_query[known].astype(str))
    macro_f1 = f1_score(
        y_query[known].astype(str),
        of_known.predicted.astype(str),
        labels=shared,
        average="macro",
        zero_division=0,
    )
    return {
        **measure_outcome(of_known, y_reference, y_query[known]),
        "macro_f1": float(macro_f1),
        "cpu_seconds": outcome.cpu_seconds,
        "auroc_confidence": _auroc(confidence, known, novel),
        "auroc_novelty": _auroc(p_value, known, novel),
        "novel_confident": float("nan") if confidence is None else _fraction(confidence[novel] > CONFIDENT),
        "novel_found": float("nan") if p_value is None else _fraction(p_value[novel] < NOVEL),
        "known_lost": float("nan") if p_value is None else _fraction(p_value[known] < NOVEL),
    }


def _auroc(score: np.ndarray | None, known: np.ndarray, novel: np.ndarray) -> float:
    """Return how well small scores tell novel from known cells; 0.5 is chance."""
    if score is None or not novel.any():
        return float("nan")
    either = known | novel
    return float(roc_auc_score(novel[either], -score[either]))


def _fraction(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
