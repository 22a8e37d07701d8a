"""Labels of a reference that are probably wrong, and types whose labels overlap."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils import check_random_state

from gene_gcn.cells import (
    Expression,
    Normalizer,
    are_references,
    as_cells,
    is_anndata,
    near_duplicate_groups,
)
from gene_gcn.cells.scale import SCALES
from gene_gcn.errors import (
    Argument,
    ArgumentError,
    DuplicateGenesWarning,
    EmptyCellsWarning,
    GeneGCNWarning,
    GeneNamesWarning,
    LabelWarning,
    MissingGenesWarning,
    ScaleWarning,
    first_few,
    warn,
)
from gene_gcn.estimators.base import LEARNED_ZEROS, has_no_cells
from gene_gcn.estimators.classifier import GeneGCNClassifier
from gene_gcn.estimators.targets import Targets
from gene_gcn.estimators.training_input import TrainingInput
from gene_gcn.uncertainty import confusable_pairs, label_quality, suspicious_labels

if TYPE_CHECKING:
    from gene_gcn.estimators.base import CellsLike

__all__ = ["SuspiciousLabels", "suspicious"]

# Warnings that are issued once, for all cells.
ALREADY_SAID = (
    LabelWarning,
    EmptyCellsWarning,
    ScaleWarning,
    GeneNamesWarning,
    DuplicateGenesWarning,
    MissingGenesWarning,
)
Fold = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class SuspiciousLabels:
    """What `suspicious` found.

    Attributes
    ----------
    cells : DataFrame
        A row per cell, the worst label first, indexed by the names of the cells:

        - "label", "predicted": categorical; the latter is the most probable type, out of fold.
        - "label_probability", "predicted_probability"
        - "quality": the probability of the label against its strongest rival, 0 to 1; low is suspicious, and
          below 0.5 another type is more probable. Missing for labels that were not judged, which come last.
        - "is_suspicious": bool; see `gene_gcn.uncertainty.suspicious_labels`.
        - "duplicate_group": number of the group of near duplicates, missing for cells without any.
    pairs : DataFrame
        A row per ordered pair of types that cells are confused between, the most frequent first: "label",
        "predicted", "cells", "share" (of the cells with that label), and "reverse_cells", "reverse_share" for
        cells labeled `predicted` that are predicted to be `label`.
    """

    cells: pd.DataFrame
    pairs: pd.DataFrame

    @classmethod
    def empty(cls) -> SuspiciousLabels:
        """Return what is found in no cells."""
        types = {"label": "category", "predicted": "category"}
        numbers = dict.fromkeys(("label_probability", "predicted_probability", "quality"), float)
        cells = types | numbers | {"is_suspicious": bool, "duplicate_group": "Int64"}
        none = np.zeros(0, np.int64)
        pairs = confusable_pairs(none, none, 0).astype(types)
        return cls(pd.DataFrame(columns=list(cells)).astype(cells), pairs)

    @property
    def duplicates(self) -> pd.DataFrame:
        """Cells with near duplicates, group by group, with "labels_differ" within the group."""
        copied = self.cells[self.cells["duplicate_group"].notna()].sort_values(
            "duplicate_group", kind="stable"
        )
        labels = copied.groupby("duplicate_group")["label"].transform(lambda label: label.nunique() > 1)
        return copied.assign(labels_differ=labels.astype(bool))


def suspicious(
    cells: CellsLike,
    y: str | Sequence[Any],
    *,
    estimator: GeneGCNClassifier | None = None,
    n_folds: int = 5,
    random_state: int | np.random.RandomState | None = None,
) -> SuspiciousLabels:
    """Find labels that are probably wrong, near duplicates, and types whose labels overlap.

    Each label is judged by classifiers that were fitted to other cells, in two rounds of cross-validation:
    wrong labels also train the model, so the second round leaves out of its training cells those whose label
    was suspicious in the first. Near duplicates stay in one fold, since a wrong label would otherwise be
    confirmed by the copy of its cell.

    Parameters
    ----------
    cells : AnnData, DataFrame, sparse matrix, array or path; shape (B, N)
        As for `GeneGCNClassifier.fit`, but one reference at a time; join several with `anndata.concat`.
    y : str or array-like, shape (B,)
        The name of a column of `cells.obs`, or the labels. Cells without a label get a predicted type, but
        are neither judged nor learned from; so do cells of types with fewer than `n_folds` different cells,
        with a LabelWarning. Cells without expression get neither.
    estimator : GeneGCNClassifier, optional
        Unfitted, or its parameters are used; by default `GeneGCNClassifier(random_state=random_state)`.
    n_folds : int
    random_state : int, RandomState or None
        Of the folds.

    Returns
    -------
    SuspiciousLabels

    Raises
    ------
    ArgumentError
        `n_folds` or `estimator` cannot be used; cells or labels cannot, as in `fit`; `cells` are several
        references; fewer than two types have `n_folds` different cells.

    References
    ----------
    Northcutt, Jiang & Chuang (2021), Confident Learning, doi:10.1613/jair.1.12125.

    Examples
    --------
    >>> import scanpy as sc
    >>> from gene_gcn import GeneGCNClassifier, suspicious
    >>> adata = sc.datasets.pbmc68k_reduced()
    >>> clf = GeneGCNClassifier(use_raw=True, random_state=0)
    >>> found = suspicious(adata, "bulk_labels", estimator=clf, random_state=0)
    >>> found.cells.shape, list(found.pairs.columns[:3])
    ((700, 7), ['label', 'predicted', 'cells'])
    """
    clf = _check(estimator, n_folds, random_state)
    if are_references(cells):
        text = "suspicious looks at one reference at a time; join them with anndata.concat first."
        raise ArgumentError("cells", text)
    cells = as_cells(cells, [y] if isinstance(y, str) else ())
    if has_no_cells(cells):
        warn(EmptyCellsWarning("There are no cells, so there is nothing to judge."))
        return SuspiciousLabels.empty()
    given = TrainingInput.read(cells, y, None, clf._read_reference, allow_missing=True)
    expression, targets = given.expression, Targets.of(given.labels, clf.class_weight)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    normalizer = Normalizer.fit(expression, clf.normalization)
    normalizer.find_panels(expression, np.arange(normalizer.n_genes), LEARNED_ZEROS)
    clf = _for_parts(clf, expression, normalizer)
    X = normalizer.transform(expression)
    groups = near_duplicate_groups(X, np.random.default_rng(seed))
    codes = np.full(X.shape[0], -1)
    codes[targets.is_labeled] = targets.y
    is_empty = np.diff(X.indptr) == 0
    judged = _choose_judged(codes, targets.classes, is_empty, groups, n_folds)
    folds = _split(judged, codes, groups, n_folds, seed)

    probability = _out_of_fold(clf, expression, targets.classes, codes, folds)
    is_suspicious = np.zeros(len(codes), bool)
    is_suspicious[judged] = suspicious_labels(probability[judged], codes[judged])
    if is_suspicious.any():
        cleaned = [(_without(train, codes, is_suspicious), test) for train, test in folds]
        probability = _out_of_fold(clf, expression, targets.classes, codes, cleaned, quiet=True)
        is_suspicious[judged] = suspicious_labels(probability[judged], codes[judged])

    predicted = np.where(is_empty, -1, probability.argmax(axis=1))
    label_probability, quality = np.full((2, len(codes)), np.nan)
    label_probability[judged] = probability[judged, codes[judged]]
    quality[judged] = label_quality(probability[judged], codes[judged])
    table = pd.DataFrame(
        {
            "label": pd.Categorical.from_codes(codes, targets.classes),
            "predicted": pd.Categorical.from_codes(predicted, targets.classes),
            "label_probability": label_probability,
            "predicted_probability": np.where(is_empty, np.nan, probability.max(axis=1)),
            "quality": quality,
            "is_suspicious": is_suspicious,
            "duplicate_group": pd.arrays.IntegerArray(groups, mask=groups == 0),
        },
        index=_names(cells, len(codes)),
    )
    pairs = confusable_pairs(codes[judged], predicted[judged], len(targets.classes))
    for column in ("label", "predicted"):
        pairs[column] = pd.Categorical.from_codes(pairs[column], targets.classes)
    return SuspiciousLabels(table.sort_values("quality", kind="stable"), pairs)


def _check(
    estimator: GeneGCNClassifier | None, n_folds: int, random_state: int | np.random.RandomState | None
) -> GeneGCNClassifier:
    if isinstance(n_folds, bool) or not isinstance(n_folds, (int, np.integer)) or n_folds < 2:
        raise ArgumentError("n_folds", Argument("n_folds", n_folds), " must be a whole number, 2 or more.")
    if estimator is None:
        return GeneGCNClassifier(random_state=random_state)
    if not isinstance(estimator, GeneGCNClassifier):
        problem = " must be a GeneGCNClassifier, or None for the default one."
        raise ArgumentError("estimator", Argument("estimator", estimator), problem)
    estimator.check_parameters()
    return estimator


def _names(cells: CellsLike, n: int) -> pd.Index:
    if is_anndata(cells):
        return cells.obs_names
    return cells.index if isinstance(cells, pd.DataFrame) else pd.RangeIndex(n)


def _choose_judged(
    codes: np.ndarray, classes: np.ndarray, is_empty: np.ndarray, groups: np.ndarray, n_folds: int
) -> np.ndarray:
    """Return the positions of the cells whose label is judged; say which types are too small."""
    usable = np.flatnonzero((codes >= 0) & ~is_empty)
    different = pd.DataFrame({"code": codes, "unit": _units(groups)}).iloc[usable].drop_duplicates()
    sizes = np.bincount(different["code"], minlength=len(classes))
    tiny = sizes < n_folds
    if (~tiny).sum() < 2:
        problem = f"y needs two types with {n_folds} different cells each, one for each fold, but has "
        found = f"{(~tiny).sum()} of {len(classes)}; label more cells, or use a smaller "
        raise ArgumentError("n_folds", problem, found, Argument("n_folds"), ".")
    if tiny.any():
        names = [f"{name!s} ({size})" for name, size in zip(classes[tiny], sizes[tiny], strict=True)]
        few = first_few(names, 5)
        what = f"Types with fewer different cells than the {n_folds} folds are left out of training, and "
        scores = f"their labels get no score: {few}."
        remedy = (" Use a smaller ", Argument("n_folds"), " to include those with two or more.")
        warn(LabelWarning(what + scores, *(remedy if sizes[tiny].max() > 1 else ())))
    return usable[~tiny[codes[usable]]]


def _units(groups: np.ndarray) -> np.ndarray:
    """Return a number for each cell that near duplicates share."""
    return np.where(groups, groups, groups.max(initial=0) + 1 + np.arange(len(groups)))


def _split(judged: np.ndarray, codes: np.ndarray, groups: np.ndarray, n_folds: int, seed: int) -> list[Fold]:
    """Return positions of training and of test cells; all cells that are not judged are in every test set."""
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    others = np.setdiff1d(np.arange(len(codes)), judged)
    return [
        (judged[train], np.concatenate([judged[test], others]))
        for train, test in splitter.split(judged, codes[judged], _units(groups)[judged])
    ]


def _without(train: np.ndarray, codes: np.ndarray, is_suspicious: np.ndarray) -> np.ndarray:
    """Drop training cells with a suspicious label, except from types that would be left with one cell."""
    kept = np.bincount(codes[train[~is_suspicious[train]]], minlength=codes.max() + 1)
    return train[~is_suspicious[train] | (kept[codes[train]] < 2)]


def _out_of_fold(
    clf: GeneGCNClassifier,
    expression: Expression,
    classes: np.ndarray,
    codes: np.ndarray,
    folds: list[Fold],
    *,
    quiet: bool = False,
) -> np.ndarray:
    """Return probabilities (B, K), for cells that are in several test sets the mean.

    Only the first fit warns, unless `quiet`, and only of what concerns the fit.
    """
    probability, times = np.zeros((len(codes), len(classes))), np.zeros((len(codes), 1))
    for number, (train, test) in enumerate(folds):
        with warnings.catch_warnings():
            for category in ALREADY_SAID if number == 0 and not quiet else (GeneGCNWarning,):
                warnings.simplefilter("ignore", category)
            y = classes[codes[train]]
            fitted = clone(clf).set_params(class_weight=_weights_of(y, clf.class_weight))
            fitted.fit(_take(expression, train), y)
            columns = np.searchsorted(classes, fitted.classes_)
            probability[test[:, None], columns] += fitted.predict_proba(_take(expression, test))
        times[test] += 1
    return probability / times


def _for_parts(clf: GeneGCNClassifier, expression: Expression, normalizer: Normalizer) -> GeneGCNClassifier:
    """Return an unfitted copy that reads parts of the cells, see `_take`, as all of them were read."""
    inferred = expression.inferred_scale
    scale = inferred.name if not inferred.is_mixed and inferred.name in SCALES else None
    return clone(clf).set_params(
        layer=None,
        use_raw=False,
        gene_column=None,
        scale=clf.scale or scale,
        normalization=normalizer.method,
    )


def _weights_of(y: np.ndarray, class_weight: Any) -> Any:
    """Return the weights of the types that are present; scikit-learn refuses those of others."""
    if not isinstance(class_weight, Mapping):
        return class_weight
    present = set(y.tolist())
    return {label: weight for label, weight in class_weight.items() if label in present}


def _take(expression: Expression, rows: np.ndarray) -> Any:
    """Return cells as an AnnData, or as a matrix if their genes have no names."""
    if expression.genes is None:
        return expression.X[rows]
    from anndata import AnnData

    return AnnData(expression.X[rows], var=pd.DataFrame(index=list(expression.genes)))
