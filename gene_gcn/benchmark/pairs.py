"""References and queries: other batches and files to annotate, and types that the reference lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gene_gcn.benchmark.accuracy import CellSet
from gene_gcn.benchmark.splits import MIN_CELLS, folds
from gene_gcn.cells import SMALLEST_OVERLAP, read_batches
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData

PAIR_KINDS = ("transfer", "held-out-types")
MAX_VALUES = 20  # of a column, which make 380 pairs
MIN_SHARED = 2  # types; with one, every method is right


@dataclass(frozen=True, eq=False)
class Side:
    """Some cells of a set.

    Attributes
    ----------
    name : str
    cell_set : CellSet
    rows : ndarray of int
        Positions of the cells in the set.
    """

    name: str
    cell_set: CellSet
    rows: np.ndarray

    @property
    def cells(self) -> AnnData:
        """A copy of the cells."""
        return self.cell_set.cells[self.rows].copy()

    @property
    def labels(self) -> np.ndarray:
        return self.cell_set.cells.obs[self.cell_set.label].to_numpy()[self.rows]

    @property
    def types(self) -> set[str]:
        return set(self.labels)

    def without_types_below(self, n_cells: int) -> Side:
        """Exclude types with fewer than `n_cells` cells."""
        labels = pd.Series(self.labels)
        return self._keep((labels.map(labels.value_counts()) >= n_cells).to_numpy(bool))

    def without(self, name: str) -> Side:
        """Exclude a type."""
        return self._keep(self.labels != name)

    def _keep(self, kept: np.ndarray) -> Side:
        return Side(self.name, self.cell_set, self.rows[kept])


@dataclass(frozen=True, eq=False)
class Pair:
    """A reference to train on and a query to annotate.

    Attributes
    ----------
    kind : str
        One of `PAIR_KINDS`.
    splits : str
        The kind with its settings, as tables show it.
    family : str
        Pairs that differ in the same respect, such as the laboratories of a set.
    reference, query : Side
    held_out : str
        The type that was removed from the reference, empty for none.
    """

    kind: str
    splits: str
    family: str
    reference: Side
    query: Side
    held_out: str = ""

    @property
    def name(self) -> str:
        held_out = f", {self.held_out} held out" if self.held_out else ""
        return f"{self.reference.name} → {self.query.name}{held_out}"

    @property
    def shared_types(self) -> list[str]:
        return sorted(self.reference.types & self.query.types)

    def cells(self) -> tuple[AnnData, AnnData]:
        """Return copies of the cells of both sides, each with its own genes."""
        return self.reference.cells, self.query.cells


def on_shared_genes(reference: AnnData, query: AnnData) -> tuple[AnnData, AnnData]:
    """Return both with the genes that both have, in the order of the reference."""
    if reference.var_names.equals(query.var_names):
        return reference, query
    shared = reference.var_names[reference.var_names.isin(query.var_names)]
    return reference[:, shared].copy(), query[:, shared].copy()


def make_pairs(
    sets: Sequence[CellSet], kinds: Iterable[str], groups: Sequence[str] = ()
) -> tuple[list[Pair], list[ArgumentError]]:
    """Pair references with queries.

    Types with fewer than five cells on a side are excluded there. A type of the query that the reference
    lacks stays in the query.

    Parameters
    ----------
    sets : sequence of CellSet
    kinds : iterable of str
        "transfer" gives all ordered pairs of the values of each column of `groups` within a set, and of the
        sets. "held-out-types" removes each shared type from the reference of those pairs in turn; without
        "transfer", from the training cells of five folds of each set.
    groups : sequence of str
        Columns of `obs`. Sets without a column have no pairs for it.

    Returns
    -------
    pairs : list of Pair
    skipped : list of ArgumentError
        Why some pairs cannot be made.
    """
    kinds = set(kinds)
    found = [*_within(sets, groups), *_between(sets)] if "transfer" in kinds else [*_between_folds(sets)]
    pairs = [pair for pair in found if isinstance(pair, Pair)]
    skipped = [reason for reason in found if isinstance(reason, ArgumentError)]
    held_out = [each for pair in pairs for each in _held_out(pair)] if "held-out-types" in kinds else []
    return (pairs if "transfer" in kinds else []) + held_out, skipped


def _within(sets: Sequence[CellSet], columns: Sequence[str]) -> Iterator[Pair | ArgumentError]:
    for cells in sets:
        seen = set()
        for column in columns:
            try:
                sides = _sides(cells, column)
            except ArgumentError as error:
                yield ArgumentError(error.argument, f"{cells.name}: ", *error.parts)
                continue
            partition = tuple(side.rows.tobytes() for side in sides)
            if partition not in seen:  # the donor is often the batch
                seen.add(partition)
                for reference, query in permutations(sides, 2):
                    yield _pair(reference, query, f"{cells.name}, {column}")


def _sides(cells: CellSet, column: str) -> list[Side]:
    codes, values = pd.factorize(read_batches(cells.cells, column, "groups"))
    if len(values) > MAX_VALUES:
        raise ArgumentError(
            "groups",
            Argument("groups", column),
            f" has {len(values):,} values, more than the {MAX_VALUES} that are paired; choose a column of "
            "larger groups.",
        )
    return [
        Side(f"{cells.name}/{value}", cells, np.flatnonzero(codes == i)) for i, value in enumerate(values)
    ]


def _between(sets: Sequence[CellSet]) -> Iterator[Pair | ArgumentError]:
    sides = [Side(cells.name, cells, np.arange(cells.cells.n_obs)) for cells in sets]
    for reference, query in permutations(sides, 2):
        yield _pair(reference, query, f"{query.name}, other files")


def _between_folds(sets: Sequence[CellSet]) -> Iterator[Pair]:
    for cells in sets:
        for i, (train, test) in enumerate(folds(cells.cells.obs[cells.label].to_numpy())):
            reference = Side(f"{cells.name} without fold {i}", cells, train)
            query = Side(f"{cells.name} fold {i}", cells, test)
            yield Pair("held-out-types", "5 folds", cells.name, reference, query)


def _pair(reference: Side, query: Side, family: str) -> Pair | ArgumentError:
    pair = Pair(
        "transfer",
        "transfer",
        family,
        reference.without_types_below(MIN_CELLS),
        query.without_types_below(MIN_CELLS),
    )
    if len(pair.shared_types) < MIN_SHARED:
        return ArgumentError(
            "cells", f"{pair.name}: fewer than two types have at least five cells on both sides."
        )
    n_genes = [side.cell_set.cells.n_vars for side in (reference, query)]
    shared = reference.cell_set.cells.var_names.isin(query.cell_set.cells.var_names).sum()
    if shared < SMALLEST_OVERLAP * min(n_genes):
        return ArgumentError("cells", f"{pair.name}: only {shared:,} genes have the same name on both sides.")
    return pair


def _held_out(pair: Pair) -> Iterator[Pair]:
    """Hold out each shared type in turn, as long as two others are shared."""
    if len(pair.shared_types) <= MIN_SHARED:
        return
    for name in pair.shared_types:
        yield Pair(
            "held-out-types",
            f"held-out types, {pair.splits}",
            pair.family,
            pair.reference.without(name),
            pair.query,
            name,
        )
