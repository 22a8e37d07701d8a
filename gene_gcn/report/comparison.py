"""Predicted against known types, where these are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn.benchmark import metrics
from gene_gcn.cells import is_missing, labels_as_text, read_labels, to_same_kind
from gene_gcn.estimators.annotation import UNKNOWN
from gene_gcn.plots.types import as_types

if TYPE_CHECKING:
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier


@dataclass(frozen=True)
class KnownType:
    """A type that cells truly have: how many, how many got it, and what most of the others got."""

    name: str
    cells: int
    correct: int
    recall: float
    mistaken_for: str
    mistakes: int
    is_of_model: bool


@dataclass(frozen=True, eq=False)
class Comparison:
    """Predicted and known types of the cells with a label.

    Attributes
    ----------
    true, predicted : ndarray of object, shape (cells,)
        As text.
    rows : ndarray of int, shape (cells,)
        Their positions.
    classes : list of str, of length K
        The types of the model, spelled as in `true`.
    label : str
        What the labels are called.
    n_without : int
        Cells without a label.
    metrics : dict of str to float
    calibration_error : float
    types : tuple of KnownType
    """

    true: np.ndarray
    predicted: np.ndarray
    rows: np.ndarray
    classes: list[str]
    label: str
    n_without: int
    metrics: dict[str, float]
    calibration_error: float
    types: tuple[KnownType, ...]

    @property
    def n_foreign(self) -> int:
        """Cells of types that the model does not know."""
        return sum(known.cells for known in self.types if not known.is_of_model)

    @property
    def foreign(self) -> list[str]:
        return [known.name for known in self.types if not known.is_of_model]

    @classmethod
    def of(cls, clf: GeneGCNClassifier, adata: AnnData, y: Any, key: str) -> Comparison:
        """Compare with labels, or the column of `obs` that has them; some may be missing."""
        labels = read_labels(adata, y, allow_missing=True)
        rows = np.flatnonzero(~is_missing(labels))
        true, types = map(labels_as_text, to_same_kind(labels[rows], clf.classes_))
        renamed = dict(zip(map(str, clf.classes_), types, strict=True))
        predicted = np.array([renamed.get(name, name) for name in as_types(adata.obs[key])[rows]], object)
        confidence = adata.obs[f"{key}_confidence"].to_numpy(float)[rows]
        return cls(
            true=true,
            predicted=predicted,
            rows=rows,
            classes=list(types),
            label=y if isinstance(y, str) else "the labels given",
            n_without=adata.n_obs - len(rows),
            metrics=metrics.evaluate(true, predicted) | {"macro_f1": _macro_f1(true, predicted)},
            calibration_error=metrics.expected_calibration_error(true, predicted, confidence),
            types=tuple(_known_types(true, predicted, set(types))),
        )


def _macro_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean F1 of all types that occur; "unknown" is a mistake, but not a type of its own."""
    from sklearn.metrics import f1_score

    types = sorted({*true, *predicted} - ({UNKNOWN} - {*true}))
    return float(f1_score(true, predicted, labels=types, average="macro", zero_division=0))


def _known_types(true: np.ndarray, predicted: np.ndarray, of_model: set[str]) -> list[KnownType]:
    counts = pd.crosstab(pd.Series(true), pd.Series(predicted))
    known = []
    for name, row in metrics.recall_per_type(true, predicted).iterrows():
        wrong = counts.loc[name].drop(name, errors="ignore")
        worst = wrong.idxmax() if len(wrong) and wrong.max() else ""
        known.append(
            KnownType(
                name=str(name),
                cells=int(row["cells"]),
                correct=int(row["correct"]),
                recall=float(row["recall"]),
                mistaken_for=str(worst),
                mistakes=int(wrong.max()) if worst else 0,
                is_of_model=name in of_model,
            )
        )
    return known
