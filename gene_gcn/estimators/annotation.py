"""What `annotate` writes into an AnnData, in forms that .h5ad files hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn.cells import UNASSIGNED
from gene_gcn.cells.keys import column_names

if TYPE_CHECKING:
    from anndata import AnnData

    from gene_gcn.uncertainty import QueryShift

UNKNOWN = "unknown"
UNKNOWN_BELOW = 0.01  # a p-value of novelty: as many cells of known types are called unknown, or a few more


@dataclass(frozen=True, eq=False)
class Annotation:
    """What a classifier says of B cells.

    Attributes
    ----------
    classes : ndarray, shape (K,)
    probability : ndarray, shape (B, K)
    empty : ndarray of bool, shape (B,)
        Cells that express no gene of the model: they get no type.
    shift : QueryShift or None
        None if the cells were classified one by one.
    novelty : ndarray, shape (B,), or None
        p-values; cells below `UNKNOWN_BELOW` are unknown.
    sets : ndarray of bool, shape (B, K), or None
    """

    classes: np.ndarray
    probability: np.ndarray
    empty: np.ndarray
    shift: QueryShift | None
    novelty: np.ndarray | None
    sets: np.ndarray | None

    def write(self, adata: AnnData, key_added: str, origin: Mapping[str, Any]) -> None:
        """Write into an AnnData, as `GeneGCNClassifier.annotate` documents it.

        `key_added` is checked; `origin` says how the types were made.
        """
        types = types_of_cells(self.classes, self.probability.argmax(1), self.empty)
        if self.novelty is not None:
            types = _with_unknown(types, (self.novelty < UNKNOWN_BELOW) & ~self.empty)
            adata.obs[f"{key_added}_novelty"] = self.novelty
        adata.obs[key_added] = types
        adata.obs[f"{key_added}_confidence"] = self.probability.max(1)
        names = column_names(self.classes, adata.obs_names.name)
        adata.obsm[f"{key_added}_proba"] = pd.DataFrame(
            self.probability, index=adata.obs_names, columns=names
        )
        if self.sets is not None:
            adata.obsm[f"{key_added}_set"] = pd.DataFrame(self.sets, index=adata.obs_names, columns=names)
        told: dict[str, Any] = {"types": np.array([str(label) for label in self.classes], dtype=object)}
        if self.shift is not None:
            told |= {"shift": self.shift.size, "shift_removed": self.shift.is_removed}
            told |= {"shift_kept_because": self.shift.reason} if self.shift.reason else {}
        adata.uns[key_added] = {**origin, **told}


def _with_unknown(types: pd.Categorical, unknown: np.ndarray) -> pd.Categorical:
    """Call some cells "unknown", or leave their type out where types are numbers."""
    if not unknown.any():
        return types
    is_text = all(isinstance(name, str) for name in types.categories)
    if is_text and UNKNOWN not in types.categories:
        types = types.add_categories(UNKNOWN)
    types = types.copy()
    types[unknown] = UNKNOWN if is_text else np.nan
    return types


def types_of_cells(classes: np.ndarray, best: np.ndarray, empty: np.ndarray) -> pd.Categorical:
    """Return the type of each cell: that of the index `best` (B,), or "unassigned" where it is `empty` (B,).

    Where types are numbers, those of empty cells are missing: .h5ad files hold no numbers beside text.
    """
    if not empty.any():
        return pd.Categorical.from_codes(best, categories=classes)
    types = classes.tolist()
    if not all(isinstance(name, str) for name in types):
        return pd.Categorical.from_codes(np.where(empty, -1, best), categories=classes)
    if UNASSIGNED not in types:
        types.append(UNASSIGNED)
    return pd.Categorical.from_codes(np.where(empty, types.index(UNASSIGNED), best), categories=types)
