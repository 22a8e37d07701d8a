"""Baselines: classifiers of scikit-learn that are in common use for cell types."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.utils.metaestimators import available_if

from gene_gcn.cells import Normalizer, read_expression

if TYPE_CHECKING:
    from anndata import AnnData


def baselines() -> dict[str, Callable[[AnnData], ClassifierMixin]]:
    """Return the baselines by name: functions from the training cells to an unfitted classifier."""

    def logistic() -> LogisticRegression:
        return LogisticRegression(max_iter=1000)

    return {
        "logistic regression, log1p CP10k": lambda cells: Normalized(logistic(), "log1p"),
        "linear SVM, log1p CP10k": lambda cells: Normalized(LinearSVC(random_state=0), "log1p"),
        "logistic regression, sqrt": lambda cells: Normalized(logistic(), "sqrt"),
        "SVD (rank 100) + logistic regression, sqrt": lambda cells: Normalized(
            make_pipeline(TruncatedSVD(min(100, *cells.shape), random_state=0), logistic()), "sqrt"
        ),
        "k-nearest neighbors on PCA, log1p CP10k": lambda cells: Normalized(
            make_pipeline(
                PCA(min(50, min(cells.shape) - 1), svd_solver="arpack", random_state=0),
                KNeighborsClassifier(min(15, cells.n_obs)),
            ),
            "log1p",
        ),
        "MLP (scikit-learn, Adam), log1p CP10k": lambda cells: Normalized(
            MLPClassifier(
                (128, 64), batch_size=min(64, cells.n_obs // 2), early_stopping=True, random_state=0
            ),
            "log1p",
        ),
    }


class Normalized(ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier on expression, normalized as `GeneGCNClassifier` normalizes it.

    Parameters
    ----------
    classifier : scikit-learn classifier
    normalization : {"sqrt", "log1p"}
    """

    def __init__(self, classifier: ClassifierMixin, normalization: str):
        self.classifier = classifier
        self.normalization = normalization

    def fit(self, cells: AnnData, y: np.ndarray) -> Normalized:
        expression = read_expression(cells)
        self.normalizer_ = Normalizer.fit(expression, self.normalization)
        self.classifier.fit(self.normalizer_.transform(expression), y)
        return self

    def predict(self, cells: AnnData) -> np.ndarray:
        return self.classifier.predict(self.normalizer_.transform(read_expression(cells)))

    @available_if(lambda self: hasattr(self.classifier, "predict_proba"))
    def predict_proba(self, cells: AnnData) -> np.ndarray:
        return self.classifier.predict_proba(self.normalizer_.transform(read_expression(cells)))
