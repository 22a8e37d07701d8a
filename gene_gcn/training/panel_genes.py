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
from gene_gcn.training.panel_head import DRAWN_VALUES, scaled_to_one_depth

__all__ = ["add_genes", "expected_confusion", "with_further_confusion"]

DRAWN_CELLS_OF_TYPE = 400  # from which confusions are counted
PRIOR_CELLS = 5  # as which the expected recall of a type counts beside its held-out cells
STANDARD_ERRORS = 3.0  # by which the difference of two types in a gene may be chance
NOISE_FLOOR = 1e-3  # of a gene's own variance, as a fraction of the mean; unmeasured genes tell nothing


def expected_confusion(
    moments: TypeMoments, weight: np.ndarray, bias: np.ndarray, *, scales_depth: bool = True, seed: int = 1
) -> np.ndarray:
    """Return how often cells of each type are expected to be called each type, by a linear head.

    Means of types differ by chance, too, and a head is fitted to that: here cells are drawn around shrunken
    means.

    Parameters
    ----------
    moments : TypeMoments
        Of N genes.
    weight : ndarray, shape (N, K)
    bias : ndarray, shape (K,)
    scales_depth : bool
        As in `gene_gcn.training.panel_head.HeadRefit`.
    seed : int
        Other than that of the head.

    Returns
    -------
    ndarray, shape (K, K)
        Rows are true types, and sum to 1.
    """
    types = len(bias)
    size = int(np.clip(DRAWN_VALUES // (types * weight.shape[0]), 1, DRAWN_CELLS_OF_TYPE))
    likely = moments.shrunken()
    X, y = likely.draw(np.full(types, size), seed)
    if scales_depth:
        X = scaled_to_one_depth(X, likely)
    called = (X @ weight + bias).argmax(axis=1)
    confusion = np.zeros((types, types))
    np.add.at(confusion, (y, called), 1 / size)
    return confusion


def with_further_confusion(expected: np.ndarray, every: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Add to the confusion of a panel what real cells are confused beyond expectation with all genes.

    Real types are not Gaussian. As large a part of the recognized cells of a type is lost as with all genes,
    where held-out cells tell: to the types that these are taken for.

    Parameters
    ----------
    expected, every : ndarray, shape (K, K)
        What `expected_confusion` returns for the panel, and for all genes.
    held_out : ndarray, shape (K, K)
        Numbers of held-out cells by type (rows) and what a model of all genes calls them.

    Returns
    -------
    ndarray, shape (K, K)
    """
    cells, hits, recall = held_out.sum(axis=1), np.diag(held_out), np.diag(every)
    measured = (hits + PRIOR_CELLS * recall) / (cells + PRIOR_CELLS)
    kept = np.minimum(measured / np.maximum(recall, 1e-12), 1)
    missed = held_out - np.diag(hits) + 1e-9 * (1 - np.eye(len(hits)))
    missed = missed / missed.sum(axis=1, keepdims=True)
    own = np.diag(expected)
    return expected - np.diag(own * (1 - kept)) + (own * (1 - kept))[:, None] * missed


def add_genes(moments: TypeMoments, present: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Choose genes to add to a panel, one after another, such that types are confused least.

    Given the panel, a further gene has the residual mean :math:`r_k` in each type, and the residual variance
    v; it adds :math:`(r_k - r_l)^2 / v` to :math:`\Delta_{kl}^2`. As the best of many genes owes much to
    chance, three standard errors are subtracted from the difference of :math:`r_k` and :math:`r_l`. The gene
    with the lowest mean of :math:`\Phi(-\Delta_{kl} / 2)` over all pairs of types is taken.

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
        gain = np.abs(residual[:, one] - residual[:, other]) / np.sqrt(variance)[:, None]
        gain = np.maximum(gain - STANDARD_ERRORS * np.sqrt(chance), 0) ** 2
        error = ndtr(-np.sqrt(apart + gain) / 2).mean(axis=1)
        best = int(error.argmin())
        gene = int(rows[best])
        apart = apart + gain[best]
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
