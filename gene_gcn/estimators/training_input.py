"""What `fit` is given: one matrix of cells or several references, their labels and batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d

from gene_gcn.cells import (
    CellBlocks,
    Expression,
    as_cells,
    as_label_array,
    is_anndata,
    is_missing,
    join_references,
    read_batches,
    read_labels,
    warn_of_unshared_types,
)
from gene_gcn.errors import Argument, ArgumentError, LabelWarning, warn
from gene_gcn.estimators.card import ModelCard, described_cells

if TYPE_CHECKING:
    from gene_gcn.estimators.base import CellsLike


MANY_BATCHES = 20  # with fewer, a batch of its own for each cell may be meant


def read_stored_targets(
    cells: CellBlocks, y: Any, batch: Any
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Return the labels, which may be missing, and batches of cells on disk, as `TrainingInput` has them."""
    frames = cells.frames
    if len(frames) == 1:
        y, batch = (v if v is None or isinstance(v, str) else [v] for v in (y, batch))
    names = [part.matrix.name for part in cells.parts]
    return read_targets(lambda number, _: frames[number], names, y, batch, True)


@dataclass(frozen=True, eq=False)
class TrainingInput:
    """Cells with their labels and batches.

    Attributes
    ----------
    expression : Expression
        B cells.
    labels : ndarray, shape (B,)
        Missing ones are those that `gene_gcn.cells.is_missing` finds.
    batch : ndarray of int, shape (B,), or None
        0 to L − 1; −1 for cells without a label.
    batch_names : tuple of str, of length L
        Empty without batches. Those of several references begin with the number of the reference.
    card : ModelCard
        What the cells say of themselves.
    """

    expression: Expression
    labels: np.ndarray
    batch: np.ndarray | None
    batch_names: tuple[str, ...] = ()
    card: ModelCard = field(default_factory=ModelCard)

    @classmethod
    def read(
        cls, X: CellsLike, y: Any, batch: Any, read: Callable[[Any], Expression], *, allow_missing: bool
    ) -> TrainingInput:
        """Read one matrix of cells."""
        X = as_cells(X, _columns(y, batch))
        expression = read(X)
        labels, card = _read_labels(X, y, allow_missing), described_cells([X])
        if batch is None:
            return cls(expression, labels, None, card=card)
        labeled = ~is_missing(labels)
        return cls(expression, labels, *_number(read_batches(X, batch, needed=labeled), labeled), card)

    @classmethod
    def read_several(
        cls,
        references: Sequence[Any],
        y: Any,
        batch: Any,
        read: Callable[[Any], Expression],
        *,
        allow_missing: bool,
    ) -> TrainingInput:
        """Read several references, each a batch, or several if it has batches of its own.

        Parameters
        ----------
        y, batch
            As for one reference, or a sequence with one for each.
        """
        parts, cards = [], []

        def open_reference(number: int, columns: list[str]) -> Any:
            cells = as_cells(references[number], columns)
            parts.append(read(cells))
            cards.append(described_cells([cells]))
            return cells

        names = [f"Reference {number}" for number in range(1, len(references) + 1)]
        targets = read_targets(open_reference, names, y, batch, allow_missing)
        return cls(join_references(parts), *targets, reduce(ModelCard.joined, cards))


def read_targets(
    open_reference: Callable[[int, list[str]], Any],
    names: Sequence[str],
    y: Any,
    batch: Any,
    allow_missing: bool,
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Return the labels and batches of the cells of several references, as `TrainingInput` has them.

    Parameters
    ----------
    open_reference : callable
        From the number of a reference and the columns of obs that are wanted to its cells.
    names : sequence of str
        What errors call each reference, if there are several.
    """
    count = len(names)
    labels, batches = [], []
    for number in range(count):
        own_y, own_batch = _own("y", y, number, count), _own("batch", batch, number, count)
        try:
            cells = open_reference(number, _columns(own_y, own_batch))
            labels.append(_read_labels(cells, own_y, allow_missing))
            values = np.full(len(labels[-1]), "")
            if own_batch is not None:
                values = read_batches(cells, own_batch, needed=~is_missing(labels[-1]))
        except ArgumentError as error:
            if count == 1:
                raise
            raise ArgumentError(error.argument, f"{names[number]}: ", *error.parts) from error
        batches += [f"{number} {value}" for value in values]
    warn_of_unshared_types([part[~is_missing(part)] for part in labels])
    same_kind = len({part.dtype.kind for part in labels}) == 1
    joined = np.concatenate(labels if same_kind else [part.astype(object) for part in labels])
    if count == 1 and batch is None:
        return joined, None, ()
    if count == 1:
        batches = [name.removeprefix("0 ") for name in batches]
    return joined, *_number(np.array(batches), ~is_missing(joined))


def _number(batches: np.ndarray, labeled: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return the number of the batch of each cell (B,), −1 without a label, and their names.

    None, and no names, if there is one batch.
    """
    codes = np.full(len(batches), -1)
    codes[labeled], values = pd.factorize(batches[labeled])
    if len(values) > MANY_BATCHES and 2 * len(values) > len(batches):
        what = f"{len(values):,} batches for {len(batches):,} cells, as identifiers of cells would"
        raise ArgumentError("batch", Argument("batch"), f" has {what}; pass donors, technologies or such.")
    if len(values) > 1:
        return codes, tuple(map(str, values))
    warn(LabelWarning(f"All {len(batches):,} cells are of one batch, so batches are not used."))
    return None, ()


def _columns(y: Any, batch: Any) -> list[str]:
    return [name for name in (y, batch) if isinstance(name, str)]


def _own(name: str, value: Any, number: int, count: int) -> Any:
    """Return what belongs to one of the references."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, list | tuple) or len(value) != count:
        raise ArgumentError(
            name,
            f"With a list of {count:,} references, ",
            Argument(name),
            f" must be the name of a column, or a list with one for each; it is a {type(value).__name__}.",
        )
    return value[number]


def _read_labels(X: CellsLike, y: Any, allow_missing: bool) -> np.ndarray:
    if not is_anndata(X) and not isinstance(y, str | pd.Series | pd.DataFrame | None):
        y = column_or_1d(as_label_array(y), warn=True)  # for what is left, read_labels says what is wrong
    return read_labels(X, y, allow_missing=allow_missing)
