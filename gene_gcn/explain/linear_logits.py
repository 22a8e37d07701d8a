"""Logits that are linear in expression and in what reaches each gene along the edges of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = ["LinearLogits"]


@dataclass(frozen=True, eq=False)
class LinearLogits:
    """Logits `(x + λ A x) W + b` of a cell x, in double precision.

    Attributes
    ----------
    weight : ndarray of float64, shape (N, K)
        W.
    bias : ndarray of float64, shape (K,)
        b.
    adjacency : csr_matrix of float64, shape (N, N)
        λ A, whose rows are targets and whose columns are sources; without entries if there is no network.
    """

    weight: np.ndarray
    bias: np.ndarray
    adjacency: sparse.csr_matrix

    def folded(self) -> np.ndarray:
        """Return the weight (N, K) of x itself, with the network folded in."""
        return self.weight + self.adjacency.T @ self.weight

    def of(self, cells: np.ndarray) -> np.ndarray:
        """Return the logits (…, K) of cells (…, N)."""
        return cells @ self.folded() + self.bias

    def select(self, types: Sequence[int], against: int | None) -> LinearLogits:
        """Return the logits of some types (positions), or how far they exceed that of another type."""
        weight, bias = self.weight[:, types], self.bias[types]
        if against is not None:
            weight, bias = weight - self.weight[:, [against]], bias - self.bias[against]
        return LinearLogits(weight, bias, self.adjacency)
