"""What `annotate` writes into an AnnData, in forms that .h5ad files hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn.cells import UNASSIGNED
from gene_gcn.cells.keys import column_names
from gene_gcn.estimators.consensus import Clusters, Neighbors
from gene_gcn.estimators.hierarchy import Placement

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
    consensus : Consensus or None
    placement : Placement or None
        None without a hierarchy.
    """

    classes: np.ndarray
    probability: np.ndarray
    empty: np.ndarray
    shift: QueryShift | None
    novelty: np.ndarray | None
    sets: np.ndarray | None
    consensus: Consensus | None = None
    placement: Placement | None = None

    @property
    def unknown(self) -> np.ndarray:
        """Cells that are of none of the types, shape (B,)."""
        if self.novelty is None:
            return np.zeros(len(self.probability), bool)
        return (self.novelty < UNKNOWN_BELOW) & ~self.empty

    def with_consensus(self, over: Clusters | Neighbors) -> Annotation:
        """Let cells agree with others; those that are empty or unknown stay so and do not vote."""
        probability = over.consensus(self.probability, ~(self.empty | self.unknown))
        return replace(self, probability=probability, consensus=Consensus(self.probability, over))

    def write(self, adata: AnnData, key_added: str, origin: Mapping[str, Any]) -> None:
        """Write into an AnnData, as `GeneGCNClassifier.annotate` documents it.

        `key_added` is checked; `origin` says how the types were made. Columns have only the categories that
        cells have, because scanpy's plots fail on others; `uns` has all types.
        """
        types = self._types(self.probability)
        previous = adata.obs.get(key_added)
        if self.novelty is not None:
            adata.obs[f"{key_added}_novelty"] = self.novelty
        adata.obs[key_added] = types.remove_unused_categories()
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
        if self.consensus is not None:
            told |= self.consensus.write(adata, key_added, types, self._types(self.consensus.before))
        if self.placement is not None:
            is_named = ~(self.empty | self.unknown)
            told |= self.placement.write(adata, key_added, types, self.probability, self.sets, is_named)
        adata.uns[key_added] = {**origin, **told}
        if previous is not None:
            _update_colors(adata, key_added, previous)

    def _types(self, probability: np.ndarray) -> pd.Categorical:
        types = types_of_cells(self.classes, probability.argmax(1), self.empty)
        return _with_unknown(types, self.unknown)


@dataclass(frozen=True, eq=False)
class Consensus:
    """What cells were called one by one, and with whom they agreed.

    Attributes
    ----------
    before : ndarray, shape (B, K)
        Probabilities of each cell alone.
    over : Clusters or Neighbors
    """

    before: np.ndarray
    over: Clusters | Neighbors

    def write(
        self, adata: AnnData, key_added: str, types: pd.Categorical, types_before: pd.Categorical
    ) -> dict[str, Any]:
        """Write the columns of obs, given types after and before; return what is written into uns."""
        adata.obs[f"{key_added}_cell"] = types_before.remove_unused_categories()
        adata.obs[f"{key_added}_cell_confidence"] = self.before.max(1)
        name, name_before = (_codes(each, len(types.categories)) for each in (types, types_before))
        if isinstance(self.over, Neighbors):
            adata.obs[f"{key_added}_neighbor_share"] = self.over.shares(name)
            return {}
        votes = self.over.votes(name, name_before)
        names = pd.Index(self.over.names, name="cluster")
        if self.over.are_own:
            adata.obs[f"{key_added}_cluster"] = pd.Categorical.from_codes(self.over.cluster, names)
        adata.obs[f"{key_added}_cluster_share"] = votes.share_of_cell
        labels = np.array([*map(str, types.categories), UNASSIGNED], dtype=object)
        columns = {
            "cells": votes.cells,
            "type": labels[votes.name],
            "share": votes.share,
            "share_before": votes.share_before,
            "entropy": votes.entropy,
            "heterogeneous": votes.heterogeneous,
        }
        return {"clusters": pd.DataFrame(columns, index=names)}


def _update_colors(adata: AnnData, key: str, previous: pd.Series) -> None:
    """Let types keep the colors of earlier plots; where there are new ones, scanpy chooses all again."""
    colors = adata.uns.get(f"{key}_colors")
    if colors is None or not isinstance(previous.dtype, pd.CategoricalDtype):
        return
    color_of = dict(zip(previous.cat.categories, colors, strict=False))
    types = adata.obs[key].cat.categories
    if types.isin(list(color_of)).all():
        adata.uns[f"{key}_colors"] = [color_of[name] for name in types]
    else:
        del adata.uns[f"{key}_colors"]


def _codes(types: pd.Categorical, missing: int) -> np.ndarray:
    """Return the positions (B,) of types among the categories; `missing` where types, as numbers, are."""
    return np.where(types.codes < 0, missing, types.codes).astype(np.int64)


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
