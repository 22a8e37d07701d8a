"""Methods whose growth is measured, from file to predictions, each in a process of its own.

`python -m gene_gcn.benchmark.scale_methods METHOD TRAIN.h5ad TEST.h5ad RESULT.json` runs one.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import StandardScaler

from gene_gcn.benchmark.baselines import Normalized
from gene_gcn.benchmark.made_cells import TYPE
from gene_gcn.benchmark.metrics import evaluate
from gene_gcn.benchmark.runs import peak_memory
from gene_gcn.cells import read_cells
from gene_gcn.cells.blocks import LARGEST_IN_MEMORY
from gene_gcn.estimators.classifier import GeneGCNClassifier

CLIP = 10  # standard deviations, as in CellTypist
PROCESS_GB = 0.6  # of a process that has loaded the libraries, and of a dense batch of cells


class FileClassifier(Protocol):
    """A classifier that takes paths of .h5ad files."""

    def fit(self, cells: Any, y: Any) -> Any: ...

    def predict(self, cells: Any) -> np.ndarray: ...


class ReadsFiles(ClassifierMixin, BaseEstimator):
    """A classifier of AnnData that is given paths.

    Parameters
    ----------
    classifier : scikit-learn classifier
    """

    def __init__(self, classifier: ClassifierMixin):
        self.classifier = classifier

    def fit(self, path: str, column: str) -> ReadsFiles:
        cells = read_cells(path)
        self.classifier.fit(cells, cells.obs[column].astype(str).to_numpy())
        return self

    def predict(self, path: str) -> np.ndarray:
        return self.classifier.predict(read_cells(path))


class MiniBatchSGD(ClassifierMixin, BaseEstimator):
    """Logistic regression by mini-batches, as CellTypist fits it with ``mini_batch=True``.

    Genes are standardized, and values above 10 are clipped. CellTypist does that to all cells at once, which
    makes them dense; here it is done batch by batch, which takes less memory and more time.

    Parameters
    ----------
    center : bool
        Whether genes are centered, as by CellTypist's default; otherwise batches stay sparse.
    batch_size, max_batches, epochs : int
        Cells per batch, batches per epoch, and epochs; the defaults are CellTypist's. Each epoch sees at most
        `batch_size * max_batches` random cells.
    alpha : float
        Strength of the L2 penalty, CellTypist's.
    random_state : int

    References
    ----------
    Domínguez Conde et al. (2022), doi:10.1126/science.abl5197.
    """

    def __init__(
        self,
        center: bool = True,
        batch_size: int = 1000,
        max_batches: int = 100,
        epochs: int = 10,
        alpha: float = 1e-4,
        random_state: int = 0,
    ):
        self.center = center
        self.batch_size = batch_size
        self.max_batches = max_batches
        self.epochs = epochs
        self.alpha = alpha
        self.random_state = random_state

    def fit(self, X: sparse.csr_matrix, y: np.ndarray) -> MiniBatchSGD:
        self.scale_ = StandardScaler(with_mean=False).fit(X).scale_.astype(X.dtype)
        self.mean_ = np.asarray(X.mean(axis=0), dtype=X.dtype).ravel()
        self.classes_ = np.unique(y)
        self.model_ = SGDClassifier(loss="log_loss", alpha=self.alpha, random_state=self.random_state)
        rng = np.random.default_rng(self.random_state)
        for _ in range(self.epochs):
            order = rng.permutation(len(y))[: self.batch_size * self.max_batches]
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                self.model_.partial_fit(self._standardize(X[batch]), y[batch], classes=self.classes_)
        return self

    def predict(self, X: sparse.csr_matrix) -> np.ndarray:
        starts = range(0, X.shape[0], self.batch_size)
        batches = (self._standardize(X[start : start + self.batch_size]) for start in starts)
        return np.concatenate([self.model_.predict(batch) for batch in batches])

    def _standardize(self, X: sparse.csr_matrix) -> sparse.csr_matrix | np.ndarray:
        if self.center:
            return np.minimum((X.toarray() - self.mean_) / self.scale_, CLIP)
        scaled = sparse.csr_matrix((X.data / self.scale_[X.indices], X.indices, X.indptr), X.shape)
        np.minimum(scaled.data, CLIP, out=scaled.data)
        return scaled


@dataclass(frozen=True)
class ScaledMethod:
    """A method and an estimate of its memory.

    Attributes
    ----------
    make : callable
        Returns it, unfitted.
    bytes_per_value, bytes_per_score, bytes_per_weight : float
        Peak memory per stored value, per cell and type, and per gene and type; measured on made cells of
        pbmc3k and rounded up.
    values_in_memory : float
        Stored values up to which cells are read into memory, and not block by block.
    """

    make: Callable[[], FileClassifier]
    bytes_per_value: float
    bytes_per_score: float
    bytes_per_weight: float
    values_in_memory: float = float("inf")

    def memory_gb(self, num_values: float, cells: int, types: int, genes: int) -> float:
        """Estimate the peak memory of a fit, in GB."""
        parts = (
            self.bytes_per_value * min(num_values, self.values_in_memory),
            self.bytes_per_score * cells * types,
            self.bytes_per_weight * genes * types,
        )
        return PROCESS_GB + sum(parts) / 2**30


METHODS = {
    "gene_gcn": ScaledMethod(lambda: GeneGCNClassifier(random_state=0), 27, 60, 250, LARGEST_IN_MEMORY),
    "logistic regression": ScaledMethod(
        lambda: ReadsFiles(Normalized(LogisticRegression(max_iter=1000), "log1p")), 27, 30, 260
    ),
    "SGD": ScaledMethod(lambda: ReadsFiles(Normalized(MiniBatchSGD(), "log1p")), 27, 0, 30),
    "SGD, sparse": ScaledMethod(
        lambda: ReadsFiles(Normalized(MiniBatchSGD(center=False), "log1p")), 27, 0, 30
    ),
}


def run(method: str, train: str, test: str) -> dict[str, Any]:
    """Fit a method on a file of made cells and test it on another.

    Returns
    -------
    dict
        "macro_f1"; "fit_seconds", "fit_cpu_seconds", "predict_seconds" and "predict_cpu_seconds", all with
        reading, CPU as user and system time of this process and its children; "peak_memory_gb" of this
        process, NaN except on Linux; "warnings", the categories of those that were issued.
    """
    classifier = METHODS[method].make()
    with warnings.catch_warnings(record=True) as issued, peak_memory() as peak:
        warnings.simplefilter("always")
        start, cpu_start = time.perf_counter(), _cpu_seconds()
        classifier.fit(train, TYPE)
        fitted, cpu_fitted = time.perf_counter(), _cpu_seconds()
        predicted = classifier.predict(test)
        done, cpu_done = time.perf_counter(), _cpu_seconds()
    true = read_cells(test).obs[TYPE].astype(str).to_numpy()
    return {
        "macro_f1": evaluate(true, np.asarray(predicted).astype(str))["macro_f1"],
        "fit_seconds": fitted - start,
        "fit_cpu_seconds": cpu_fitted - cpu_start,
        "predict_seconds": done - fitted,
        "predict_cpu_seconds": cpu_done - cpu_fitted,
        "peak_memory_gb": peak(),
        "warnings": ",".join(sorted({warning.category.__name__ for warning in issued})),
    }


def _cpu_seconds() -> float:
    return sum(os.times()[:4])


if __name__ == "__main__":
    Path(sys.argv[4]).write_text(json.dumps(run(*sys.argv[1:4])), encoding="utf-8")
