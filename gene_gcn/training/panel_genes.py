r"""What some genes can tell of the types, before any cell is measured: from moments of the training cells.

Cells of a type are Gaussian, with the same low-rank covariance Σ for all types, as in linear discriminant
analysis. Types k and l are then as far apart in some genes as the Mahalanobis distance
:math:`\Delta_{kl}` of their means, and are confused with the probability :math:`\Phi(-\Delta_{kl} / 2)`.

Letters: K types, N genes, R components.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from gene_gcn.training.moments import TypeMoments

__all__ = ["add_genes", "expected_confusion"]

DRAWS = 2_000  # logits of each type, from which confusions are counted
NOISE_FLOOR = 1e-3  # of a gene's own variance, as a fraction of the mean; unmeasured genes tell nothing


def expected_confusion(
    moments: TypeMoments, weight: np.ndarray, bias: np.ndarray, seed: int = 0
) -> np.ndarray:
    """Return how often cells of each type are expected to be called each type, by a linear head.

    Means of types differ by chance, too, and a head is fitted to that: here cells are drawn around means that
    are drawn together gene by gene, by the part of their variance that is chance (1 / F, where F is the
    statistic of the analysis of variance).

    Parameters
    ----------
    moments : TypeMoments
        Of N genes.
    weight : ndarray, shape (N, K)
    bias : ndarray, shape (K,)

    Returns
    -------
    ndarray, shape (K, K)
        Rows are true types, and sum to 1.
    """
    means, counts = moments.means(), moments.type_counts
    factor, rest = moments.within()
    n, types = int(counts.sum()), len(counts)
    center = counts @ means / n
    between = counts @ (means - center) ** 2 / max(types - 1, 1)
    chance = ((factor**2).sum(axis=0) + rest) / max(n - types, 1)
    kept = np.maximum(1 - chance / np.maximum(between, 1e-12), 0)
    logits = (center + kept * (means - center)) @ weight + bias  # (K, K)
    by_factor = factor @ weight
    covariance = (by_factor.T @ by_factor + weight.T @ (rest[:, None] * weight)) / max(n - types, 1)
    variances, rotation = np.linalg.eigh(covariance)
    draws = np.random.default_rng(seed).standard_normal((DRAWS, types))
    noise = draws * np.sqrt(np.maximum(variances, 0)) @ rotation.T
    called = (logits[:, None, :] + noise).argmax(axis=2)  # (K, DRAWS)
    return np.stack([np.bincount(row, minlength=types) for row in called]) / DRAWS


def add_genes(moments: TypeMoments, present: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Choose genes to add to a panel, one after another, such that types are confused least.

    Given the panel, a further gene has the residual mean :math:`r_k` in each type, and the residual variance
    v; it adds :math:`(r_k - r_l)^2 / v` to :math:`\Delta_{kl}^2`, of which :math:`1 / n_k + 1 / n_l` is
    expected by chance and does not count. Genes with the lowest sum of :math:`\Phi(-\Delta_{kl} / 2)` over
    all pairs of types are taken.

    Parameters
    ----------
    moments : TypeMoments
    present : ndarray of bool, shape (N,)
        The panel.
    count : int

    Returns
    -------
    genes : ndarray of int, shape (count,)
        Positions, in the order in which they are taken; fewer if there are no more.
    confused : ndarray, shape (genes + 1,)
        The mean over pairs of types of their probability of confusion, with none, one, … of them.
    """
    means, counts = moments.means(), moments.type_counts
    factor, rest = moments.within()
    freedom = max(int(counts.sum()) - len(counts), 1)
    factor, noise = factor / np.sqrt(freedom), rest / freedom
    own = noise + NOISE_FLOOR * max(float(noise.mean()), 1e-12)
    one, other = np.triu_indices(len(counts), 1)
    chance = 1 / counts[one] + 1 / counts[other]
    candidates = ~present
    precision = np.eye(len(factor)) + (factor[:, present] / own[present]) @ factor[:, present].T
    by_component = (factor[:, present] / own[present]) @ means[:, present].T  # (R, K)
    apart = _distances(means[:, present], factor[:, present], own[present], one, other)
    apart = np.maximum(apart - present.sum() * chance, 0)
    genes: list[int] = []
    confused = [float(ndtr(-np.sqrt(apart) / 2).mean())]
    while len(genes) < count and candidates.any():
        inverse = np.linalg.inv(precision)
        rows = np.flatnonzero(candidates)
        residual = means[:, rows].T - factor[:, rows].T @ inverse @ by_component  # (candidates, K)
        variance = own[rows] + ((inverse @ factor[:, rows]) * factor[:, rows]).sum(axis=0)
        gain = (residual[:, one] - residual[:, other]) ** 2 / variance[:, None] - chance
        error = ndtr(-np.sqrt(apart + np.maximum(gain, 0)) / 2).mean(axis=1)
        best = int(error.argmin())
        gene = int(rows[best])
        apart = apart + np.maximum(gain[best], 0)
        genes.append(gene)
        confused.append(float(error[best]))
        candidates[gene] = False
        precision += np.outer(factor[:, gene], factor[:, gene]) / own[gene]
        by_component += np.outer(factor[:, gene], means[:, gene]) / own[gene]
    return np.array(genes, np.int64), np.array(confused)


def _distances(
    means: np.ndarray, factor: np.ndarray, own: np.ndarray, one: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """Return squared Mahalanobis distances of pairs of types, for the covariance FᵀF + diag(own)."""
    scaled = factor / own
    precision = np.eye(len(factor)) + scaled @ factor.T
    by_component = scaled @ means.T  # (R, K)
    inner = (means / own) @ means.T - by_component.T @ np.linalg.solve(precision, by_component)
    square = np.diag(inner)
    return np.maximum(square[one] + square[other] - 2 * inner[one, other], 0)
