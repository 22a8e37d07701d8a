"""A head for the genes that a query has, refitted from moments instead of imputing the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gene_gcn.training.linear_head import fit_linear_head
from gene_gcn.training.moments import TypeMoments, evenly

__all__ = ["HeadRefit", "draw_training", "scaled_to_one_depth"]

# Of the head that imputes, where hardly any genes are left; 0 to 0.85 were compared (docs/guide/panels.md).
IMPUTED_WEIGHT = 0.3
DRAWN_CELLS = 2_000
DRAWN_VALUES = 10_000_000  # cells times genes: 40 MB, and some seconds


@dataclass(frozen=True, eq=False)
class HeadRefit:
    """What refits a head to some of the genes: the default head, fitted to cells drawn from the moments.

    The refitted head and the given one with the other genes imputed are averaged. The weight of the latter
    grows with the fraction of the genes that is present: with all genes it counts alone, and nothing changes.

    Attributes
    ----------
    prior : ndarray, shape (K,)
        What each type counts in the loss.
    scales_depth : bool
        Whether expression is the square root of counts that are scaled to a depth: drawn cells then get the
        same depth in the genes that remain, as a query does.
    seed : int
    """

    prior: np.ndarray
    scales_depth: bool = True
    seed: int = 0

    def head(
        self, moments: TypeMoments, present: Tensor, imputed: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the weight (N, K) and bias (K,) of a head for the genes `present`, a mask (N,).

        Parameters
        ----------
        moments : TypeMoments
            Of the N training genes.
        present : Tensor of bool, shape (N,)
        imputed : (Tensor, Tensor), of shapes (N, K) and (K,)
            Weight and bias of the head for all genes, with the imputation of missing ones folded in.
        """
        genes = np.flatnonzero(present.numpy())
        part = moments.take(genes)
        X, y, class_weight = draw_training(part, self.prior, self.scales_depth, self.seed)
        fitted = fit_linear_head(X, y, len(self.prior), class_weight=class_weight, seed=self.seed).head
        kept = IMPUTED_WEIGHT + (1 - IMPUTED_WEIGHT) * len(genes) / len(present)
        blended = kept * imputed[0]
        blended[torch.from_numpy(genes)] += (1 - kept) * fitted.weight
        return blended, kept * imputed[1] + (1 - kept) * fitted.bias


def draw_training(
    moments: TypeMoments, prior: np.ndarray, scales_depth: bool, seed: int
) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """Draw cells (cells, N) to fit a head to, with types (cells,) and class weights (K,); see `HeadRefit`."""
    size = min(DRAWN_CELLS, max(DRAWN_VALUES // moments.sums.shape[2], len(prior)))
    X, y = moments.draw(evenly(moments.type_counts, size), seed)
    if scales_depth:
        X = scaled_to_one_depth(X, moments)
    return X, y, torch.from_numpy(prior / np.bincount(y)).float()


def scaled_to_one_depth(X: np.ndarray, moments: TypeMoments) -> np.ndarray:
    """Scale square roots of counts X (cells, N) such that each cell has the mean depth of the moments."""
    depth = np.square(X).sum(axis=1, dtype=np.float64)
    mean = float(moments.squares.sum(dtype=np.float64) / moments.type_counts.sum())
    return (X * np.sqrt(mean / np.maximum(depth, 1e-12))[:, None]).astype(np.float32)
