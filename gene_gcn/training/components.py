"""Principal components of cells, from products alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from gene_gcn.training.operators import Features

COMPONENTS = 30
SUBSPACE_ITERATIONS = 6
EXACT_CELLS = 600  # up to which all components are computed


def principal_components(
    features: Features, rank: int, rng: np.random.Generator, shrink: bool = True
) -> Tensor:
    """Return the first principal axes (N, rank), shortened by the part of their variance that is chance."""
    axes, variances, total = principal_axes(features, rank, rng)
    if not shrink:
        return axes
    remaining = (total - variances.sum()).clamp(min=0) / max(features.shape[0] - 1 - len(variances), 1)
    return axes * shrinkage(variances, remaining)


def shrinkage(variances: Tensor, remaining: Tensor) -> Tensor:
    """Return the share of each variance above the mean variance of the components that are left out."""
    return (1 - remaining / variances.clamp(min=1e-12)).clamp(min=0)


def principal_axes(
    features: Features, rank: int, rng: np.random.Generator, iterations: int = SUBSPACE_ITERATIONS
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the first principal axes.

    By subspace iteration (Halko, Martinsson & Tropp 2011, doi:10.1137/090771806, algorithm 4.4), whose random
    start also estimates the total variance (Hutchinson 1990, doi:10.1080/03610919008812866). Few cells, whose
    components are hardly larger than those that follow, are decomposed exactly.

    Returns
    -------
    axes : Tensor, shape (N, rank)
        Orthonormal.
    variances : Tensor, shape (rank,)
        Variance along each axis, the largest first.
    total : Tensor, shape ()
        Variance of all genes together.
    """
    n, width = features.shape
    rank = max(1, min(rank, n - 1, width))
    if n <= EXACT_CELLS:
        rows = features.rmatmat(torch.eye(n, device=features.scale.device))  # (N, cells)
        squares, cells = torch.linalg.eigh((features.matmat(rows)).double())
        first, cells = squares[-rank:].flip(0).clamp(min=1e-12), cells[:, -rank:].flip(1)
        return rows @ (cells / first.sqrt()).float(), (first / n).float(), (squares.sum() / n).float()
    columns = min(rank + 20, width)
    start = torch.from_numpy(rng.standard_normal((width, columns), np.float32)).to(features.scale.device)
    codes = features.matmat(start)
    total = codes.square().sum() / (n * columns)
    for _ in range(iterations):
        axes = torch.linalg.qr(features.rmatmat(torch.linalg.qr(codes)[0]))[0]
        codes = features.matmat(axes)
    _, deviation, rotation = torch.linalg.svd(codes, full_matrices=False)
    return axes @ rotation[:rank].T, deviation[:rank].square() / n, total
