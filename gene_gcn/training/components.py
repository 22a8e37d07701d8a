"""Principal components of cells, from products alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gene_gcn.training.operators import Features

COMPONENTS = 30
SUBSPACE_ITERATIONS = 4
EXACT_CELLS = 600  # up to which all components are computed


class PrincipalAxes(NamedTuple):
    """The first principal axes of cells, for each weighting of the genes (...).

    Attributes
    ----------
    axes : Tensor, shape (..., N, R)
        Orthonormal.
    variances : Tensor, shape (..., R)
        Variance along each axis, the largest first.
    total : Tensor, shape (...)
        Variance of all genes together.
    """

    axes: Tensor
    variances: Tensor
    total: Tensor

    def shortened(self, n: int) -> Tensor:
        """Return the axes of n cells, shortened by the part of their variance that is chance."""
        left_out = max(n - 1 - self.variances.size(-1), 1)
        remaining = (self.total - self.variances.sum(-1)).clamp(min=0) / left_out
        return self.axes * shrinkage(self.variances, remaining[..., None])[..., None, :]


def shrinkage(variances: Tensor, remaining: Tensor) -> Tensor:
    """Return the share of each variance above the mean variance of the components that are left out."""
    return (1 - remaining / variances.clamp(min=1e-12)).clamp(min=0)


def principal_axes(
    features: Features, rank: int, rng: np.random.Generator, iterations: int = SUBSPACE_ITERATIONS
) -> PrincipalAxes:
    """Find the first principal axes.

    By subspace iteration (Halko, Martinsson & Tropp 2011, doi:10.1137/090771806, algorithm 4.4), whose random
    start also estimates the total variance (Hutchinson 1990, doi:10.1080/03610919008812866). Few cells, whose
    components are hardly larger than those that follow, are decomposed exactly.
    """
    *weightings, n, width = features.shape
    rank = max(1, min(rank, n - 1, width))
    if n <= EXACT_CELLS:
        every = torch.eye(n, device=features.scale.device).expand(*weightings, n, n)
        rows = features.rmatmat(every)  # (..., N, cells)
        squares, cells = torch.linalg.eigh((features.matmat(rows)).double())
        first, cells = squares[..., -rank:].flip(-1).clamp(min=1e-12), cells[..., -rank:].flip(-1)
        axes = rows @ (cells / first.sqrt()[..., None, :]).float()
        return PrincipalAxes(axes, (first / n).float(), (squares.sum(-1) / n).float())
    columns = min(rank + 20, width)
    start = torch.from_numpy(rng.standard_normal((*weightings, width, columns), np.float32))
    codes = features.matmat(start.to(features.scale.device))
    total = codes.square().sum((-2, -1)) / (n * columns)
    for _ in range(iterations):
        axes = torch.linalg.qr(features.rmatmat(torch.linalg.qr(codes)[0]))[0]
        codes = features.matmat(axes)
    _, deviation, rotation = torch.linalg.svd(codes, full_matrices=False)
    return PrincipalAxes(axes @ rotation[..., :rank, :].mT, deviation[..., :rank].square() / n, total)
