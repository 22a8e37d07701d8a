"""Markers of types: the genes by which a linear model tells a type from the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.explain.checks import check_top
from gene_gcn.explain.linear_logits import LinearLogits

__all__ = ["OTHERS", "stable_markers", "type_markers"]

OTHERS = "others"
_VALUES_AT_A_TIME = 2**24  # of means of bootstrap samples, 128 MB


def type_markers(
    logits: LinearLogits,
    mean: np.ndarray,
    gene_names: Sequence[str],
    types: Sequence[Any],
    top: int = 20,
) -> pd.DataFrame:
    """Return the genes that set the mean cell of each type apart from the others, and from its nearest type.

    The nearest type is the one to which the model gives the second-largest logit for the mean cell.

    Parameters
    ----------
    logits : LinearLogits
        Of K types, two or more.
    mean : ndarray, shape (K, N)
        Mean normalized expression of the types.
    gene_names : sequence of str, shape (N,)
    types : sequence, shape (K,)
    top : int
        Number of genes, at most, for each type and comparison.

    Returns
    -------
    DataFrame
        "type"; "gene"; "contribution", what the gene adds to the difference of the logits; "mean_in_type" and
        "mean_in_others", mean normalized expression in the type and in those it is compared with; "against",
        the nearest type, or "others" for the mean of all others. Only genes with a higher mean in the type
        that add to its logit.

    Raises
    ------
    ArgumentError
        `top` is not a positive number.
    """
    check_top(top)
    mean = np.asarray(mean, np.float64)
    comparisons = _Comparisons.of(logits, mean)
    score = comparisons.score(mean)
    return comparisons.table(score, _first(score, top), mean, gene_names, types)


def stable_markers(
    logits: LinearLogits,
    X: sparse.csr_matrix,
    y: np.ndarray,
    gene_names: Sequence[str],
    types: Sequence[Any],
    top: int = 20,
    *,
    n_bootstraps: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the markers of types in some cells, with how many cells express them and how stable they are.

    The cells of each type are drawn again with replacement, as many as there are. Its "stability" is the
    fraction of such samples in which a gene is among the first `top`. The model and the nearest types stay
    as they are, so it says how far a list depends on the sample of cells that it is computed from, and not
    what another fit would find.

    Parameters
    ----------
    logits : LinearLogits
        Of K types.
    X : csr_matrix, shape (B, N)
        Normalized expression. Genes that were not measured in all cells should be zero.
    y : ndarray of int, shape (B,)
        Types of the cells, 0 to K − 1; −1 for cells to leave out. Types without cells are left out.
    gene_names, types, top
        As in `type_markers`.
    n_bootstraps : int
        Number of samples.
    seed : int

    Returns
    -------
    DataFrame
        That of `type_markers`, of the cells as they are, and "fraction_in_type" and "fraction_in_others", the
        fractions of cells that express the gene, where other types count the same; "stability", NaN for types
        with a single cell.

    Raises
    ------
    ArgumentError
        `top` or `n_bootstraps` is not a positive number, or fewer than two types have cells.
    """
    check_top(top)
    if isinstance(n_bootstraps, bool) or not isinstance(n_bootstraps, (int, np.integer)) or n_bootstraps < 1:
        text = " must be a whole number of at least 1."
        raise ArgumentError("n_bootstraps", Argument("n_bootstraps", n_bootstraps), text)
    present = np.unique(y[y >= 0])
    if len(present) < 2:
        what = f"{len(present)} of the {len(types)} types" if len(present) else "none of the types"
        raise ArgumentError("X", f"X has cells of {what}; markers need two types or more to compare.")
    logits, types = logits.select(present.tolist(), None), [types[k] for k in present]
    cells = [X[y == k] for k in present]
    mean = np.stack([_mean(of_type) for of_type in cells])
    fraction = np.stack([_mean(of_type > 0) for of_type in cells])
    comparisons = _Comparisons.of(logits, mean)
    score = comparisons.score(mean)
    first = row, gene = _first(score, top)
    times_first = np.zeros(score.shape)
    for sample in _bootstrap_means(cells, n_bootstraps, np.random.default_rng(seed)):
        times_first[_first(comparisons.score(sample), top)] += 1
    is_single = np.array([of_type.shape[0] == 1 for of_type in cells])
    times_first[is_single[comparisons.of_type]] = np.nan
    table = comparisons.table(score, first, mean, gene_names, types)
    against = table.pop("against")
    return table.assign(
        fraction_in_type=fraction[comparisons.of_type[row], gene],
        fraction_in_others=(comparisons.compared @ fraction)[row, gene],
        stability=times_first[row, gene] / n_bootstraps,
        against=against,
    )


@dataclass(frozen=True, eq=False)
class _Comparisons:
    """R comparisons of a type with others: of each type with all others, and with its nearest.

    Attributes
    ----------
    of_type : ndarray of int, shape (R,)
    compared : ndarray, shape (R, K)
        The weights, which sum to 1, of the types that it is compared with.
    against : list of int or None
        The nearest type; None for all others.
    weight : ndarray, shape (R, N)
        By how much the weights of its logit exceed those of the others.
    adjacency : csr_matrix, shape (N, N)
        Of the logits.
    """

    of_type: np.ndarray
    compared: np.ndarray
    against: list[int | None]
    weight: np.ndarray
    adjacency: sparse.csr_matrix

    @classmethod
    def of(cls, logits: LinearLogits, mean: np.ndarray) -> _Comparisons:
        """Compare types of these means (K, N)."""
        by_type = logits.of(mean)
        np.fill_diagonal(by_type, -np.inf)
        each = np.eye(len(mean))
        nearest = by_type.argmax(axis=1)
        compared = np.stack([(1 - each) / (len(mean) - 1), each[nearest]], axis=1).reshape(-1, len(mean))
        of_type = np.repeat(np.arange(len(mean)), 2)
        against = [None if row % 2 == 0 else int(nearest[row // 2]) for row in range(len(of_type))]
        weight = (each[of_type] - compared) @ logits.weight.T
        return cls(of_type, compared, against, weight, logits.adjacency)

    def score(self, mean: np.ndarray) -> np.ndarray:
        """Return what genes add to the differences of the logits (R, N), 0 where they are not higher."""
        difference = mean[self.of_type] - self.compared @ mean
        contribution = difference * self.weight
        if self.adjacency.nnz:
            contribution += (self.adjacency @ difference.T).T * self.weight
        return contribution * (difference > 0)

    def table(
        self,
        score: np.ndarray,
        first: tuple[np.ndarray, np.ndarray],
        mean: np.ndarray,
        gene_names: Sequence[str],
        types: Sequence[Any],
    ) -> pd.DataFrame:
        """Return the table of `type_markers` of genes in `first`: their rows of `score`, and columns."""
        row, gene = first
        against = [OTHERS if k is None else types[k] for k in self.against]
        columns = {
            "type": [types[k] for k in self.of_type[row]],
            "gene": np.asarray(gene_names, dtype=object)[gene],
            "contribution": score[row, gene],
            "mean_in_type": mean[self.of_type[row], gene],
            "mean_in_others": (self.compared @ mean)[row, gene],
            "against": pd.Series([against[k] for k in row], dtype=object),
        }
        return pd.DataFrame(columns)


def _first(score: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the `top` largest positive values of each row, largest first."""
    top = min(top, score.shape[1])
    columns = np.sort(np.argpartition(-score, top - 1, axis=1)[:, :top], axis=1)
    values = np.take_along_axis(score, columns, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    columns, values = (np.take_along_axis(array, order, axis=1) for array in (columns, values))
    row, place = np.nonzero(values > 0)
    return row, columns[row, place]


def _mean(cells: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(cells.sum(axis=0, dtype=np.float64)).ravel() / cells.shape[0]


def _bootstrap_means(
    cells: Sequence[sparse.csr_matrix], n_bootstraps: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield the mean expression (K, N) of each bootstrap sample of the cells of each type."""
    most = len(cells) * cells[0].shape[1] + sum(of_type.shape[0] for of_type in cells)
    block = max(1, _VALUES_AT_A_TIME // most)
    for start in range(0, n_bootstraps, block):
        count = min(block, n_bootstraps - start)
        draws = [[_draw(of_type.shape[0], rng) for of_type in cells] for _ in range(count)]
        weights = (np.stack(of_type, axis=1) for of_type in zip(*draws, strict=True))
        # Transposed, the product of a sparse matrix with all samples at once.
        means = [of_type.T @ weight for of_type, weight in zip(cells, weights, strict=True)]
        yield from np.ascontiguousarray(np.stack(means).transpose(2, 0, 1))


def _draw(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the weights of cells in a mean of as many, drawn with replacement."""
    return np.bincount(rng.integers(count, size=count), minlength=count) / count
