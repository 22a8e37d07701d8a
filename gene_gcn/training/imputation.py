"""Genes that a query lacks, filled in from those it has."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LowRankGenes:
    r"""Which genes vary together, as probabilistic principal components (Tipping & Bishop 1999,
    doi:10.1111/1467-9868.00196): a dense learned graph of all genes, :math:`V \Lambda V^T + \sigma^2 I`.

    Attributes
    ----------
    mean : Tensor, shape (N,)
        The mean cell.
    axes : Tensor, shape (N, R)
        V, orthonormal.
    variances : Tensor, shape (R,)
        The diagonal of Λ.
    noise : Tensor, shape ()
        σ², the mean variance of a gene that the axes leave.
    """

    mean: Tensor
    axes: Tensor
    variances: Tensor
    noise: Tensor

    def to(self, device: torch.device) -> LowRankGenes:
        return LowRankGenes(*(tensor.to(device) for tensor in vars(self).values()))

    def encoder(self, present: Tensor) -> Tensor:
        """The matrix (N, R) from the present genes of a cell, around the mean, to its expected components.

        Parameters
        ----------
        present : Tensor of bool, shape (N,)
        """
        axes = self.axes * present[:, None]
        noise = self.noise.clamp(min=1e-6 * self.variances.max().clamp(min=1e-12))
        precision = axes.T @ axes / noise + torch.diag(1 / self.variances.clamp(min=1e-12))
        return axes @ torch.linalg.inv(precision.double()).to(axes.dtype) / noise

    def fill(self, x: Tensor, present: Tensor, encoder: Tensor) -> Tensor:
        """Cells (B, N) with each missing gene as its expectation given the present ones."""
        expected = torch.addmm(self.mean, (x - self.mean) @ encoder, self.axes.T)
        return torch.where(present, x, expected)
