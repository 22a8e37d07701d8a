"""A head for the genes that a query has, refitted from moments instead of imputing the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gene_gcn.training.linear_head import fit_linear_head
from gene_gcn.training.moments import TypeMoments

__all__ = ["HeadRefit", "explained_variance", "scaled_to_one_depth"]

DRAWN_CELLS = 2_000
DRAWN_VALUES = 10_000_000  # cells times genes: 40 MB, and some seconds
# Powers of the explained variance were compared on zheng_sorted_pbmc and baron_mouse_pancreas (docs/panels.md).
BLEND_POWER = 2.0


@dataclass(frozen=True)
class HeadRefit:
    """What refits a head to some of the genes: the default head, fitted to cells drawn from the moments.

    The refitted head and the given one with the other genes imputed are averaged. The latter counts the more,
    the more of the variance of the logits the genes explain (`explained_variance`): with all genes it
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
        fitted = fit_linear_head(X, y, classes, seed=self.seed).head
        share = explained_variance(moments, weight.numpy(), folded[0].numpy()) ** BLEND_POWER
        blended = share * folded[0]
        blended[torch.from_numpy(genes)] += (1 - share) * fitted.weight
        return blended, share * folded[1] + (1 - share) * fitted.bias


def scaled_to_one_depth(X: np.ndarray, moments: TypeMoments) -> np.ndarray:
    """Scale square roots of counts X (cells, N) such that each cell has the mean depth of the moments."""
    depth = np.square(X).sum(axis=1, dtype=np.float64)
    mean = float(moments.squares.sum(dtype=np.float64) / moments.type_counts.sum())
    return (X * np.sqrt(mean / np.maximum(depth, 1e-12))[:, None]).astype(np.float32)


def explained_variance(moments: TypeMoments, weight: np.ndarray, folded: np.ndarray) -> float:
    """Return the squared correlation, 0 to 1, of the logits of all genes with those of some of them.

    Over cells and types; what all logits of a cell have in common does not count.

    Parameters
    ----------
    moments : TypeMoments
    weight : ndarray, shape (N, K)
        Of all genes.
    folded : ndarray, shape (N, K)
        Of the genes that are present, with the imputation folded in.
    """
    means, counts = moments.means(), moments.type_counts
    apart = np.sqrt(counts)[:, None] * (means - counts @ means / counts.sum())
    factor, rest = moments.within()
    every, some = (part - part.mean(1, keepdims=True, dtype=np.float64) for part in (weight, folded))

    def covariance(one: np.ndarray, other: np.ndarray) -> float:
        spread = sum(float(((part @ one) * (part @ other)).sum()) for part in (apart, factor))
        return spread + float((rest[:, None] * one * other).sum())

    variances = covariance(every, every) * covariance(some, some)
    return covariance(every, some) ** 2 / variances if variances > 0 else 1.0
