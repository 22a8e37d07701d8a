"""Cells of one or several files that are too many for memory: read block by block, again and again.

What all cells decide, such as the depth to which they are normalized, is collected in a first pass, in which
every value is checked. Letters: B cells, N genes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy import sparse

from gene_gcn.cells.expression import Expression, check_finite, is_anndata
from gene_gcn.cells.gene_columns import genes_kept, names_in_var
from gene_gcn.cells.matrix import move_columns, with_data
from gene_gcn.cells.normalizer import BlockSums, Normalizer, settle_scale
from gene_gcn.cells.references import shared_columns
from gene_gcn.cells.scale import (
    LINEAR,
    SCALE_NAMES,
    InferredScale,
    check_scale,
    exceeds,
    infer_scale,
    map_values,
)
from gene_gcn.cells.stored import StoredMatrix, is_sliceable, open_matrix, stored_values_of
from gene_gcn.errors import ArgumentError, DuplicateGenesWarning, warn
from gene_gcn.genes.names import merge_versions

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["CellBlocks", "NormalizedBlocks", "open_cells", "stays_on_disk"]

LARGEST_IN_MEMORY = 2**28  # stored values; 100,000 cells with 2,700 detected genes each
LOOKED_AT = 2048  # cells of a file from which its scale is inferred, before all are read
PLACES = 8  # from which they come
LARGEST_GAP = 64  # rows between wanted ones that are read with them


T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class _Part:
    """One file, and where its genes are among those of all files.

    Attributes
    ----------
    matrix : StoredMatrix
    columns : ndarray of int, shape (genes of the file,), or None
        Position among the N genes, −1 for none; None if they are the N genes.
    scale : str
        Of its values, from which they are brought to the linear scale; "" leaves them as they are.
    is_stated : bool
        Whether the user stated the scale, so that blocks that look like another are taken as stated.
    """

    matrix: StoredMatrix
    columns: np.ndarray | None
    scale: str
    is_stated: bool


@dataclass(frozen=True, eq=False)
class CellBlocks:
    """Cells in files, on the genes that all files have.

    `open_cells` makes them.

    Attributes
    ----------
    genes : tuple of str, or None
        N names.
    parts : tuple
        The files.
    checked : bool
        Whether all cells were read once, and found in order.
    progress : bool
        Show a bar with the remaining time of each pass over the cells.
    """

    genes: tuple[str, ...] | None
    n_genes: int
    parts: tuple[_Part, ...]
    checked: bool = False
    progress: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """Cells and genes."""
        return sum(part.matrix.shape[0] for part in self.parts), self.n_genes

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def frames(self) -> list[AnnData | CellBlocks]:
        """What has the labels of the cells of each file: its AnnData without a matrix."""
        return [
            replace(self, parts=(part,)) if part.matrix.frame is None else part.matrix.frame
            for part in self.parts
        ]

    @property
    def scale(self) -> str:
        """The scale of all files; "cp10k", linear values, if they differ."""
        scales = {part.scale for part in self.parts}
        return scales.pop() if len(scales) == 1 else "cp10k"

    def matched(self, indexer: np.ndarray, genes: tuple[str, ...] | None, n_genes: int) -> CellBlocks:
        """Return the cells on other genes (N of them), given the position of each of theirs, −1 for none."""
        parts = [
            replace(
                part,
                columns=indexer
                if part.columns is None
                else np.where(part.columns < 0, -1, indexer[part.columns]),
            )
            for part in self.parts
        ]
        return replace(self, genes=genes, n_genes=n_genes, parts=tuple(parts))

    def spans(self) -> list[tuple[int, int, int]]:
        """Return the file, and the first and last cell in it plus one, of each block."""
        return [
            (index, first, min(first + part.matrix.rows, part.matrix.shape[0]))
            for index, part in enumerate(self.parts)
            for first in range(0, part.matrix.shape[0], part.matrix.rows)
        ]

    def track(self, spans: Sequence[T], what: str) -> Iterator[T]:
        """Yield spans, with a progress bar if that is wanted."""
        if not self.progress:
            yield from spans
            return
        from rich.console import Console
        from rich.progress import track

        console = Console(stderr=True)
        yield from track(spans, what, console=console, transient=True, disable=not console.is_terminal)

    def read(self, span: tuple[int, int, int]) -> sparse.csr_matrix:
        """Read the cells of a span (cells, N), on the linear scale."""
        index, first, last = span
        part = self.parts[index]
        X = part.matrix.read(first, last)
        if not self.checked:
            _check_values(part, X, first)
        if part.scale:
            X = with_data(X, map_values(X, InferredScale.single(part.scale, True)))
        return X if part.columns is None else move_columns(X, part.columns, self.n_genes)

    def take(self, rows: np.ndarray) -> sparse.csr_matrix:
        """Read some cells, given by sorted positions, on the linear scale."""
        found, start = [sparse.csr_matrix((0, self.n_genes), dtype=np.float32)], 0
        for index, first, last in self.spans():  # never more than a block at a time
            begin, end = np.searchsorted(rows, [start, start + last - first])
            own = rows[begin:end] - start + first
            runs = np.split(own, np.flatnonzero(np.diff(own) > LARGEST_GAP) + 1) if len(own) else []
            found += [self.read((index, int(run[0]), int(run[-1]) + 1))[run - run[0]] for run in runs]
            start += last - first
        return sparse.vstack(found, "csr")

    def fit_normalizer(
        self,
        method: str,
        process: int = 0,
        n_processes: int = 1,
        join: Callable[[Iterator[BlockSums]], Iterator[BlockSums]] = iter,
    ) -> tuple[CellBlocks, Normalizer]:
        """Read all cells once; return them, checked, and what normalizes them.

        Parameters
        ----------
        method : str
            As for `Normalizer.fit`.
        process, n_processes : int
            The number of this process, from 0, and how many there are: blocks are dealt out in turn.
        join : callable
            From the sums of the blocks of this process to those of all blocks, in turn.

        Raises
        ------
        ArgumentError
            A block that cannot be read, or has other values than the rest of its file; the file is named.
        """
        sum_up = BlockSums.nothing if method == "none" else BlockSums.of
        spans = self.track(self.spans()[process::n_processes], "Checking cells")
        sums = join(sum_up(self.read(span)) for span in spans)
        normalizer = Normalizer.fit_sums(sums, self.genes, self.n_genes, self.scale, method)
        return replace(self, checked=True), normalizer


class NormalizedBlocks:
    """Normalized cells that are read block by block: a `gene_gcn.training.operators.CellSource`.

    Parameters
    ----------
    cells : CellBlocks
    normalizer : Normalizer
    kept : ndarray of bool, shape (B,)
        The cells to yield, such as those with a label. Positions are those among these.
    process, n_processes : int
        The number of this process, from 0, and how many there are: blocks are dealt out in turn.
    """

    def __init__(
        self,
        cells: CellBlocks,
        normalizer: Normalizer,
        kept: np.ndarray,
        process: int = 0,
        n_processes: int = 1,
    ):
        self.cells = cells
        self.normalizer = normalizer
        self.is_divided = n_processes > 1
        self._kept = kept
        self._passes = 0
        self._spans = []
        rows, first, position = [], 0, np.cumsum(kept) - 1
        for number, (index, start, stop) in enumerate(cells.spans()):
            own = np.flatnonzero(kept[first : first + stop - start])
            if number % n_processes == process and len(own):
                self._spans.append(((index, start, stop), own))
                rows.append(position[first + own])
            first += stop - start
        self.rows = np.concatenate(rows) if rows else np.empty(0, np.int64)
        self.shape = len(self.rows), cells.n_genes

    def blocks(self) -> Iterator[sparse.csr_matrix]:
        self._passes += 1
        for span, own in self.cells.track(self._spans, f"Pass {self._passes}"):
            block = self.cells.read(span)
            yield self.normalizer.rescale(block if len(own) == block.shape[0] else block[own])

    def take(self, rows: np.ndarray) -> sparse.csr_matrix:
        return self.normalizer.rescale(self.cells.take(np.flatnonzero(self._kept)[rows]))


def stays_on_disk(X: Any, layer: str | None = None, use_raw: bool = False) -> bool:
    """Say whether cells are read block by block: from backed AnnData and the like, or from large files.

    Files are AnnData that together store more than `LARGEST_IN_MEMORY` values, by cells.
    """
    if isinstance(X, CellBlocks) or (is_anndata(X) and X.isbacked):
        return True
    if isinstance(X, list | tuple):
        if any(part.isbacked if is_anndata(part) else is_sliceable(part) for part in X):
            return True
        if not X or not all(isinstance(part, (str, os.PathLike)) for part in X):
            return False
        return sum(stored_values_of(part, layer, use_raw) for part in X) > LARGEST_IN_MEMORY
    if isinstance(X, (str, os.PathLike)):
        return stored_values_of(X, layer, use_raw) > LARGEST_IN_MEMORY
    return not is_anndata(X) and is_sliceable(X)


def open_cells(
    X: Any,
    *,
    layer: str | None = None,
    use_raw: bool = False,
    gene_column: str | None = None,
    scale: str | None = None,
    normalize: bool = True,
    infer: Callable[[Expression], str] | None = None,
) -> CellBlocks:
    """Open cells that stay on disk, of one file or several, which are joined on the genes that all have.

    Parameters
    ----------
    X : path, backed AnnData, object with a length, slices and `batch_size`, or a list of these
        See `gene_gcn.cells.stored.open_matrix`.
    layer, use_raw, gene_column, scale
        As for `read_expression`.
    normalize : bool
        Bring values to the linear scale; with False they are left as they are.
    infer : callable, optional
        From some cells of a file to the scale of its values; by default as that of training cells is.

    Returns
    -------
    CellBlocks

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ArgumentError
        As `open_matrix` and `read_expression`; or parts of a file are on different scales.
    """
    if isinstance(X, CellBlocks):
        return X
    check_scale(scale)
    given: Sequence[Any] = X if isinstance(X, list | tuple) else [X]
    matrices = [open_matrix(one, layer, use_raw) for one in given]
    named = [_genes_of(matrix, gene_column) for matrix in matrices]
    genes, columns = named[0]
    if len(matrices) > 1:
        genes, positions = shared_columns([names for names, _ in named])
        columns_of = [
            np.where(own < 0, -1, position[own]) for (_, own), position in zip(named, positions, strict=True)
        ]
    else:
        columns_of = [columns]
    n_genes = matrices[0].shape[1] if genes is None else len(genes)
    parts = []
    for matrix, own in zip(matrices, columns_of, strict=True):
        same = matrix.shape[1] == n_genes and np.array_equal(own, np.arange(n_genes))
        found = _scale_of(matrix, genes, scale, infer) if normalize else ""
        parts.append(_Part(matrix, None if same else own, found, scale is not None))
    return CellBlocks(genes, n_genes, tuple(parts))


def _genes_of(matrix: StoredMatrix, column: str | None) -> tuple[tuple[str, ...] | None, np.ndarray]:
    """Return the names of genes, each once, and the position among them of each column, −1 for none."""
    own = np.arange(matrix.shape[1])
    if not all(matrix.shape):
        raise ArgumentError("X", f"{matrix.name} has no cells or no genes (shape {matrix.shape}).")
    names = None if matrix.frame is None else names_in_var(matrix.frame.var, column)
    if names is None:
        return None, own
    kept = genes_kept(names)
    versions = merge_versions(tuple(np.array(names, dtype=object)[kept]))
    unique = {name: position for position, name in enumerate(dict.fromkeys(versions))}
    if len(unique) < len(versions):
        repeated = len(versions) - len(unique)
        warn(DuplicateGenesWarning(f"{matrix.name} has {repeated:,} repeated gene names; values are summed."))
    columns = np.full(len(own), -1)
    columns[kept] = [unique[name] for name in versions]
    return tuple(unique), columns


def _scale_of(
    matrix: StoredMatrix,
    genes: tuple[str, ...] | None,
    stated: str | None,
    infer: Callable[[Expression], str] | None,
) -> str:
    n = matrix.shape[0]
    step = -(-LOOKED_AT // PLACES)
    starts = range(0, n, max(step, n // PLACES))
    X = sparse.vstack([matrix.read(first, min(first + step, n)) for first in starts], "csr")
    try:
        check_finite(X, None, None)
        expression = Expression(X, genes, origin=matrix.frame, stated_scale=stated)
        if stated is None and expression.inferred_scale.is_mixed:
            found = expression.inferred_scale
            raise ArgumentError("X", f"X joins {found}; store them as files of their own.")
        return settle_scale(expression).scale if infer is None else infer(expression)
    except ArgumentError as error:
        raise ArgumentError(error.argument, f"{matrix.name}: ", *error.parts) from error


def _check_values(part: _Part, X: sparse.csr_matrix, first: int) -> None:
    """Refuse cells whose values are not like those by which the scale of their file was judged."""
    where = part.matrix.where(first, first + X.shape[0])
    if not np.isfinite(X.data).all():
        raise ArgumentError("X", f"{where}, have values that are NaN or infinite; set these to 0.")
    if not part.scale:
        return
    if X.nnz and X.data.min() < 0:
        raise ArgumentError("X", f"{where}, have negative values; pass raw counts.")
    if exceeds(X, part.scale) or (not part.is_stated and _differs(X, part.scale)):
        text = f"are not {SCALE_NAMES[part.scale]} as the others; store these as a file of their own."
        raise ArgumentError("X", f"{where}, {text}")


def _differs(X: sparse.csr_matrix, scale: str) -> bool:
    """Return whether values are certainly on another scale; the linear ones are one."""
    if scale == "counts":
        return not np.array_equal(X.data, np.rint(X.data))
    found = infer_scale(X)
    if found.is_mixed:
        return True
    return found.is_certain and found.name != scale and not (found.name in LINEAR and scale in LINEAR)
