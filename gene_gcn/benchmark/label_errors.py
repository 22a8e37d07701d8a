"""How well `gene_gcn.suspicious` finds labels that were flipped on purpose."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from gene_gcn import GeneGCNClassifier, suspicious
from gene_gcn.benchmark.accuracy import CellSet
from gene_gcn.cells import Normalizer, read_expression
from gene_gcn.errors import LabelWarning

FOLDS = 5


def flip_labels(labels: np.ndarray, rate: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Give a share of the cells, drawn at random, another type, drawn by the frequencies of the types.

    Parameters
    ----------
    labels : ndarray, shape (B,)
    rate : float
        The share, rounded to whole cells.
    rng : Generator

    Returns
    -------
    labels : ndarray, shape (B,)
    is_flipped : ndarray of bool, shape (B,)
    """
    types, y, counts = np.unique(labels, return_inverse=True, return_counts=True)
    is_flipped = np.zeros(len(y), bool)
    is_flipped[rng.choice(len(y), round(rate * len(y)), replace=False)] = True
    flipped = y.copy()
    for cell in np.flatnonzero(is_flipped):
        others = np.where(np.arange(len(types)) == y[cell], 0, counts)
        flipped[cell] = rng.choice(len(types), p=others / others.sum())
    return types[flipped], is_flipped


def measure(cells: CellSet, rates: Sequence[float], seeds: int) -> Iterator[dict[str, Any]]:
    """Flip labels of a set and look for them, at each rate with each seed.

    Yields
    ------
    dict
        "set", "rate", "seed", "cells", "types"; "auroc" of 1 − quality, over the cells that get a score, and
        "auroc_logistic" of 1 − the out-of-fold probability of the label by logistic regression on log1p
        CP10k, over the same cells; "precision" and "recall" of `is_suspicious`, over all cells;
        "cpu_seconds" of `suspicious`.
    """
    bare = AnnData(cells.cells.X, var=cells.cells.var[[]])  # its cells have unique names and no labels
    expression = read_expression(bare)
    log1p = Normalizer.fit(expression, "log1p").transform(expression)
    true = cells.cells.obs[cells.label].astype(str).to_numpy()
    for rate in rates:
        for seed in range(seeds):
            labels, is_flipped = flip_labels(true, rate, np.random.default_rng((seed, round(1000 * rate))))
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LabelWarning)  # types that flips have made too small
                clf = GeneGCNClassifier(random_state=seed)
                found = suspicious(
                    bare, labels.tolist(), estimator=clf, n_folds=FOLDS, random_state=seed
                ).cells.loc[bare.obs_names]
            seconds = time.process_time() - start
            is_judged = found["quality"].notna().to_numpy()
            called = found["is_suspicious"].to_numpy()
            yield {
                "set": cells.name,
                "rate": rate,
                "seed": seed,
                "cells": len(true),
                "types": len(np.unique(true)),
                "auroc": roc_auc_score(is_flipped[is_judged], -found["quality"].to_numpy()[is_judged]),
                "auroc_logistic": roc_auc_score(
                    is_flipped[is_judged], -_logistic(log1p, labels, seed)[is_judged]
                ),
                "precision": is_flipped[called].mean() if called.any() else float("nan"),
                "recall": called[is_flipped].mean(),
                "cpu_seconds": seconds,
            }


def _logistic(X: Any, labels: np.ndarray, seed: int) -> np.ndarray:
    """Return the out-of-fold probability of each label by logistic regression."""
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    _, y = np.unique(labels, return_inverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a type that flips have made smaller than the folds
        probability = cross_val_predict(
            LogisticRegression(max_iter=1000), X, y, cv=folds, method="predict_proba"
        )
    return probability[np.arange(len(y)), y]


def markdown(results: pd.DataFrame) -> Iterator[str]:
    """Yield the lines of a Markdown table: means over seeds, and over sets."""
    shown = ("auroc", "auroc_logistic", "precision", "recall", "cpu_seconds")
    means = results.groupby(["set", "rate"], sort=False)[list(shown)].mean()
    yield "| set | flipped | AUROC | AUROC, logistic regression | precision | recall | CPU, s |"
    yield "|---|---|---|---|---|---|---|"
    for (name, rate), row in means.iterrows():
        yield _row(str(name), float(rate), row)
    if means.index.get_level_values("set").nunique() > 1:
        for rate, row in means.groupby("rate").mean().iterrows():
            yield _row("mean over sets", float(rate), row)


def _row(name: str, rate: float, row: pd.Series) -> str:
    metrics = " | ".join(f"{value:.3f}" for value in row.iloc[:-1])
    return f"| {name} | {rate:.0%} | {metrics} | {row.iloc[-1]:.0f} |"
