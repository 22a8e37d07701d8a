"""How a classifier learns the hierarchy of its types, and what `annotate` writes of it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from gene_gcn.cells import (
    CellBlocks,
    are_references,
    as_cells,
    as_label_array,
    is_anndata,
    is_missing,
    labels_as_text,
)
from gene_gcn.cells.keys import level_column
from gene_gcn.errors import Argument, ArgumentError, LabelWarning, first_few, warn
from gene_gcn.ontology import (
    CellOntology,
    Hierarchy,
    OntologyMap,
    back_off,
    cell_ontology,
    choose_threshold,
    read_map,
)
from gene_gcn.ontology.names import ids_by_name, read_table
from gene_gcn.ontology.terms import UNKNOWN_ID

if TYPE_CHECKING:
    from anndata import AnnData


Parents: TypeAlias = (
    Hierarchy | OntologyMap | Mapping[str, str | Collection[str]] | pd.DataFrame | str | os.PathLike[str]
)

__all__ = ["BACKOFF_ACCURACY", "TERM_COLUMN", "GivenHierarchy", "Placement"]

BACKOFF_ACCURACY = 0.95  # of backed-off types, on cells like the training cells, with backoff=True
TERM_COLUMN = "cell_type_ontology_term_id"  # as CELLxGENE calls it
MOST_LEVELS = 10  # a longer list has the labels of cells, not columns


@dataclass(eq=False)
class GivenHierarchy:
    """What `fit` is told of the hierarchy: columns of labels from coarse to fine, or parents.

    Attributes
    ----------
    hierarchy : Hierarchy or None
    parents : dict of str to tuple of str
        What is directly above a type or a node.
    ids : mapping of str to str
        Ids of terms of the Cell Ontology, by name; the hierarchy is taken from there if nothing else says it.
    ontology : CellOntology or None
        None for the default one.
    levels : dict of str to dict of str to str
        For each column, the coarsest first, the label there of each type.
    """

    hierarchy: Hierarchy | None = None
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    ontology: CellOntology | None = None
    levels: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, parents: Parents | None) -> GivenHierarchy:
        """Read `parents` as `GeneGCNClassifier.fit` documents it (ArgumentError)."""
        if parents is None:
            return cls()
        if isinstance(parents, Hierarchy):
            return cls(hierarchy=parents)
        if isinstance(parents, OntologyMap):
            return cls(ids=parents.ids, ontology=parents.ontology)
        if isinstance(parents, Mapping):
            several = {
                str(name): (over,) if isinstance(over, str) else over for name, over in parents.items()
            }
            return cls(parents={name: tuple(map(str, over)) for name, over in several.items()})
        if not isinstance(parents, (pd.DataFrame, str, os.PathLike)):
            kind = type(parents).__name__
            text = f" is a {kind}; pass a table, a dict from types to parents, a Hierarchy or an OntologyMap."
            raise ArgumentError("parents", Argument("parents"), text)
        table = read_table(parents)
        if "parent" not in table:
            return cls(ids=ids_by_name(table))
        given = cls(ids=ids_by_name(table) if "id" in table else {})
        for name, parent in zip(table["name"], table["parent"], strict=True):
            given.parents[name] = (*given.parents.get(name, ()), *([parent] if parent else []))
        return given

    def take_levels(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Take the coarser of several columns of labels; return the cells and the finest column.

        LabelWarning says how many cells have a coarser label only.
        """
        if not are_references(X):
            return self._take(X, y)
        if isinstance(y, list | tuple) and len(y) == len(X):
            parts = [self._take(part, own) for part, own in zip(X, y, strict=True)]
            return [cells for cells, _ in parts], [column for _, column in parts]
        return X, y

    def take_stored_levels(self, cells: CellBlocks, y: Any) -> Any:
        """Take the coarser of several columns of labels of cells on disk; return the finest."""
        several = [y] if len(cells.frames) == 1 and _are_columns(y) else y
        if not isinstance(several, list | tuple) or not any(map(_are_columns, several)):
            return y
        finest = []
        for frame, own in zip(cells.frames, several, strict=False):
            if _are_columns(own) and is_anndata(frame):
                self._add(_level_table(frame, own), own)
                own = own[-1]
            finest.append(own)
        return finest[0] if len(cells.frames) == 1 else finest

    def _take(self, X: Any, y: Any) -> tuple[Any, Any]:
        if not _are_columns(y) or not (is_anndata(X) or isinstance(X, str | Path)):
            return X, y
        cells = as_cells(X, list(y))
        if set(y).isdisjoint(cells.obs.columns):
            return X, y  # labels of so few cells
        table = _level_table(cells, y)
        self._add(table, y)
        only_coarse = (is_missing(table[y[-1]].to_numpy()) & ~table.isna().all(axis=1)).to_numpy()
        if only_coarse.any():
            what = f"{only_coarse.sum():,} of {len(table):,} cells have no label in {y[-1]!r}"
            warn(LabelWarning(f"{what}, only coarser ones; they are taken as cells without a label."))
        return cells, y[-1]

    def _add(self, table: pd.DataFrame, columns: Sequence[str]) -> None:
        """Take what the labels of cells say about each other."""
        if self.parents or self.hierarchy is not None:
            text = " says what is above the types, and so do the columns "
            raise ArgumentError("parents", Argument("parents"), f"{text}{list(columns)}; pass one of them.")
        if self.levels and list(self.levels) != list(columns):
            text = f"References have the levels {list(self.levels)} and {list(columns)}; name them alike."
            raise ArgumentError("y", text)
        finest = columns[-1]
        table = table[table[finest].notna()]
        for coarse, fine in pairwise(columns):
            known = self.levels.setdefault(coarse, {})
            for name, parent in _only_parents(table, fine, coarse).items():
                for each in table.loc[table[fine] == name, finest].unique():
                    if known.setdefault(each, parent) != parent:
                        raise _contradiction(each, finest, coarse, [known[each], parent])
        self.levels[finest] = {name: name for name in table[finest].unique()} | self.levels.get(finest, {})

    def build(self, classes: np.ndarray) -> Hierarchy | None:
        """Return the hierarchy of the types (K,), or None if nothing was said about it.

        LabelWarning names types about which nothing was said.
        """
        types = tuple(labels_as_text(classes).tolist())
        if self.hierarchy is not None:
            _warn_of_others(types, self.hierarchy)
            return self.hierarchy.for_types(types)
        if self.levels:
            return self._of_levels(types).with_ids(self.ids)
        if self.parents:
            _warn_of_others(types, {*self.parents, *chain.from_iterable(self.parents.values())})
            return Hierarchy.from_parents(types, self.parents).with_ids(self.ids)
        if self.ids:
            frame = pd.DataFrame({"name": list(self.ids), "id": list(self.ids.values())})
            found = read_map(frame, self.ontology or cell_ontology())
            _warn_of_others(types, [name for name, term in found.ids.items() if term != UNKNOWN_ID])
            return found.hierarchy(types)
        return None

    def _of_levels(self, types: tuple[str, ...]) -> Hierarchy:
        columns = list(self.levels)
        parents: dict[str, str] = {}
        for name in types:
            found = (self.levels[column].get(name) for column in columns)
            labels = [*dict.fromkeys(label for label in found if label)]
            for parent, child in pairwise(labels):
                if parents.setdefault(child, parent) != parent:
                    raise _contradiction(child, "types", "coarser labels", [parents[child], parent])
        levels = {column: [self.levels[column].get(name, name) for name in types] for column in columns}
        return Hierarchy.from_parents(types, parents, levels)


@dataclass(frozen=True, eq=False)
class Placement:
    """Where cells are placed in a hierarchy.

    Attributes
    ----------
    hierarchy : Hierarchy
    threshold : float or None
        Of summed probabilities, at which cells back off; None if they do not.
    """

    hierarchy: Hierarchy
    threshold: float | None

    @classmethod
    def of(
        cls, hierarchy: Hierarchy, backoff: bool | float, held_out: tuple[np.ndarray, np.ndarray] | None
    ) -> Placement:
        """Choose the threshold, with `backoff=True` on held-out cells: probabilities (cells, K) and types."""
        if backoff is False:
            return cls(hierarchy, None)
        if backoff is not True:
            return cls(hierarchy, float(backoff))
        if held_out is None:
            fixed = Argument("backoff", 0.9)
            text = " chooses its threshold on held-out cells, which models trained by gradients lack; pass "
            raise ArgumentError("backoff", Argument("backoff", True), text, fixed, " or such.")
        return cls(hierarchy, choose_threshold(*held_out, hierarchy, BACKOFF_ACCURACY))

    def write(
        self,
        adata: AnnData,
        key: str,
        types: pd.Categorical,
        probability: np.ndarray,
        sets: np.ndarray | None,
        is_named: np.ndarray,
    ) -> dict[str, Any]:
        """Write columns of obs; return what is written into uns.

        Parameters
        ----------
        types : Categorical, shape (B,)
            Most probable types; cells that are not `is_named` (B,) have another word in their place.
        probability : ndarray, shape (B, K)
        sets : ndarray of bool, shape (B, K), or None
        """
        hierarchy, obs = self.hierarchy, adata.obs
        node, made = probability.argmax(1), dict[str, Any]()
        for level in hierarchy.levels:
            names, _ = hierarchy.at_level(level)
            best = hierarchy.sum_to_level(probability, level).argmax(1)
            obs[level_column(key, level)] = _labels(names, best, types, is_named)
        if self.threshold is not None:
            node = back_off(probability, hierarchy, self.threshold)
            obs[f"{key}_type"] = types.remove_unused_categories()
            obs[key] = _labels(hierarchy.nodes, node, types, is_named)
            obs[f"{key}_confidence"] = np.einsum("bk,kb->b", probability, hierarchy.members[:, node])
            made["backoff"] = self.threshold
        if hierarchy.has_ids:
            column = _term_column(adata, key)
            ids = np.array([*hierarchy.ids, UNKNOWN_ID], dtype=object)
            obs[column] = pd.Categorical(ids[np.where(is_named, node, -1)])
            made["term_id_column"] = column
        if sets is not None:
            distinct, of_cell = np.unique(sets, axis=0, return_inverse=True)
            nodes = np.array(hierarchy.nodes, dtype=object)
            texts = np.array(["|".join(nodes[inside]) for inside in hierarchy.cover(distinct)], dtype=object)
            obs[f"{key}_set_nodes"] = pd.Categorical(texts[of_cell.ravel()])
        if hierarchy.levels:
            made["levels"] = np.array(list(hierarchy.levels), dtype=object)
        return made


def _are_columns(y: Any) -> bool:
    several = isinstance(y, list | tuple) and 1 < len(y) <= MOST_LEVELS
    return several and all(isinstance(name, str) for name in y) and len(set(y)) == len(y)


def _level_table(cells: Any, columns: Sequence[str]) -> pd.DataFrame:
    """Return the labels of cells in several columns of obs as text; missing ones are None."""
    lacking = [name for name in columns if name not in cells.obs]
    if lacking:
        known = ", ".join(map(repr, list(cells.obs.columns)[:10]))
        text = f" names columns of .obs from coarse to fine, but {lacking} are not there; it has {known}."
        raise ArgumentError("y", Argument("y", list(columns)), text)
    table = {}
    for name in columns:
        labels = as_label_array(cells.obs[name])
        missing = is_missing(labels)
        table[name] = labels_as_text(labels)
        table[name][missing] = None
    return pd.DataFrame(table)


def _only_parents(table: pd.DataFrame, fine: str, coarse: str) -> dict[str, str]:
    """Return the coarse label of each fine one; refuse two."""
    counts = table[[fine, coarse]].dropna().value_counts(sort=False)
    found: dict[str, str] = {}
    for name, parent in counts.index:
        if found.setdefault(name, parent) != parent:
            both = {each: int(counts[name, each]) for each in (found[name], parent)}
            cells = [f"{each!r} ({n:,} cell{'s' if n != 1 else ''})" for each, n in both.items()]
            raise _contradiction(name, fine, coarse, cells)
    for name, parent in found.items():
        if name != parent and name in set(found.values()):
            below = next(each for each, above in found.items() if above == name)
            what = f"{name!r} is a label in {coarse!r}, of {below!r}, and one in {fine!r}, of {parent!r}"
            raise ArgumentError("y", f"{what}; give the coarse and the fine type different names.")
    return found


def _contradiction(name: str, fine: str, coarse: str, parents: Sequence[str]) -> ArgumentError:
    both = " and ".join(parents)
    text = f"The type {name!r} in {fine!r} has two labels in {coarse!r}: {both}; give it one."
    return ArgumentError("y", text)


def _warn_of_others(types: Sequence[str], known: Any) -> None:
    others = [name for name in types if name not in known]
    if others:
        shown = first_few([repr(name) for name in others], 5)
        what = f"{len(others)} of {len(types)} types are under the root only, as "
        warn(LabelWarning(what, Argument("parents"), f" does not place them: {shown}."))


def _term_column(adata: AnnData, key: str) -> str:
    """Return the column for ids: CELLxGENE's, unless others wrote one of that name."""
    before = adata.uns.get(key, {})
    is_own = isinstance(before, Mapping) and before.get("term_id_column") == TERM_COLUMN
    if TERM_COLUMN not in adata.obs or is_own:
        return TERM_COLUMN
    own = f"{key}_ontology_term_id"
    warn(LabelWarning(f"obs[{TERM_COLUMN!r}] is kept as it is; ids are written into obs[{own!r}]."))
    return own


def _labels(
    names: Sequence[str], best: np.ndarray, types: pd.Categorical, is_named: np.ndarray
) -> pd.Categorical:
    """Return the names at the positions `best`; cells without a name keep the word in `types`."""
    labels = np.array(names, dtype=object)[best]
    labels[~is_named] = np.asarray(types, dtype=object)[~is_named]
    return pd.Categorical(labels)
