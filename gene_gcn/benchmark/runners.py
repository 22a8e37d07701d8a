"""How a method of the benchmark is fitted and tested, and what that yields and costs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from sklearn.base import ClassifierMixin

from gene_gcn.benchmark.runs import peak_memory
from gene_gcn.networks import GeneNetwork

if TYPE_CHECKING:
    from anndata import AnnData


KEY = "predicted"  # where `annotate` writes


class Outcome(NamedTuple):
    """Predictions for the test cells, and their cost.

    Attributes
    ----------
    predicted : ndarray, shape (B,)
    probabilities : ndarray, shape (B, K), or None
        None for methods without probabilities.
    fit_seconds, predict_seconds : float
    peak_memory_gb : float
        Of the whole process.
    cpu_seconds : float
        Of fit and predict, over all threads.
    novelty : ndarray, shape (B,), or None
        P-values of "none of these types"; None for methods without them.
    """

    predicted: np.ndarray
    probabilities: np.ndarray | None
    fit_seconds: float
    predict_seconds: float
    peak_memory_gb: float
    cpu_seconds: float
    novelty: np.ndarray | None = None


class Runner(Protocol):
    """A method, ready to be fitted on the training cells of a split."""

    @property
    def settings(self) -> list[Any]:
        """Everything that determines the predictions, as JSON can hold it."""

    def run(self, train: AnnData, labels: np.ndarray, test: AnnData) -> Outcome:
        """Fit on the training cells and predict the test cells."""


@dataclass(frozen=True, eq=False)
class InProcess:
    """A classifier that is fitted in this process.

    Attributes
    ----------
    classifier : scikit-learn classifier
        Unfitted; it takes an AnnData.
    shows_query : bool
        Whether `fit` gets the test cells, without their labels, as `unlabelled`.
    annotate : dict, optional
        If given, the test cells are annotated as a whole, by `annotate` with these arguments, instead of one
        by one.
    shared_genes : bool
        Whether `fit` gets only the genes that the test cells have.
    """

    classifier: ClassifierMixin
    shows_query: bool = False
    annotate: dict[str, Any] | None = None
    shared_genes: bool = False

    @property
    def settings(self) -> list[Any]:
        """Everything that determines the predictions, without devices and threads, as JSON can hold it."""
        parameters = {
            name: value
            for name, value in self.classifier.get_params().items()
            if name not in ("device", "n_jobs", "verbose")
        }
        settings = [
            type(self.classifier).__name__,
            json.loads(json.dumps(parameters, default=_as_json)),
            self.shows_query,
        ]
        settings += ["shared genes"] if self.shared_genes else []
        return settings if self.annotate is None else [*settings, self.annotate]

    def run(self, train: AnnData, labels: np.ndarray, test: AnnData) -> Outcome:
        unlabeled = {"unlabelled": test} if self.shows_query else {}
        if self.shared_genes:
            train = train[:, train.var_names.isin(test.var_names)].copy()
        start, cpu_start = time.perf_counter(), time.process_time()
        with peak_memory() as peak:
            self.classifier.fit(train, labels, **unlabeled)
        fitted = time.perf_counter()
        predicted = self.classifier.predict(test) if self.annotate is None else self._annotate(test)
        done, cpu_done = time.perf_counter(), time.process_time()
        if self.annotate is not None:
            probabilities = test.obsm[f"{KEY}_proba"].to_numpy()
        elif hasattr(self.classifier, "predict_proba"):
            probabilities = self.classifier.predict_proba(test)
        else:
            probabilities = None
        novelty = self.classifier.novelty(test) if getattr(self.classifier, "judges_novelty", False) else None
        costs = (fitted - start, done - fitted, peak(), cpu_done - cpu_start)
        return Outcome(predicted, probabilities, *costs, novelty)

    def _annotate(self, test: AnnData) -> np.ndarray:
        self.classifier.annotate(test, key_added=KEY, **(self.annotate or {}))
        return test.obs[KEY].to_numpy(dtype=object)


def _as_json(value: object) -> str:
    return value.content_hash if isinstance(value, GeneNetwork) else type(value).__name__
