"""Cells with little or no expression get the prior of the types, as far as they say nothing themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from gene_gcn.cells import Normalizer
from gene_gcn.errors import EmptyCellsWarning, warn

ENOUGH_GENES = 10  # a cell that expresses as many of the model's genes speaks for itself
ENOUGH_SHARE = 0.05  # or this share of the genes of a typical cell, where that is fewer, as in small panels


def class_prior(target: np.ndarray, class_weight: np.ndarray | None) -> np.ndarray:
    """Return the probability of each type of a cell about which nothing is known.

    Parameters
    ----------
    target : ndarray of int, shape (B,)
        The types of the training cells, 0 to K − 1.
    class_weight : ndarray, shape (K,), or None
        Weights in the loss. Balanced ones make all types equally probable.

    Returns
    -------
    ndarray of float64, shape (K,)
    """
    weight = np.bincount(target) * (1.0 if class_weight is None else class_weight)
    return np.asarray(weight / weight.sum(), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Evidence:
    """How far the expression of each cell can be trusted to tell its type.

    Attributes
    ----------
    n_expressed : ndarray of int, shape (B,)
        Genes of the model that the cell expresses.
    enough : float
        So many make the probabilities of the model stand as they are.
    """

    n_expressed: np.ndarray
    enough: float

    @classmethod
    def of(cls, matrix: sparse.csr_matrix, normalizer: Normalizer, present: np.ndarray) -> Evidence:
        """Count genes of normalized cells, of which `present` (N,) were measured."""
        n_expressed = np.diff(matrix.indptr)
        if normalizer.input_scale == "scaled":  # there a zero is the mean
            return cls(np.full(len(n_expressed), matrix.shape[1]), 0.0)
        share = normalizer.gene_share[present].astype(np.float64)
        typical = -np.expm1(-normalizer.target_sum * share).sum()  # expected for a cell of the median depth
        return cls(n_expressed, max(1.0, min(ENOUGH_GENES, ENOUGH_SHARE * typical)))

    @classmethod
    def join(cls, parts: Sequence[Evidence]) -> Evidence:
        """Join the cells of parts of one query."""
        return cls(np.concatenate([part.n_expressed for part in parts]), parts[0].enough)

    @property
    def is_empty(self) -> np.ndarray:
        """Which cells express none of the model's genes, shape (B,)."""
        return (self.n_expressed == 0) & (self.enough > 0)

    def shrink(self, probability: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Return probabilities (B, K) in which cells with few genes are as uncertain as they should be.

        A cell with n of m genes that are enough gets ``n / m`` of its own probability, the rest of the prior.
        All other cells keep theirs, to the bit.
        """
        few = np.flatnonzero(self.n_expressed < self.enough)
        if not len(few):
            return probability
        own = (self.n_expressed[few] / self.enough)[:, None]
        shrunk = probability.copy()
        shrunk[few] = own * probability[few] + (1 - own) * prior
        return shrunk

    def warn_of_few(self, consequence: str) -> None:
        """Say how many cells express a few genes only; the normalizer says how many express none.

        `consequence` says what that means for the result.
        """
        few = int(((self.n_expressed > 0) & (self.n_expressed < self.enough)).sum())
        if few:
            what = f"{few:,} of {len(self.n_expressed):,} cells express fewer than {np.ceil(self.enough):.0f}"
            warn(EmptyCellsWarning(f"{what} of the model's genes, so {consequence}; filter them out."))
