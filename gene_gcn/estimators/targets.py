"""What a classifier learns: the types of the training cells, their weights and their prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from sklearn.utils.class_weight import compute_class_weight

from gene_gcn.cells import check_label_values, is_missing, warn_of_near_twins
from gene_gcn.errors import ArgumentError, LabelWarning, warn
from gene_gcn.estimators.evidence import class_prior

MANY_CLASSES = 20  # with fewer, a cell for each type may be meant, as in a reference of mean profiles


@dataclass(frozen=True, eq=False)
class Targets:
    """Types of the training cells.

    Attributes
    ----------
    classes : ndarray, shape (K,)
        The types, sorted.
    is_labeled : ndarray of bool, shape (B,)
        Which cells have a label.
    y : ndarray of int64, shape (labeled cells,)
        Their types, 0 to K − 1.
    class_weight : Tensor of float32, shape (K,), or None
    """

    classes: np.ndarray
    is_labeled: np.ndarray
    y: np.ndarray
    class_weight: torch.Tensor | None

    @classmethod
    def of(
        cls, labels: np.ndarray, class_weight: Literal["balanced"] | Mapping[Any, float] | None
    ) -> Targets:
        """Take the types of labels (B,), some of which may be missing.

        Raises
        ------
        ArgumentError
            If all labels are the same, mix numbers and text, or are numbers with decimals.
        """
        is_labeled = ~is_missing(labels)
        labels = check_label_values(labels[is_labeled])  # without gaps, numbers have a dtype of their own
        _check_discrete(labels)
        classes, target = np.unique(labels, return_inverse=True)
        warn_of_near_twins(classes, np.bincount(target))
        if len(classes) < 2:
            problem = "Classifier can't train when only one class is present"
            raise ArgumentError("y", f"{problem}: all labels are {str(classes[0])!r}.")
        _warn_of_identifiers(classes, len(labels))
        weights = None
        if class_weight is not None:
            weights = torch.tensor(
                compute_class_weight(class_weight, classes=classes, y=labels), dtype=torch.float32
            )
        return cls(classes, is_labeled, target, weights)

    @property
    def prior(self) -> np.ndarray:
        """The probability of each type of a cell about which nothing is known, shape (K,)."""
        return class_prior(self.y, None if self.class_weight is None else self.class_weight.numpy())


def _check_discrete(labels: np.ndarray) -> None:
    fractions = labels[labels % 1 != 0] if labels.dtype.kind == "f" else labels[:0]
    if len(fractions):
        problem = f"Unknown label type: continuous. y has numbers with decimals, such as {fractions[0]:.4g}"
        remedy = "pass the types, or text made with .astype(str) if these numbers are types"
        raise ArgumentError("y", f"{problem}, as measurements have; {remedy}.")


def _warn_of_identifiers(classes: np.ndarray, num_cells: int) -> None:
    if len(classes) > MANY_CLASSES and 2 * len(classes) > num_cells:
        what = f"y has {len(classes):,} types for {num_cells:,} labeled cells, as identifiers of cells would"
        warn(LabelWarning(f"{what}; check that it holds types, as each needs several cells."))
