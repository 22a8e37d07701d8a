"""Genes that a query lacks, imputed from those it has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.training.components import COMPONENTS, principal_axes
from gene_gcn.training.moments import TypeMoments
from gene_gcn.training.operators import Features, SmoothedCells


@dataclass(frozen=True)
class PPCAImputer:
    r"""Imputer by probabilistic principal component analysis: cells are Gaussian with a low-rank covariance.

    .. math:: x \sim \mathcal N(\mu, \; V \Lambda V^\top + \sigma^2 I)

    The covariance is a dense, learned graph of all genes. One imputer serves queries with any genes: missing
    ones get their conditional expectation given those that are present, which is linear in these.

    Attributes
    ----------
    mean : Tensor, shape (N,)
        The mean cell, μ.
    axes : Tensor, shape (N, R)
        Orthonormal principal axes, V.
    variances : Tensor, shape (R,)
        Variance along each axis, the diagonal of Λ.
    noise : Tensor, shape ()
        Mean variance of a gene that the axes leave unexplained, σ².

    References
    ----------
    Tipping & Bishop (1999), Probabilistic principal component analysis, doi:10.1111/1467-9868.00196.
    """

    mean: Tensor
    axes: Tensor
    variances: Tensor
    noise: Tensor

    @classmethod
    def fit(cls, X: sparse.csr_matrix, device: torch.device | str = "cpu", seed: int = 0) -> PPCAImputer:
        """Learn which genes vary together from cells (cells, N), labeled or not; the result is on the CPU."""
        features = Features(SmoothedCells(X, torch.device(device)))
        axes, variances, total = principal_axes(features, COMPONENTS, np.random.default_rng(seed))
        noise = (total - variances.sum()).clamp(min=0) / X.shape[1]
        return cls(features.center, axes, variances, noise).to(torch.device("cpu"))

    @classmethod
    def of_moments(cls, moments: TypeMoments) -> PPCAImputer:
        """Compute the imputer of cells of which moments are known, up to what their factors leave out."""
        means, counts = moments.means(), moments.type_counts
        n, center = counts.sum(), counts @ means / counts.sum()
        factor, rest = moments.within()
        rows = np.concatenate([np.sqrt(counts)[:, None] * (means - center), factor]) / np.sqrt(n)
        squares, rotation = np.linalg.eigh(rows @ rows.T)
        squares, rotation = squares[::-1][:COMPONENTS].clip(1e-12), rotation[:, ::-1][:, :COMPONENTS]
        axes = rows.T @ (rotation / np.sqrt(squares))
        total = float((rows**2).sum() + rest.sum() / n)
        noise = max(total - float(squares.sum()), 0.0) / rows.shape[1]
        return cls(*(torch.tensor(part, dtype=torch.float32) for part in (center, axes, squares, noise)))

    def to(self, device: torch.device) -> PPCAImputer:
        return PPCAImputer(*(tensor.to(device) for tensor in self.tensors().values()))

    def tensors(self) -> dict[str, Tensor]:
        """Return what is saved, by attribute."""
        return dict(vars(self))

    def encoder(self, present: Tensor) -> Tensor:
        """Return the matrix (N, R) from the present genes of a centered cell to its expected components.

        Parameters
        ----------
        present : Tensor of bool, shape (N,)
        """
        axes = self.axes * present[:, None]
        noise = self.noise.clamp(min=1e-6 * self.variances.max().clamp(min=1e-12))
        precision = axes.T @ axes / noise + torch.diag(1 / self.variances.clamp(min=1e-12))
        return axes @ torch.linalg.inv(precision.double()).to(axes.dtype) / noise

    def impute(self, x: Tensor, present: Tensor, encoder: Tensor) -> Tensor:
        """Replace missing genes of cells (B, N) by their expectation given the present ones."""
        expected = torch.addmm(self.mean, (x - self.mean) @ encoder, self.axes.T)
        return torch.where(present, x, expected)

    def fold(self, weight: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Fold the imputation into a linear map of all genes.

        Parameters
        ----------
        weight : Tensor, shape (N, K)
        present : Tensor of bool, shape (N,)

        Returns
        -------
        weight : Tensor, shape (N, K)
        bias : Tensor, shape (K,)
            With these, ``x @ weight + bias`` is ``impute(x) @ weight`` with the given one.
        """
        missing = weight * ~present[:, None]
        encoder = self.encoder(present)
        by_component = self.axes.T @ missing  # (R, K)
        bias = self.mean @ missing - (self.mean @ encoder) @ by_component
        return weight * present[:, None] + encoder @ by_component, bias
