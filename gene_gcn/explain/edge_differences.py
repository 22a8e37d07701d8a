"""Edges whose ends vary together differently in two types of cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gene_gcn.networks import GeneNetwork

__all__ = ["MOST_CELLS", "candidate_pairs", "differing_edges", "known_edges"]

# Cells of each type that are looked at, at most: more make the test slow, not much sharper.
MOST_CELLS = 1000
# Permutations are multiplied with the cells in blocks of this many.
BLOCK = 1000
# Genes whose standard deviation is below this are constant but for rounding.
SMALLEST_SPREAD = 1e-8


def known_edges(network: GeneNetwork | None, genes: np.ndarray) -> np.ndarray:
    """Return which pairs of genes (positions) have an edge in a network: bool, (genes, genes)."""
    known = np.zeros((len(genes), len(genes)), bool)
    if network is not None:
        at = np.full(network.num_genes, -1)
        at[genes] = np.arange(len(genes))
        source, target = at[network.arrays()["edge_index"]]
        inside = (source >= 0) & (target >= 0)
        known[source[inside], target[inside]] = True
    return known


def candidate_pairs(known: np.ndarray, num_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of the first genes, and the edges of a network between all of them.

    Parameters
    ----------
    known : ndarray of bool, shape (N, N)
        Edges of the network between the genes, the most important gene first; symmetric.
    num_pairs : int
        Of so many first genes, every pair is taken.

    Returns
    -------
    pairs : ndarray of int, shape (2, E)
    is_known : ndarray of bool, shape (E,)
    """
    first, second = np.triu_indices(len(known), 1)
    taken = known[first, second] | (second < num_pairs)
    pairs = np.stack([first, second])[:, taken]
    return pairs, known[pairs[0], pairs[1]]


def differing_edges(
    X: np.ndarray,
    is_first: np.ndarray,
    pairs: np.ndarray,
    is_known: np.ndarray,
    gene_names: Sequence[str],
    n_permutations: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    r"""Test whether the ends of edges vary together differently in two types of cells.

    Expression is standardized within each type, which removes differences in mean and spread: with
    :math:`z_i = (x_i - \bar x_i) / s_i`, the mean of :math:`z_i z_j` over the cells of a type is the
    correlation there. The statistic is the difference of the means of the products in Welch's form,

    .. math:: t = (r_A - r_B) / \sqrt{v_A / n_A + v_B / n_B} ,

    where v are their variances. Types are permuted among the standardized cells. As t is studentized, the
    test holds for large n also where the products are distributed differently in the two types.

    Parameters
    ----------
    X : ndarray, shape (B, N)
        Normalized expression.
    is_first : ndarray of bool, shape (B,)
        Whether a cell is of the first type; two cells or more of both.
    pairs : ndarray of int, shape (2, E)
        The ends of edges.
    is_known : ndarray of bool, shape (E,)
        Whether an edge is in the network.
    gene_names : sequence of str, shape (N,)
    n_permutations : int
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        "source", "target", "first" and "second" (correlations in the types), "difference", "p", "fdr"
        (Benjamini-Hochberg over the table) and "known"; the smallest p first. Edges that have an end without
        variance in one of the types are left out.

    References
    ----------
    Janssen (1997), Studentized permutation tests for non-i.i.d. hypotheses and the generalized Behrens-Fisher
    problem, doi:10.1016/S0167-7152(97)00043-6.
    """
    from scipy.stats import false_discovery_control

    Z, varies = _standardize(np.asarray(X, np.float64), is_first)
    kept = varies[pairs].all(axis=0)
    pairs, is_known = pairs[:, kept], is_known[kept]
    products = Z[:, pairs[0]] * Z[:, pairs[1]]
    squares = products**2
    label = is_first.astype(np.float64)[:, None]
    t, first, second = (part[0] for part in _compare(products, squares, label))
    exceeding = np.zeros(pairs.shape[1])
    for start in range(0, n_permutations, BLOCK):
        shuffled = rng.permuted(np.tile(label, min(BLOCK, n_permutations - start)), axis=0)
        # Sums are the same in another order up to rounding.
        exceeding += (np.abs(_compare(products, squares, shuffled)[0]) >= np.abs(t) * (1 - 1e-9)).sum(axis=0)
    p = (1 + exceeding) / (1 + n_permutations)
    names = np.asarray(gene_names, dtype=object)
    columns = {
        "source": names[pairs[0]],
        "target": names[pairs[1]],
        "first": first,
        "second": second,
        "difference": first - second,
        "p": p,
        "fdr": false_discovery_control(p) if len(p) else p,
        "known": is_known,
    }
    order = np.lexsort((-np.abs(t), p))
    return pd.DataFrame(columns).iloc[order].reset_index(drop=True)


def _standardize(X: np.ndarray, is_first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return expression (B, N) less its mean, over its spread, in each type; and which genes vary in both."""
    Z, varies = X.copy(), np.ones(X.shape[1], bool)
    for of_type in (is_first, ~is_first):
        Z[of_type] -= Z[of_type].mean(axis=0)
        spread = Z[of_type].std(axis=0)
        varies &= spread > SMALLEST_SPREAD
        Z[of_type] /= np.where(varies, spread, 1)
    return Z, varies


def _compare(products: np.ndarray, squares: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return t and the means in both types, (P, E), where `label` (B, P) is 1 in cells of the first type."""
    means, variances = [], []
    for of_type in (label, 1 - label):
        n = of_type[:, 0].sum()
        mean = of_type.T @ products / n
        means.append(mean)
        variances.append(np.maximum(of_type.T @ squares / n - mean**2, 0) / (n - 1))
    error = np.sqrt(np.maximum(variances[0] + variances[1], np.finfo(float).tiny))
    return (means[0] - means[1]) / error, means[0], means[1]
