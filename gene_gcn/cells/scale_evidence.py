"""Evidence for the transformation behind the values of each cell.

Letters: B cells, H candidate transformations, T tolerances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from gene_gcn.cells.matrix import stored_values

__all__ = ["LINEAR_FAMILY", "Evidence", "collect_evidence"]

LINEAR_FAMILY = 0  # the first candidate; cells with whole numbers belong to it
ROOTS = 2  # the candidate whose inverse makes integers of integers
# Distance of a multiple from an integer, and the largest multiple that is looked at. Data may be rounded to 3
# decimals; if not, the smaller distances show more: logarithms of different bases are alike where they are
# small. Counts that are corrected for collisions of UMIs are nearly whole only while they are small.
TOLERANCES = np.array([0.001, 0.01, 0.05, 0.05])
LARGEST_MULTIPLES = np.array([20.5, 20.5, 20.5, 5.5])
SMALLEST_MULTIPLE = 1.05
WIDEST = 2  # the pair that sees most multiples as integers
ALIKE = 0.3  # twofold: how much more or less concentrated than those that are sure other cells may be
USUAL_TOTAL = 3e7  # hardly a cell has more reads
FEWEST_VALUES = 12  # of a cell that is judged alone
FEWEST_MULTIPLES = 4  # different ones, as many genes of a cell have the same count
FEWEST_POOLED_VALUES = 30
SAME_TOTAL, EQUAL_TOTAL = 2e-3, 2e-5  # relative; after rounding, and to the precision of float32


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the values of each cell say of each candidate.

    Attributes
    ----------
    hits : ndarray of int, shape (T, B, H)
        Small multiples of the cell's smallest value that are integers, after the candidate's inverse.
    seen : ndarray of int, shape (T, B, H)
        Small multiples.
    different : ndarray of int, shape (T, B, H)
        Different integers among the hits.
    totals : ndarray of float, shape (B, H)
        Sum of the cell.
    effective_genes : ndarray of float, shape (B, H)
        Logarithm (base 10) of the number of genes with equal values that would be as concentrated (inverse
        Simpson index). A wrong inverse spreads a cell over too many genes, or over too few.
    is_whole : ndarray of bool, shape (B,)
        Whether all values are whole numbers; True for an empty cell.
    is_equal : ndarray of bool, shape (B,)
        Whether all values are the same, so that any inverse gives the same profile; True for an empty cell.
    is_count : ndarray of bool, shape (B,)
        Whether enough of them are above 1 that they are no roots or logarithms that happen to be whole.
    is_possible : ndarray of bool, shape (B, H)
        Whether the range of the values allows the candidate.
    """

    hits: np.ndarray
    seen: np.ndarray
    different: np.ndarray
    totals: np.ndarray
    effective_genes: np.ndarray
    is_whole: np.ndarray
    is_equal: np.ndarray
    is_count: np.ndarray
    is_possible: np.ndarray

    @property
    def is_only_linear(self) -> np.ndarray:
        """Whether no other candidate than linear values allows the range of the cell, shape (B,)."""
        return self.is_possible.sum(axis=1) == self.is_possible[:, LINEAR_FAMILY]

    def sure_candidates(self) -> np.ndarray:
        """Return the candidate of each cell that is plain from the cell itself or its total, −1 elsewhere."""
        sure = np.full(len(self.is_whole), -1)
        rows = np.arange(len(sure))
        for hits, seen, different in zip(
            *(a[::-1] for a in (self.hits, self.seen, self.different)), strict=True
        ):
            enough = seen >= FEWEST_VALUES
            share = np.where(enough & self.is_possible, hits / np.maximum(seen, 1), 0.0)
            share[share[:, LINEAR_FAMILY] >= 0.9, ROOTS] = 0
            best = share.argmax(axis=1)
            first, second = np.sort(share, axis=1)[:, :-3:-1].T
            plain = (first >= 0.9) & (second <= first - 0.3) & (different[rows, best] >= FEWEST_MULTIPLES)
            sure[plain] = best[plain]  # the smallest tolerance has the last word
        in_mode = np.column_stack([self._in_mode(c) for c in range(self.totals.shape[1])])
        by_total = (in_mode.sum(axis=1) == 1) & (sure < 0)
        sure[by_total] = in_mode.argmax(axis=1)[by_total]
        sure[self.is_whole] = -1
        sure[self.is_count | self.is_only_linear] = LINEAR_FAMILY
        return sure

    def _in_mode(self, candidate: int) -> np.ndarray:
        """Return which cells share the commonest total: at least a fifth of all, and five."""
        usable = (
            self.is_possible[:, candidate] & ~self.is_whole & (self.seen[0, :, candidate] >= FEWEST_VALUES)
        )
        logs = np.log(self.totals[usable, candidate])
        out = np.zeros(len(usable), bool)
        if len(logs) < 5:
            return out
        ordered = np.sort(logs)
        number = np.searchsorted(ordered, ordered + EQUAL_TOTAL, side="right") - np.arange(len(ordered))
        start = int(number.argmax())
        if number[start] >= max(5, 0.2 * np.count_nonzero(~self.is_whole)):
            out[usable] = (logs >= ordered[start]) & (logs <= ordered[start] + EQUAL_TOTAL)
        return out

    def assign(self, sure: np.ndarray, groups: np.ndarray, few_cells: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the candidate of each cell, of those with cells in `groups` (H,), and whether it is a guess.

        Cells that are not sure are guessed: by the integers among their multiples, and by how concentrated
        they would be, compared with the cells that are sure. If these have one candidate, cells that are as
        concentrated take it without a guess.
        """
        settled = (sure >= 0) & (groups[sure] > 0)
        rows = np.flatnonzero(settled)
        typical = self.effective_genes[rows, sure[rows]]
        share = self.hits[WIDEST] / np.maximum(self.seen[WIDEST], FEWEST_VALUES)
        score = share - np.abs(self.effective_genes - np.median(typical)) - (self.totals > USUAL_TOTAL)
        score[~self.is_possible] = -np.inf
        likeliest = score.argmax(axis=1)
        score[:, groups == 0] = -np.inf
        score[np.isinf(score).all(axis=1), LINEAR_FAMILY] = 0
        chosen = np.where(settled, sure, score.argmax(axis=1))
        chosen[~settled & self.is_whole & (groups[LINEAR_FAMILY] > 0)] = LINEAR_FAMILY
        is_guess = ~settled & ~self.is_equal
        if np.count_nonzero(groups) == 1:
            only = groups.argmax()
            low, high = np.percentile(typical, [1, 99])
            genes = self.effective_genes[:, only]
            is_alike = (genes > low - ALIKE) & (genes < high + ALIKE) & (likeliest == only)
            is_guess &= ~(is_alike & (chosen == only))
            if self.best_lattice(few_cells, is_guess) == only:
                is_guess &= chosen != only
        return chosen, is_guess

    def best_lattice(self, few_cells: int, cells: np.ndarray) -> int | None:
        """Return the candidate that makes multiples of the smallest values integers, over some cells (B,)."""
        cells = cells & ~self.is_whole
        possible = self.is_possible[cells].all(axis=0)
        for tolerance, all_hits, all_seen in zip(TOLERANCES, self.hits, self.seen, strict=True):
            hits, seen = all_hits[cells].sum(axis=0), all_seen[cells].sum(axis=0)
            share = np.where((seen >= FEWEST_POOLED_VALUES) & possible, hits / np.maximum(seen, 1), 0.0)
            first = share.max()
            least = 0.4 if cells.sum() >= few_cells else 0.8  # within a cell, chance hits are not independent
            if first > least and first > 8 * tolerance:
                near = np.flatnonzero(share > first - 0.05)
                if len(near) == 1 or tolerance == TOLERANCES[-1]:
                    return int(near[0])
        return None

    def best_total(self) -> int | None:
        """Return the only candidate that gives nearly all cells the same total."""
        cells = ~self.is_whole
        if cells.sum() < 5:
            return None
        same = []
        for candidate in range(self.totals.shape[1]):
            if self.is_possible[cells, candidate].all():
                low, middle, high = np.percentile(self.totals[cells, candidate], [5, 50, 95])
                same += [candidate] * bool(high - low < SAME_TOTAL * middle)
        return same[0] if len(same) == 1 else None


def collect_evidence(
    X: sparse.csr_matrix, inverses: Sequence[Callable[[np.ndarray], np.ndarray]], largest: np.ndarray
) -> Evidence:
    """Collect evidence from the stored values of X, which are positive.

    Parameters
    ----------
    X : csr_matrix, shape (B, N)
    inverses : sequence of H functions
        From the values to linear ones.
    largest : ndarray, shape (H,)
        The largest value that each candidate allows.
    """
    n, h = X.shape[0], len(inverses)
    hits = np.zeros((len(TOLERANCES), n, h), np.int64)
    seen, different = np.zeros_like(hits), np.zeros_like(hits)
    totals, squares = np.zeros((n, h)), np.zeros((n, h))
    minima, maxima = np.zeros(n), np.zeros(n)
    is_whole, is_count = np.ones(n, bool), np.zeros(n, bool)
    filled, done = np.flatnonzero(np.diff(X.indptr)), 0
    for values, lengths in stored_values(X):
        rows = filled[done : done + len(lengths)]
        done += len(lengths)
        starts = np.cumsum(lengths) - lengths
        whole = values == np.rint(values)
        is_whole[rows] = np.logical_and.reduceat(whole, starts)
        is_count[rows] = is_whole[rows] & (np.add.reduceat(values > 1, starts, dtype=np.int64) >= 8)
        minima[rows] = np.minimum.reduceat(values, starts)
        maxima[rows] = np.maximum.reduceat(values, starts)
        for candidate, inverse in enumerate(inverses):
            with np.errstate(over="ignore", invalid="ignore"):
                linear = inverse(values)
                totals[rows, candidate] = np.add.reduceat(linear, starts, dtype=np.float64)
                squares[rows, candidate] = np.add.reduceat(np.square(linear, dtype=np.float64), starts)
                multiple = linear / np.repeat(np.minimum.reduceat(linear, starts), lengths)
                distance = np.abs(multiple - np.rint(multiple))
                small = (multiple > SMALLEST_MULTIPLE) & (multiple < LARGEST_MULTIPLES.max())
                integer = np.left_shift(1, np.where(small, np.rint(multiple), 0).astype(np.int32))
            for index, (tolerance, bound) in enumerate(zip(TOLERANCES, LARGEST_MULTIPLES, strict=True)):
                is_seen = small & (multiple < bound)
                is_hit = is_seen & (distance < tolerance)
                seen[index, rows, candidate] = np.add.reduceat(is_seen, starts, dtype=np.int64)
                hits[index, rows, candidate] = np.add.reduceat(is_hit, starts, dtype=np.int64)
                bits = np.bitwise_or.reduceat(integer * is_hit, starts)
                different[index, rows, candidate] = _count_bits(bits)
    genes = 2 * np.log10(np.maximum(totals, 1e-30)) - np.log10(np.maximum(squares, 1e-30))
    return Evidence(
        hits, seen, different, totals, genes, is_whole, minima == maxima, is_count, maxima[:, None] <= largest
    )


def _count_bits(numbers: np.ndarray) -> np.ndarray:
    return np.unpackbits(numbers.astype("<u4").view(np.uint8).reshape(-1, 4), axis=1).sum(axis=1)
