"""Realistic cells, as many as asked for, made by mixing and thinning real ones, and written to disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.benchmark.splits import labeled_cells, without_rare_types
from gene_gcn.cells import read_expression
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage.atomic import replacing

if TYPE_CHECKING:
    import h5py
    from anndata import AnnData

TYPE, BATCH = "cell_type", "batch"  # columns of obs
PARTS = ("train", "test")
TEST_FRACTION = 0.3  # of the real cells of each type
PARENTS = 3  # real cells that a made cell is mixed from, or one fewer
BATCHES = 8
# Subtypes differ in a module of genes. Both constants were chosen on pbmc3k and zheng_sorted_pbmc so that
# logistic regression has a macro-F1 of 0.8 to 0.9 on 50 types with 10,000 training cells.
MODULE_FRACTION = 0.05  # of the genes that the type expresses
LOG2_FOLD_CHANGE = 1.2  # standard deviation; the mean is zero
EXPRESSED = 0.05  # fraction of the cells of a type in which its genes are detected
STREAM = 512  # cells that share a random generator
# What determines the cells, besides the real ones and the seed.
DESIGN = (TEST_FRACTION, PARENTS, BATCHES, MODULE_FRACTION, LOG2_FOLD_CHANGE, EXPRESSED, STREAM)
CHUNK = 1 << 17  # values per chunk of the file


@dataclass(frozen=True, eq=False)
class CellMaker:
    """Makes cells of K types from the training or the test part of real ones.

    A made cell mixes two or three real cells of its type with random weights, uniform on the simplex. Their
    counts are thinned binomially, so that the expected depth is that of a real cell of the type, drawn at
    random; a real cell gives at most all of its counts. Counts stay whole numbers, as noisy as real ones.
    Batches have no effect. The n-th cell is the same however many are made.

    Attributes
    ----------
    X : csr_matrix, shape (B, N)
        Counts of the real cells, on the genes of the made ones.
    genes : tuple of str
        N names.
    types : tuple of str
        K names.
    frequency : ndarray, shape (K,)
    real_type : ndarray of int, shape (K,)
        The real type that each type is, or is a subtype of.
    fold_change : ndarray of float32, shape (K, N), or None
        Of the expected counts; None where no type is split.
    members : dict of str to list of ndarray
        Positions of the real cells of each real type, by part.
    seed : int
    """

    X: sparse.csr_matrix
    genes: tuple[str, ...]
    types: tuple[str, ...]
    frequency: np.ndarray
    real_type: np.ndarray
    fold_change: np.ndarray | None
    members: dict[str, list[np.ndarray]]
    seed: int

    @classmethod
    def prepare(
        cls,
        cells: AnnData,
        label: str,
        *,
        num_types: int | None = None,
        num_genes: int | None = None,
        seed: int = 0,
    ) -> CellMaker:
        """Divide real cells into parts, take genes, and split types.

        Parameters
        ----------
        cells : AnnData
            Raw counts.
        label : str
            Column of `obs` with the types.
        num_types : int, optional
            K; that of `cells` if not given. The most frequent types are kept, or the most frequent are split
            into subtypes: in each, a random twentieth of the expressed genes has log-normal fold changes.
        num_genes : int, optional
            N; that of `cells` if not given. Fewer are drawn at random; more are copies of genes drawn at
            random, thinned independently.
        seed : int

        Returns
        -------
        CellMaker

        Raises
        ------
        ArgumentError
            The cells are not counts, or have fewer than two types of at least five cells.
        """
        cells = without_rare_types(labeled_cells(cells, label), label)
        if read_expression(cells).scale != "counts":
            text = "the values are not whole numbers, but cells are made from raw counts."
            raise ArgumentError("cells", text)
        sizes = cells.obs[label].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        num_types = len(sizes) if num_types is None else num_types
        if min(num_types, len(sizes)) < 2:
            text = " has fewer than two types of at least five cells; choose another column."
            raise ArgumentError("label", Argument("label", label), text)
        rng = np.random.default_rng((seed, 0))
        columns, genes = _take_genes(tuple(cells.var_names), num_genes, rng)
        X = sparse.csr_matrix(cells.X)[:, columns].astype(np.float32)
        real_types = sizes.index[:num_types]
        labels = cells.obs[label].to_numpy()
        members = _divide([np.flatnonzero(labels == name) for name in real_types], rng)
        real_type, types, frequency = _split_types(sizes[:num_types], num_types)
        fold_change = None
        if num_types > len(real_types):
            expressed = [_expressed(X[members["train"][i]]) for i in range(len(real_types))]
            fold_change = _fold_changes([expressed[i] for i in real_type], X.shape[1], rng)
            fold_change[np.bincount(real_type)[real_type] == 1] = 1.0  # whole types stay as they are
        return cls(X, genes, types, frequency, real_type, fold_change, members, seed)

    @property
    def values_per_cell(self) -> float:
        """The mean number of stored values of a training cell."""
        return self.cells("train", 0, STREAM).nnz / STREAM

    def types_and_batches(self, part: str, num_cells: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of the types, and the batches, of the first cells; both shape (num_cells,)."""
        drawn = [self._draw_types(part, number)[1:] for number in range(-(-num_cells // STREAM))]
        types, batches = (np.concatenate(of) for of in zip(*drawn, strict=True))
        return types[:num_cells], batches[:num_cells]

    def cells(self, part: str, start: int, stop: int) -> sparse.csr_matrix:
        """Return counts of made cells [start, stop), float32, the same bits for whichever ranges are asked.

        Parameters
        ----------
        part : {"train", "test"}
        start, stop : int

        Returns
        -------
        csr_matrix, shape (stop - start, N)
        """
        first = start // STREAM
        made = [self._make(part, number) for number in range(first, -(-stop // STREAM))]
        return sparse.vstack(made, "csr")[start - first * STREAM : stop - first * STREAM]

    def _draw_types(self, part: str, number: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
        """Return the generator of a stream, after it has drawn types and batches."""
        rng = np.random.default_rng((self.seed, 1 + PARTS.index(part), number))
        types = rng.choice(len(self.types), STREAM, p=self.frequency).astype(np.int32)
        return rng, types, rng.integers(BATCHES, size=STREAM, dtype=np.int8)

    @cached_property
    def _depth(self) -> np.ndarray:
        return np.asarray(self.X.sum(axis=1), dtype=np.float64).ravel()

    def _make(self, part: str, number: int) -> sparse.csr_matrix:
        rng, types, _ = self._draw_types(part, number)
        parents, weight, target = self._draw_parents(part, self.real_type[types], rng)
        rate = _rates(weight, target, self._depth[parents])
        used = weight > 0
        num_parents = used.sum(axis=1)
        rows = self.X[parents[used]]
        values = np.diff(rows.indptr)
        chance = np.repeat(rate[used].astype(np.float32), values)
        if self.fold_change is not None:
            chance *= self.fold_change[np.repeat(np.repeat(types, num_parents), values), rows.indices]
        counts = _thin(rows.data, chance, rng)
        kept = counts > 0
        ends = np.concatenate([[0], np.cumsum(kept, dtype=np.int32)])[
            rows.indptr
        ]  # of the parents' remaining values
        indptr = ends[np.concatenate([[0], np.cumsum(num_parents)])]
        made = sparse.csr_matrix((counts[kept], rows.indices[kept], indptr), (STREAM, self.X.shape[1]))
        made.sum_duplicates()
        return made

    def _draw_parents(
        self, part: str, real_type: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return real cells and their weights, shape (STREAM, 3), and depths to thin to, shape (STREAM,)."""
        members = np.concatenate(self.members[part])
        sizes = np.array([len(of_type) for of_type in self.members[part]])
        size, start = sizes[real_type], (np.cumsum(sizes) - sizes)[real_type]
        first = rng.integers(size)
        second = (first + 1 + rng.integers(size - 1)) % size
        third = rng.integers(np.maximum(size - 2, 1))
        for other in (np.minimum(first, second), np.maximum(first, second)):  # three different cells
            third += third >= other
        weight = rng.dirichlet(np.ones(PARENTS), STREAM)
        weight[(rng.random(STREAM) < 0.5) | (size < PARENTS), -1] = 0.0
        weight /= weight.sum(axis=1, keepdims=True)
        parents = members[start[:, None] + np.stack([first, second, np.minimum(third, size - 1)], axis=1)]
        return parents, weight, self._depth[members[start + rng.integers(size)]]


def write_made_cells(
    path: str | Path, maker: CellMaker, part: str, num_cells: int, *, block_size: int = 4 * STREAM
) -> int:
    """Write made cells to an .h5ad file, block by block, whole or not at all.

    The file holds `X` as CSR (float32 counts, int32 indices, int64 index pointers, chunked, not compressed),
    the columns "cell_type" and "batch" of `obs`, and the names of the genes.

    Parameters
    ----------
    path : str or Path
    maker : CellMaker
    part : {"train", "test"}
        The real cells to make them from.
    num_cells : int
    block_size : int
        Cells in memory at a time; it does not change the file.

    Returns
    -------
    int
        The number of stored values.
    """
    import anndata
    import h5py

    types, batches = maker.types_and_batches(part, num_cells)
    obs = pd.DataFrame(
        {
            TYPE: pd.Categorical.from_codes(types, list(maker.types)),
            BATCH: pd.Categorical.from_codes(batches, [f"batch {i + 1}" for i in range(BATCHES)]),
        },
        index=[f"{part} cell {i + 1}" for i in range(num_cells)],
    )
    with replacing(path) as temporary:
        anndata.AnnData(obs=obs, var=pd.DataFrame(index=list(maker.genes))).write_h5ad(temporary)
        del obs
        with h5py.File(temporary, "r+") as file:
            writer = _CSRWriter(file, len(maker.genes))
            for start in range(0, num_cells, block_size):
                writer.append(maker.cells(part, start, min(start + block_size, num_cells)))
            return writer.finish()


class _CSRWriter:
    """Appends blocks of cells to the `X` of an .h5ad file."""

    def __init__(self, file: h5py.File, num_genes: int):
        if "X" in file:
            del file["X"]
        self.group = file.create_group("X")
        self.num_genes = num_genes
        self.ends = [np.zeros(1, np.int64)]
        for name, dtype in (("data", np.float32), ("indices", np.int32)):
            self.group.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(CHUNK,))

    def append(self, block: sparse.csr_matrix) -> None:
        start = int(self.ends[-1][-1])
        for name in ("data", "indices"):
            values = self.group[name]
            values.resize((start + block.nnz,))
            values[start:] = getattr(block, name)
        self.ends.append(start + block.indptr[1:].astype(np.int64))

    def finish(self) -> int:
        """Write the index pointers and the shape, and return the number of stored values."""
        indptr = np.concatenate(self.ends)
        self.group.create_dataset("indptr", data=indptr)
        encoding = {"encoding-type": "csr_matrix", "encoding-version": "0.1.0"}
        self.group.attrs.update({**encoding, "shape": np.array([len(indptr) - 1, self.num_genes])})
        return int(indptr[-1])


# ---- what cells are made from ----


def _take_genes(
    genes: tuple[str, ...], num_genes: int | None, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return columns of the real genes and their names, in the original order, then copies of genes."""
    num_real = len(genes)
    num_genes = num_real if num_genes is None else num_genes
    kept = np.sort(rng.permutation(num_real)[:num_genes])
    copied = rng.integers(num_real, size=max(num_genes - num_real, 0))
    taken = set(genes)
    names = [genes[i] for i in kept]
    for i in copied:
        name = next(name for n in count(2) if (name := f"{genes[i]}_copy{n}") not in taken)
        taken.add(name)
        names.append(name)
    return np.concatenate([kept, copied]), tuple(names)


def _divide(members: Sequence[np.ndarray], rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Divide the cells of each type into a training and a test part, of at least two cells."""
    parts: dict[str, list[np.ndarray]] = {part: [] for part in PARTS}
    for of_type in members:
        order = rng.permutation(of_type)
        num_test = max(round(TEST_FRACTION * len(order)), 2)
        parts["test"].append(order[:num_test])
        parts["train"].append(order[num_test:])
    return parts


def _split_types(sizes: pd.Series, num_types: int) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Split the types whose subtypes would be most frequent, until there are K.

    Returns
    -------
    real_type : ndarray of int, shape (K,)
    names : tuple of str
    frequency : ndarray, shape (K,)
    """
    parts = np.ones(len(sizes), dtype=np.int64)
    for _ in range(num_types - len(sizes)):
        parts[np.argmax(sizes.to_numpy() / (parts + 1))] += 1
    real_type = np.repeat(np.arange(len(sizes)), parts)
    names = [
        name if n == 1 else f"{name} (subtype {i + 1})"
        for name, n in zip(sizes.index, parts, strict=True)
        for i in range(n)
    ]
    frequency = (sizes.to_numpy() / sizes.sum() / parts)[real_type]
    return real_type, tuple(names), frequency / frequency.sum()


def _expressed(X: sparse.csr_matrix) -> np.ndarray:
    """Return the genes that are detected in 5 % of the cells."""
    return np.flatnonzero(X.getnnz(axis=0) >= EXPRESSED * X.shape[0])


def _fold_changes(expressed: Sequence[np.ndarray], num_genes: int, rng: np.random.Generator) -> np.ndarray:
    """Draw fold changes of a module of the expressed genes of each type, shape (K, N)."""
    fold_change = np.ones((len(expressed), num_genes), np.float32)
    for row, genes in zip(fold_change, expressed, strict=True):
        module = rng.choice(genes, math.ceil(MODULE_FRACTION * len(genes)), replace=False)
        row[module] = np.exp2(rng.normal(0.0, LOG2_FOLD_CHANGE, len(module)))
    return fold_change


# ---- thinning ----


def _rates(weight: np.ndarray, target: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return the fraction of the counts that each parent gives, shape (B, 3).

    The parents give the weighted parts of the target; where one has too few counts, the others give more.
    """
    given = np.minimum(weight * target[:, None], depth)
    left = np.where(weight > 0, depth - given, 0.0)
    missing = (target - given.sum(axis=1)) / np.maximum(left.sum(axis=1), 1.0)
    return (given + np.clip(missing, 0.0, 1.0)[:, None] * left) / np.maximum(depth, 1.0)


def _thin(counts: np.ndarray, chance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw binomial counts; most are of a single count, for which a uniform number is faster."""
    thinned = (rng.random(len(counts), dtype=np.float32) < chance).astype(np.float32)
    several = np.flatnonzero(counts > 1)
    thinned[several] = rng.binomial(counts[several].astype(np.int64), np.minimum(chance[several], 1.0))
    return thinned
