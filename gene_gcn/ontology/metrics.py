"""Metrics that know which types are subtypes of others, for the predictions of any tool.

Types are ids in a `CellOntology`, or nodes of a `Hierarchy`. A predicted type that is not in it, such as
"unknown", is a prediction of nothing; cells whose true type is not in it are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError, LabelWarning, warn

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["cl_scores", "hierarchical_scores", "hop_scores"]

HOPS = 4


class Ancestry(Protocol):
    """What metrics need of an ontology: `CellOntology` and `Hierarchy` have it."""

    def ancestors(self, node: str, /) -> frozenset[str]: ...

    def descendants(self, node: str, /) -> frozenset[str]: ...

    def __contains__(self, node: object, /) -> bool: ...


def cl_scores(y_true: ArrayLike, y_pred: ArrayLike, ontology: Ancestry) -> dict[str, float]:
    """Compute accuracy and macro-F1 where subtypes of the true type are right, as scTab does.

    A prediction that is a subtype of the true type agrees with it as far as the label says, and counts as the
    true type; one that is above the true type is wrong.

    Parameters
    ----------
    y_true, y_pred : array-like of str, shape (B,)
        Types in `ontology`.
    ontology : CellOntology or Hierarchy

    Returns
    -------
    dict of str to float
        "cl_accuracy" and "cl_macro_f1", the unweighted mean F1 over the true types.

    References
    ----------
    Fischer et al. (2024), scTab, doi:10.1038/s41467-024-51059-5.
    """
    from sklearn.metrics import f1_score

    pairs = _Pairs.of(y_true, y_pred, ontology)
    right = [
        pair == (pair[0], pair[0]) or pair[1] in ontology.descendants(pair[0]) for pair in pairs.distinct
    ]
    is_right = np.array(right, bool)[pairs.of_cell]
    corrected = np.where(is_right, pairs.true, pairs.predicted)
    labels = np.unique(pairs.true)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of types that are never predicted
        f1 = f1_score(pairs.true, corrected, labels=labels, average="macro", zero_division=0)
    return {"cl_accuracy": float(is_right.mean()), "cl_macro_f1": float(f1)}


def hierarchical_scores(y_true: ArrayLike, y_pred: ArrayLike, ontology: Ancestry) -> dict[str, float]:
    r"""Compute hierarchical precision, recall and F1: of the predicted and the true types with all above.

    .. math:: hP = \frac{\sum_i |T_i \cap P_i|}{\sum_i |P_i|}, \quad
              hR = \frac{\sum_i |T_i \cap P_i|}{\sum_i |T_i|}

    with T_i the true type of cell i and its ancestors, and P_i the predicted type and its ancestors, both
    without the root.

    Parameters
    ----------
    y_true, y_pred : array-like of str, shape (B,)
        Types in `ontology`.
    ontology : CellOntology or Hierarchy

    Returns
    -------
    dict of str to float
        "hierarchical_precision", "hierarchical_recall", "hierarchical_f1".

    References
    ----------
    Kiritchenko, Matwin, Nock & Famili (2006), doi:10.1007/11766247_34.
    """
    pairs = _Pairs.of(y_true, y_pred, ontology)
    shared, predicted, true = 0, 0, 0
    for (truth, guess), count in zip(pairs.distinct, np.bincount(pairs.of_cell), strict=True):
        above_true, above_guess = _with_ancestors(truth, ontology), _with_ancestors(guess, ontology)
        shared += count * len(above_true & above_guess)
        predicted += count * len(above_guess)
        true += count * len(above_true)
    precision = shared / predicted if predicted else 0.0
    recall = shared / true if true else 0.0
    f1 = 2 * precision * recall / (precision + recall) if shared else 0.0
    values = {"precision": precision, "recall": recall, "f1": f1}
    return {f"hierarchical_{name}": float(value) for name, value in values.items()}


def hop_scores(
    y_true: ArrayLike, y_pred: ArrayLike | pd.DataFrame, ontology: Ancestry, *, hops: int = HOPS
) -> pd.DataFrame:
    """Compute SOCAM's hop-F1: predictions are right up to some steps above the true type.

    For each number of hops, the target is the true type and all within so many steps above it. The true
    positive of a cell is the largest probability of a type in the target; its false positive the largest
    probability of a type that is neither under nor above any of the target, and has no subtype in common with
    it. Sensitivity is the former, specificity 1 minus the latter, precision their ratio.

    This follows the code that SOCAM's authors published
    (https://github.com/cellarium-ai/cellarium-ml, ``hop_scoring``).

    Parameters
    ----------
    y_true : array-like of str, shape (B,)
        Types in `ontology`.
    y_pred : array-like of str, shape (B,), or DataFrame, shape (B, any number of types)
        Predicted types, each with all above it, at a probability of 1; or probabilities, summed upwards
        (`Hierarchy.sum_upwards`), with the types as columns.
    ontology : CellOntology
    hops : int
        Largest number of steps.

    Returns
    -------
    DataFrame
        A row for 0 to `hops`: "sensitivity", "specificity", "precision" and "f1", means over cells.

    References
    ----------
    "A supervised ontology-aware cell annotation method for single-cell transcriptomic data" (2025),
    https://openreview.net/forum?id=IogpUJXN95.
    """
    true = np.asarray(y_true).astype(str)
    table = (
        y_pred
        if isinstance(y_pred, pd.DataFrame)
        else _with_all_above(np.asarray(y_pred).astype(str), ontology)
    )
    if len(table) != len(true):
        raise ArgumentError(
            "y_pred", f"y_pred has {len(table):,} cells and y_true {len(true):,}; both need the same."
        )
    known = _known(true, ontology)
    true, table = true[known], table.loc[:, [name in ontology for name in table]][known]
    values, names = table.to_numpy(np.float64), list(table.columns)
    positive, negative = np.zeros((hops + 1, len(true))), np.zeros((hops + 1, len(true)))
    for truth in np.unique(true):
        cells = true == truth
        target = {str(truth)}
        for hop in range(hops + 1):
            near = _near(target, ontology)
            inside = np.array([name in target for name in names], bool)
            apart = np.array([not _touches(name, near, ontology) for name in names], bool)
            positive[hop, cells] = values[np.ix_(cells, inside)].max(1, initial=0.0)
            negative[hop, cells] = values[np.ix_(cells, apart)].max(1, initial=0.0)
            target = target.union(*(_parents(name, ontology) for name in target))
    total = positive + negative
    precision = np.divide(positive, total, out=np.zeros_like(total), where=total > 0)
    both = precision + positive
    f1 = np.divide(2 * precision * positive, both, out=np.zeros_like(total), where=both > 0)
    columns = {"sensitivity": positive, "specificity": 1 - negative, "precision": precision, "f1": f1}
    index = pd.RangeIndex(hops + 1, name="hops")
    return pd.DataFrame({name: value.mean(1) for name, value in columns.items()}, index=index)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """True and predicted types of cells whose true type is known, and the distinct pairs of these."""

    true: np.ndarray
    predicted: np.ndarray
    distinct: list[tuple[str, str]]
    of_cell: np.ndarray

    @classmethod
    def of(cls, y_true: ArrayLike, y_pred: ArrayLike, ontology: Ancestry) -> _Pairs:
        true, predicted = np.asarray(y_true).astype(str), np.asarray(y_pred).astype(str)
        if true.ndim != 1 or true.shape != predicted.shape:
            shapes = f"y_true has shape {true.shape} and y_pred {predicted.shape}"
            raise ArgumentError("y_pred", f"{shapes}; both need one type per cell, for the same cells.")
        known = _known(true, ontology)
        codes, pairs = pd.factorize(pd.MultiIndex.from_arrays([true[known], predicted[known]]))
        return cls(true[known], predicted[known], [(str(a), str(b)) for a, b in pairs], codes)


def _known(true: np.ndarray, ontology: Ancestry) -> np.ndarray:
    names, code = np.unique(true, return_inverse=True)
    known = np.array([name in ontology for name in names], bool)[code]
    if not known.any():
        shown = ", ".join(map(repr, names[:3]))
        raise ArgumentError("y_true", Argument("y_true"), f" has no type that is in {ontology!r} ({shown}).")
    if not known.all():
        left = ", ".join(map(repr, np.unique(true[~known])[:3]))
        what = f"{np.count_nonzero(~known):,} of {len(true):,} cells are left out"
        warn(LabelWarning(f"{what}, as their true type is not in {ontology!r} ({left})."))
    return known


def _with_ancestors(node: str, ontology: Ancestry) -> frozenset[str]:
    """Return a node and all above it but the root; nothing for one that is not in the ontology."""
    if node not in ontology:
        return frozenset()
    found = ontology.ancestors(node) | {node}
    return frozenset(each for each in found if ontology.ancestors(each))


def _near(target: Iterable[str], ontology: Ancestry) -> tuple[frozenset[str], frozenset[str]]:
    """Return the types under a target, themselves among them, and those above it."""
    under = frozenset().union(*(ontology.descendants(name) | {name} for name in target))
    return under, frozenset().union(*(ontology.ancestors(name) for name in target))


def _touches(name: str, near: tuple[frozenset[str], frozenset[str]], ontology: Ancestry) -> bool:
    under, above = near
    return name in under or name in above or not under.isdisjoint(ontology.descendants(name))


def _parents(name: str, ontology: Ancestry) -> frozenset[str]:
    """Return the nodes directly above a node: those above it that are not above another of them."""
    above = ontology.ancestors(name)
    return above - frozenset().union(*(ontology.ancestors(each) for each in above))


def _with_all_above(predicted: np.ndarray, ontology: Ancestry) -> pd.DataFrame:
    """Return probabilities of 1 for each predicted type and all above it."""
    names, code = np.unique(predicted, return_inverse=True)
    held = {name: ontology.ancestors(name) | {name} for name in names if name in ontology}
    columns = sorted(frozenset().union(*held.values()))
    rows = np.array([[column in held.get(name, ()) for column in columns] for name in names], np.float64)
    return pd.DataFrame(rows.reshape(len(names), len(columns))[code], columns=columns)
