"""How much each gene says about the types: the two weightings of the linear head's ensemble."""

from __future__ import annotations

import torch
from torch import Tensor

WEIGHTINGS = ("shrunken", "standardized")
# Share of the mean variance that is added to the variance of each gene, so that division does not blow up the
# rest.
VARIANCE_FLOOR = 0.05


def gene_weights(sums: Tensor, squares: Tensor, counts: Tensor) -> dict[str, Tensor]:
    r"""Weigh genes by sums of their expression x over the cells of each type.

    Not of the smoothed h, whose variance mostly says how many neighbors a gene has in the network.

    Both weightings start from the fourth root of the intraclass correlation ρ, the share of a gene's variance
    that lies between the types:

    .. math:: w_\text{shrunken} = \rho^{1/4} \, (1 - 1/F), \qquad w_\text{standardized} = \rho^{1/4} /
    \sigma^{3/4}

    F is the statistic of the one-way analysis of variance, 1 on average for genes without differences: the
    first weighting shrinks by it. The second divides by the standard deviation σ, as most markers are
    expressed in few cells, where square roots of counts vary little. Cells get a mean squared length of 1
    with either.

    Parameters
    ----------
    sums : Tensor, shape (N, K)
        Sum of a gene over the cells of each type.
    squares : Tensor, shape (N,)
        Sum of its squares over all cells.
    counts : Tensor, shape (K,)
        Cells of each type.

    Returns
    -------
    dict of str to Tensor, shape (N,)
        By the names in `WEIGHTINGS`; 1 throughout where no gene differs, as with one cell per type.
    """
    sums, squares, counts = sums.double(), squares.double(), counts.double()
    n, classes = float(counts.sum()), int((counts > 0).sum())
    explained, total = (sums.square() / counts.clamp(min=1)).sum(1), sums.sum(1).square() / n
    between = (explained - total).clamp(min=0) / max(classes - 1, 1)
    within = (squares - explained).clamp(min=0) / max(n - classes, 1.0)
    excess = (between / within.clamp(min=1e-12) - 1).clamp(min=0)  # F − 1
    ratio = excess * classes / n
    root = (ratio / (1 + ratio)) ** 0.25
    variance = (squares - total).clamp(min=0) / n
    spread = (variance + VARIANCE_FLOOR * variance.mean()).clamp(min=1e-12).sqrt()
    weight = torch.stack([root * excess / (1 + excess), root / spread**0.75])
    if not root.any():
        weight = torch.ones_like(weight)
    length = (squares * weight.square()).sum(1, keepdim=True) / n
    weight = (weight / length.clamp(min=1e-12).sqrt()).float()
    return dict(zip(WEIGHTINGS, weight, strict=True))
