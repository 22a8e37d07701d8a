r"""Sums of cells, from which a model can be refitted to other genes and types, and models can be merged.

Of each batch and type: the number of cells and the sum of their expression; of each batch: sums of squares,
and a low-rank factor of the scatter of cells around the means of their types. Counts, sums and squares add
up exactly; factors do up to what their rank leaves out, whose variances of single genes are kept exactly.

Letters: L batches, K types, N genes, R components.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import sparse

from gene_gcn.training.distributed import sum_over_processes
from gene_gcn.training.operators import CellSource

__all__ = ["TypeMoments", "evenly"]

MOST_BATCHES = 16  # that are kept apart, as sums of each of their types take space
RANK = 30  # of factors; 100 and more gained nothing on two sets
SMALLEST_VARIANCE = 1e-6  # of an axis that a factor keeps, as a fraction of the largest


@dataclass(frozen=True, eq=False)
class TypeMoments:
    r"""First and second moments of the types, batch by batch.

    Attributes
    ----------
    counts : ndarray of int64, shape (L, K)
        Cells.
    sums : ndarray of float32, shape (L, K, N)
        Of their normalized expression.
    squares : ndarray of float32, shape (L, N)
        Sums of its squares, over all types.
    factors : ndarray of float32, shape (L, R, N)
        F, for which ``F.T @ F`` approximates the scatter of a batch's cells around the means of their types.
    """

    counts: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    factors: np.ndarray

    @classmethod
    def of(
        cls,
        cells: CellSource,
        y: np.ndarray,
        num_classes: int,
        axes: np.ndarray,
        batch: np.ndarray | None,
        further: sparse.csr_matrix,
    ) -> tuple[TypeMoments, np.ndarray, np.ndarray]:
        r"""Sum the cells in one pass, over all processes.

        The scatter S of a batch is never made. From its product with the given axes V, as principal ones,
        follows ``S V (Vᵀ S V)⁻¹ (S V)ᵀ``, the Nyström approximation of S (Gittens & Mahoney 2016,
        arXiv:1303.1849), which never exceeds S.

        Parameters
        ----------
        cells : CellSource
        y : ndarray of int64, shape (cells of all processes,)
        num_classes : int
            K.
        axes : ndarray of float32, shape (N, R)
        batch : ndarray of int64, shape (cells of all processes,), or None
            More than 16 are taken together.
        further : csr_matrix, shape (cells of all processes, S)
            Weights of the cells in further sums of their expression.

        Returns
        -------
        moments : TypeMoments
        codes : ndarray of float32, shape (cells of this process, R)
            Their products with the axes.
        sums : ndarray, shape (S, N)
        """
        if batch is None or batch.max(initial=0) >= MOST_BATCHES:
            batch = np.zeros(len(y), np.int64)
        n_batches, n_genes = int(batch.max(initial=0)) + 1, cells.shape[1]
        y, batch, further = y[cells.rows], batch[cells.rows], further[cells.rows]
        sums = np.zeros((n_batches, num_classes, n_genes))
        squares = np.zeros((n_batches, n_genes))
        products = np.zeros((n_batches, n_genes, axes.shape[1]))
        further_sums = np.zeros((further.shape[1], n_genes))
        codes, first = [np.empty((0, axes.shape[1]), np.float32)], 0
        for block in cells.blocks():
            rows = slice(first, first + block.shape[0])
            codes.append(block @ axes)
            further_sums += (further[rows].T @ block).toarray()
            for index in np.unique(batch[rows]):
                own = batch[rows] == index
                part = block if own.all() else block[own]
                sums[index] += (_one_hot(y[rows][own], num_classes).T @ part).toarray()
                squares[index] += np.bincount(part.indices, part.data.astype(float) ** 2, n_genes)
                products[index] += part.T @ codes[-1][own]
            first = rows.stop
        counts = np.zeros((n_batches, num_classes), np.int64)
        np.add.at(counts, (batch, y), 1)
        if cells.is_divided:
            counts, sums, squares, products, further_sums = (
                sum_over_processes(torch.from_numpy(part)).numpy()
                for part in (counts, sums, squares, products, further_sums)
            )
        means = sums / np.maximum(counts, 1)[..., None]
        products -= np.swapaxes(sums, 1, 2) @ (means @ axes)
        factors = np.stack([_nystrom(part, axes) for part in products])
        kept = (part.astype(np.float32) for part in (sums, squares, factors))
        return cls(counts, *kept), np.concatenate(codes), further_sums

    @property
    def type_counts(self) -> np.ndarray:
        """Cells of each type, (K,)."""
        return self.counts.sum(axis=0)

    def means(self) -> np.ndarray:
        """Return the mean expression of each type, (K, N) float64."""
        return self.sums.sum(axis=0, dtype=np.float64) / np.maximum(self.type_counts, 1)[:, None]

    def within(self, rank: int = RANK) -> tuple[np.ndarray, np.ndarray]:
        """Return the scatter of all cells around the means of their types: a factor and what it leaves out.

        How means differ between batches belongs to it.

        Returns
        -------
        factor : ndarray, shape (R, N)
        rest : ndarray, shape (N,)
            Scatter of single genes.
        """
        means = self.means()
        per_batch = self.sums / np.maximum(self.counts, 1)[..., None]
        apart = np.sqrt(self.counts)[..., None] * (per_batch - means) * (self.counts > 0)[..., None]
        parts = [self.factors.reshape(-1, means.shape[1])]
        if len(self.counts) > 1:
            parts.append(apart.reshape(-1, means.shape[1]))
        factor = _compressed(np.concatenate(parts).astype(np.float64), rank)
        total = self.squares.sum(axis=0, dtype=np.float64) - self.type_counts @ means**2
        return factor, np.maximum(total - (factor**2).sum(axis=0), 0)

    def take(self, genes: np.ndarray) -> TypeMoments:
        """Return the moments of some genes, by their positions or a mask (N,)."""
        return TypeMoments(
            self.counts, self.sums[..., genes], self.squares[:, genes], self.factors[..., genes]
        )

    def without(self, batch: int) -> TypeMoments:
        """Return the moments of all batches but one."""
        kept = np.arange(len(self.counts)) != batch
        return TypeMoments(self.counts[kept], self.sums[kept], self.squares[kept], self.factors[kept])

    def rescaled(self, factor: float) -> TypeMoments:
        """Return the moments of the same cells, their expression multiplied by a factor."""
        scale = np.float32(factor)
        return replace(
            self,
            sums=self.sums * scale,
            squares=self.squares * scale**2,
            factors=self.factors * scale,
        )

    def of_types(self, types: np.ndarray, num_classes: int) -> TypeMoments:
        """Give the types other numbers, 0 to `num_classes` − 1; those with the number −1 are left out.

        Without a type its part of squares and factors is unknown: squares lose what its mean adds, and the
        share of its cells in the scatter.
        """
        kept = types >= 0
        counts = np.zeros((len(self.counts), num_classes), np.int64)
        sums = np.zeros((len(self.counts), num_classes, self.sums.shape[2]), np.float32)
        counts[:, types[kept]], sums[:, types[kept]] = self.counts[:, kept], self.sums[:, kept]
        if kept.all():
            return replace(self, counts=counts, sums=sums)
        of_means = (self.sums.astype(np.float64) ** 2 / np.maximum(self.counts, 1)[..., None]).sum(axis=1)
        left = (counts.sum(axis=1) / np.maximum(self.counts.sum(axis=1), 1))[:, None]
        scatter = np.maximum(self.squares - of_means, 0) * left
        own = (sums.astype(np.float64) ** 2 / np.maximum(counts, 1)[..., None]).sum(axis=1)
        factors = self.factors * np.sqrt(left)[..., None]
        return TypeMoments(counts, sums, (scatter + own).astype(np.float32), factors.astype(np.float32))

    def __add__(self, other: TypeMoments) -> TypeMoments:
        """Return the moments of both cells, of the same types and genes; batches stay apart."""
        rank = max(self.factors.shape[1], other.factors.shape[1])
        return TypeMoments(
            np.concatenate([self.counts, other.counts]),
            np.concatenate([self.sums, other.sums]),
            np.concatenate([self.squares, other.squares]),
            np.concatenate([_padded(self.factors, rank), _padded(other.factors, rank)]),
        )

    def shrunken(self) -> TypeMoments:
        """Return the moments with the means of types drawn together, by what of their variance is chance.

        In each gene the part 1 / F of the variance between types, where F is the statistic of the analysis of
        variance. Batches are taken together.
        """
        means, counts = self.means(), self.type_counts
        factor, rest = self.within()
        n, types = int(counts.sum()), len(counts)
        center = counts @ means / n
        between = counts @ (means - center) ** 2 / max(types - 1, 1)
        scatter = (factor**2).sum(axis=0) + rest
        chance = scatter / max(n - types, 1)
        kept = np.maximum(1 - chance / np.maximum(between, 1e-12), 0)
        means = center + kept * (means - center)
        squares = counts @ means**2 + scatter
        arrays = means * counts[:, None], squares, factor
        return TypeMoments(counts[None], *(array[None].astype(np.float32) for array in arrays))

    def draw(self, numbers: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw cells whose moments are these, as far as the low rank allows: Gaussian around their types.

        All types have the same covariance, that within types: of a few cells, their own is mostly chance.
        Means and scatter of the drawn cells are not left to chance but made those of the moments.

        Parameters
        ----------
        numbers : ndarray of int, shape (K,)
            Cells of each type.
        seed : int

        Returns
        -------
        X : ndarray of float32, shape (cells, N)
            Can be negative.
        y : ndarray of int64, shape (cells,)
        """
        rng = np.random.default_rng(seed)
        y = np.repeat(np.arange(len(numbers)), numbers)
        means = self.means()
        factor, rest = self.within()
        total = int(self.type_counts.sum())
        codes = _centered(rng.standard_normal((len(y), len(factor))), y)
        if len(y) - len(means) >= len(factor):
            codes = np.linalg.qr(codes)[0] * np.sqrt(len(y))
        X = (means[y] + codes @ (factor / np.sqrt(total))).astype(np.float32)
        noise = _centered(rng.standard_normal(X.shape, dtype=np.float32), y)
        length = np.sqrt((noise**2).mean(axis=0))
        X += noise * (np.sqrt(rest / total) / np.maximum(length, 1e-12)).astype(np.float32)
        return X, y


def _one_hot(y: np.ndarray, num_classes: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(len(y), np.float32), (np.arange(len(y)), y)), (len(y), num_classes))


def _nystrom(products: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return the factor (R, N) of a scatter S (N, N), given S V (N, R) and V."""
    core = axes.T.astype(np.float64) @ products
    variances, rotation = np.linalg.eigh((core + core.T) / 2)
    kept = variances > SMALLEST_VARIANCE * max(float(variances.max(initial=0)), 1e-12)
    scale = np.where(kept, 1 / np.sqrt(np.where(kept, variances, 1)), 0)
    return (products @ (rotation * scale)).T


def _compressed(factor: np.ndarray, rank: int) -> np.ndarray:
    """Return at most so many rows with the same Gram matrix of genes, as far as possible."""
    if len(factor) <= rank:
        return factor
    _, rotation = np.linalg.eigh(factor @ factor.T)
    return rotation[:, -rank:].T @ factor


def _padded(factors: np.ndarray, rank: int) -> np.ndarray:
    return np.pad(factors, ((0, 0), (0, rank - factors.shape[1]), (0, 0)))


def evenly(counts: np.ndarray, size: int) -> np.ndarray:
    """Return how many cells of each type, (K,), are at most `size` in all, the rarest types first."""
    low, high = 1, int(counts.max(initial=1))
    while low < high:
        level = (low + high + 1) // 2
        low, high = (level, high) if np.minimum(counts, level).sum() <= size else (low, level - 1)
    return np.minimum(counts, low)


def _centered(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Subtract the mean of each type."""
    of_type = _one_hot(y, int(y.max()) + 1)
    counts = np.maximum(np.asarray(of_type.sum(axis=0)).ravel(), 1)
    return X - ((of_type.T @ X) / counts[:, None])[y].astype(X.dtype)
