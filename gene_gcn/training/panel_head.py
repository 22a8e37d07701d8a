"""A head for the genes that a query has, refitted from moments instead of imputing the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.training.linear_head import fit_linear_head
from gene_gcn.training.moments import TypeMoments

__all__ = ["HeadRefit", "kept_variance", "scaled_to_one_depth"]

DRAWN_CELLS = 2_000
DRAWN_VALUES = 8_000_000  # cells times genes: 64 MB, and some seconds
# Powers of the kept variance were compared on zheng_sorted_pbmc and baron_mouse_pancreas (docs/panels.md).
BLEND_POWER = 2.0


@dataclass(frozen=True)
class HeadRefit:
    """What refits a head to some of the genes: the default head, fitted to cells drawn from the moments.

    The refitted head and the given one with the other genes imputed are averaged. The latter counts the more,
    the more of the variance of its logits can be told from the genes (`kept_variance`): with all genes it
    counts alone, and nothing changes.

    Attributes
    ----------
    scales_depth : bool
        Whether expression is the square root of counts that are scaled to a depth: drawn cells then get the
        same depth in the genes that remain, as a query does.
    seed : int
    """

    scales_depth: bool = True
    seed: int = 0

    def head(
        self, moments: TypeMoments, present: Tensor, weight: Tensor, folded: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the weight (N, K) and bias (K,) of a head for the genes `present`, a mask (N,).

        Parameters
        ----------
        moments : TypeMoments
            Of the N training genes.
        present : Tensor of bool, shape (N,)
        weight : Tensor, shape (N, K)
            Of the head for all genes.
        folded : (Tensor, Tensor), of shapes (N, K) and (K,)
            Weight and bias of that head with the imputation folded in.
        """
        genes = np.flatnonzero(present.numpy())
        part = moments.take(genes)
        X, y = part.draw(min(DRAWN_CELLS, max(DRAWN_VALUES // len(genes), 1)), self.seed)
        if self.scales_depth:
            X = scaled_to_one_depth(X, part)
        classes = weight.shape[1]
        fitted = fit_linear_head(sparse.csr_matrix(X), y, classes, seed=self.seed).head
        share = kept_variance(moments, weight.numpy(), folded[0].numpy()) ** BLEND_POWER
        blended = share * folded[0]
        blended[torch.from_numpy(genes)] += (1 - share) * fitted.weight
        return blended, share * folded[1] + (1 - share) * fitted.bias


def scaled_to_one_depth(X: np.ndarray, moments: TypeMoments) -> np.ndarray:
    """Scale square roots of counts X (cells, N) such that each cell has the mean depth of the moments."""
    depth = np.square(X).sum(axis=1, dtype=np.float64)
    mean = float(moments.squares.sum(dtype=np.float64) / moments.type_counts.sum())
    return (X * np.sqrt(mean / np.maximum(depth, 1e-12))[:, None]).astype(np.float32)


def kept_variance(moments: TypeMoments, weight: np.ndarray, folded: np.ndarray) -> float:
    """Return the fraction, 0 to 1, of the variance of logits that remains where genes are imputed.

    Parameters
    ----------
    moments : TypeMoments
    weight : ndarray, shape (N, K)
        Of all genes.
    folded : ndarray, shape (N, K)
        Of the genes that are present, with the imputation folded in.
    """
    means = moments.means()
    counts = moments.type_counts
    apart = np.sqrt(counts)[:, None] * (means - counts @ means / counts.sum())
    factor, rest = moments.within()
    every, kept = (_variance(part - part.mean(1, keepdims=True), apart, factor, rest) for part in (weight, folded))
    return min(kept / every, 1.0) if every > 0 else 1.0


def _variance(weight: np.ndarray, apart: np.ndarray, factor: np.ndarray, rest: np.ndarray) -> float:
    spread = sum(float(np.square(part @ weight).sum()) for part in (apart, factor))
    return spread + float((rest[:, None] * weight.astype(np.float64) ** 2).sum())
