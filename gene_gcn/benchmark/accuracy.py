"""Accuracy of the classifier beside its controls and its peers, on the same folds.

Everything is learned from the training part of a fold. The controls tell what a graph is worth: no graph, the
individual graph only, the global graph only, both, and both with the network rewired at random.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from gene_gcn.benchmark.metrics import evaluate
from gene_gcn.classifier import GeneGCNClassifier
from gene_gcn.expression import Normalizer, read_expression
from gene_gcn.networks import GeneNetwork

if TYPE_CHECKING:
    from anndata import AnnData

SMALLEST_TYPE = 5
MOST_LEFT_OUT = 10              # groups up to which each is held out alone
Split = tuple[np.ndarray, np.ndarray]


class Normalized(ClassifierMixin):
    """A scikit-learn classifier on expression normalised as this package does it.

    Parameters
    ----------
    classifier : classifier
    normalization : {"sqrt", "log1p"}
    """

    def __init__(self, classifier, normalization: str):
        self.classifier = classifier
        self.normalization = normalization

    def fit(self, cells: AnnData, y) -> Normalized:
        expression = read_expression(cells)
        self.normalizer_ = Normalizer.fit(expression, self.normalization)
        self.classifier.fit(self.normalizer_.transform(expression), y)
        return self

    def predict(self, cells: AnnData) -> np.ndarray:
        return self.classifier.predict(self.normalizer_.transform(read_expression(cells)))


class Pretrained(ClassifierMixin):
    """A `GeneGCNClassifier` whose autoencoder sees further cells, without their labels.

    Parameters
    ----------
    classifier : GeneGCNClassifier with head_init="autoencoder"
    unlabelled : AnnData
    """

    def __init__(self, classifier: GeneGCNClassifier, unlabelled: AnnData):
        self.classifier = classifier
        self.unlabelled = unlabelled

    def fit(self, cells: AnnData, y) -> Pretrained:
        self.classifier.fit(cells, y, unlabelled=self.unlabelled)
        return self

    def predict(self, cells: AnnData) -> np.ndarray:
        return self.classifier.predict(cells)


def controls(network: GeneNetwork, **parameters) -> dict[str, Callable[[], GeneGCNClassifier]]:
    """The default classifier with a network and its four controls, by name."""
    parameters = {"random_state": 0, **parameters}
    rewired = network.rewired(0)
    return {
        "both graphs": lambda: GeneGCNClassifier(network, **parameters),
        "no graph": lambda: GeneGCNClassifier(None, attention=None, **parameters),
        "individual graph only": lambda: GeneGCNClassifier(None, **parameters),
        "global graph only": lambda: GeneGCNClassifier(network, attention=None, **parameters),
        "both, network rewired": lambda: GeneGCNClassifier(rewired, **parameters),
    }


def starts(cells: AnnData, **parameters) -> dict[str, Callable[[], ClassifierMixin]]:
    """Starts of the head without any graph, by name, to see what unlabelled cells are worth."""
    parameters = {"attention": None, "random_state": 0, **parameters}

    def from_autoencoder() -> GeneGCNClassifier:
        return GeneGCNClassifier(None, head_init="autoencoder", **parameters)

    return {
        "no graph, random start": lambda: GeneGCNClassifier(None, head_init="random", **parameters),
        "no graph, autoencoder": from_autoencoder,
        "no graph, autoencoder of all cells": lambda: Pretrained(from_autoencoder(), cells),
    }


def peers() -> dict[str, Callable[[], Normalized]]:
    """What people use otherwise, by name."""
    return {
        "logistic regression, log1p CP10k": lambda: Normalized(LogisticRegression(max_iter=1000), "log1p"),
        "linear SVM, log1p CP10k": lambda: Normalized(LinearSVC(), "log1p"),
        "logistic regression, sqrt": lambda: Normalized(LogisticRegression(max_iter=1000), "sqrt"),
        "MLP (scikit-learn, Adam), log1p CP10k": lambda: Normalized(
            MLPClassifier((128, 64), batch_size=64, early_stopping=True, random_state=0), "log1p"),
    }


def folds(labels: np.ndarray, n_folds: int = 5) -> Iterator[Split]:
    """Stratified folds over all cells, seed 0."""
    return StratifiedKFold(n_folds, shuffle=True, random_state=0).split(labels, labels)


def whole_groups(groups: np.ndarray, n_folds: int = 5) -> list[Split]:
    """Hold out whole groups of cells, such as donors or laboratories.

    Up to ten groups are held out one by one; more are shared out among `n_folds` folds of about equal size.

    Parameters
    ----------
    groups : ndarray, shape (B,)
        The group of each cell.

    Raises
    ------
    ValueError
        Only one group.
    """
    count = len(pd.unique(groups))
    if count < 2:
        raise ValueError(f"groups has one value, {str(groups[0])!r}, for all {len(groups):,} cells; two or "
                         "more are needed to hold one out.")
    splitter = LeaveOneGroupOut() if count <= MOST_LEFT_OUT else GroupKFold(n_folds)
    return list(splitter.split(groups, groups=groups))


def group_column(cells: AnnData, column: str) -> np.ndarray:
    """The groups of the cells as text, shape (B,); ValueError if a cell has none or there is no such column."""
    if column not in cells.obs:
        raise ValueError(f"groups={column!r} is not a column of obs; these are: {list(cells.obs)}.")
    missing = cells.obs[column].isna()
    if missing.any():
        raise ValueError(f"groups={column!r} is empty for {missing.sum():,} of {cells.n_obs:,} cells; drop them.")
    return cells.obs[column].astype(str).to_numpy()


def few_labels(labels: np.ndarray, per_type: int = 10, seeds: Iterable[int] = range(5)) -> Iterator[Split]:
    """Train on a few cells of each type and test on all others, once per seed."""
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(labels))
        rank = pd.Series(labels[order]).groupby(labels[order]).cumcount().to_numpy()
        yield np.sort(order[rank < per_type]), np.sort(order[rank >= per_type])


def compare(cells: AnnData, label: str, methods: dict[str, Callable[[], ClassifierMixin]],
            splits: Callable[[np.ndarray], Iterable[Split]] = folds, groups: str | None = None,
            on_result: Callable[[dict], None] | None = None) -> pd.DataFrame:
    """Fit and test every method on every split.

    Parameters
    ----------
    cells : AnnData
        Raw counts. Types of fewer than five cells are left out.
    label : str
        Column of `cells.obs`.
    methods : dict of name to a function that makes an unfitted classifier
    splits : callable
        From the labels to pairs of training and test positions: `folds` or `few_labels`.
    groups : str, optional
        Column of `cells.obs` whose groups are held out whole, instead of `splits`. Cells of a type that only
        the groups held out have cannot be named rightly, and count.
    on_result : callable, optional
        Called with each row as it is ready.

    Returns
    -------
    DataFrame
        A row per method and split: "method", "split", the figures of `metrics.evaluate`, "fit_seconds",
        "predict_seconds" and "peak_memory_gb" of the whole process while fitting (NaN but on Linux).
    """
    cells = cells[frequent(cells, label)].copy()
    labels = cells.obs[label].astype(str).to_numpy()
    pairs = splits(labels) if groups is None else whole_groups(group_column(cells, groups))
    rows = []
    for number, (train, test) in enumerate(pairs):
        for name, make in methods.items():
            method = make()
            start = time.perf_counter()
            with peak_memory() as peak:
                method.fit(cells[train], labels[train])
            fitted = time.perf_counter()
            predicted = method.predict(cells[test])
            done = time.perf_counter()
            rows.append({"method": name, "split": number, **evaluate(labels[test], predicted),
                         "fit_seconds": fitted - start, "predict_seconds": done - fitted,
                         "peak_memory_gb": peak()})
            if on_result is not None:
                on_result(rows[-1])
    return pd.DataFrame(rows)


def frequent(cells: AnnData, label: str) -> np.ndarray:
    """Which cells are of a type with at least five cells."""
    labels = cells.obs[label]
    return labels.notna().to_numpy() & (labels.map(labels.value_counts()).to_numpy(float) >= SMALLEST_TYPE)


@contextmanager
def peak_memory() -> Iterator[Callable[[], float]]:
    """Largest resident memory of this process inside the block, in GB; NaN where the system does not tell."""
    reset, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    peak = float("nan")
    try:
        reset.write_text("5")               # Linux: forget the largest value so far
    except OSError:
        yield lambda: peak
        return
    yield lambda: peak
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    peak = int(line.split()[1]) / 2**20


def summarize(results: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over the splits, a row per method, in the order of the methods."""
    figures = results.drop(columns="split").groupby("method", sort=False)
    return figures.agg(["mean", "std"])
