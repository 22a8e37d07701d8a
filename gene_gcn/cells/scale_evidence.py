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
# Distance of a multiple from an integer. Data may be rounded to 3 decimals; if not, the smaller ones show
# more: logarithms of different bases are alike where they are small.
TOLERANCES = np.array([0.001, 0.01, 0.05])
SMALLEST_MULTIPLE, LARGEST_MULTIPLE = 1.05, 20.5
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
    seen : ndarray of int, shape (B, H)
        Small multiples.
    different : ndarray of int, shape (T, B, H)
        Different integers among the hits.
    totals : ndarray of float, shape (B, H)
        Sum of the cell.
    is_whole : ndarray of bool, shape (B,)
        Whether all values are whole numbers; True for an empty cell.
    is_count : ndarray of bool, shape (B,)
        Whether enough of them are above 1 that they are no roots or logarithms that happen to be whole.
    is_possible : ndarray of bool, shape (B, H)
        Whether the range of the values allows the candidate.
    """

    hits: np.ndarray
    seen: np.ndarray
    different: np.ndarray
    totals: np.ndarray
    is_whole: np.ndarray
    is_count: np.ndarray
    is_possible: np.ndarray

    @property
    def is_only_linear(self) -> np.ndarray:
        """Whether no other candidate than linear values allows the range of the cell, shape (B,)."""
        return self.is_possible.sum(axis=1) == self.is_possible[:, LINEAR_FAMILY]

    def sure_candidates(self) -> np.ndarray:
        """Return the candidate of each cell that is plain from the cell itself or its total, −1 elsewhere."""
        sure = np.full(len(self.seen), -1)
        enough = self.seen >= FEWEST_VALUES
        rows = np.arange(len(sure))
        for hits, different in zip(self.hits[::-1], self.different[::-1], strict=True):
            share = np.where(enough & self.is_possible, hits / np.maximum(self.seen, 1), 0.0)
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
        usable = self.is_possible[:, candidate] & ~self.is_whole & (self.seen[:, candidate] >= FEWEST_VALUES)
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

    def assign(self, sure: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return the candidate of each cell, among those with cells in `groups` (H,)."""
        share = self.hits[-1] / np.maximum(self.seen, 1)
        allowed = (groups > 0) & self.is_possible
        score = np.where(allowed, share + 1e-3 * groups / groups.sum(), -1.0)
        score[~allowed.any(axis=1), LINEAR_FAMILY] = 0
        chosen = score.argmax(axis=1)
        chosen[self.is_whole & (groups[LINEAR_FAMILY] > 0)] = LINEAR_FAMILY
        keep = (sure >= 0) & (groups[sure] > 0)
        chosen[keep] = sure[keep]
        return chosen

    def best_lattice(self, few_cells: int) -> int | None:
        """Return the candidate that makes multiples of the smallest values integers, over all cells."""
        cells = ~self.is_whole
        seen = np.where(self.is_possible, self.seen, 0)[cells].sum(axis=0)
        ruled_out = ~self.is_possible[cells].all(axis=0)
        for tolerance, hits in zip(TOLERANCES, self.hits, strict=True):
            total = np.where(self.is_possible, hits, 0)[cells].sum(axis=0)
            share = np.where((seen >= FEWEST_POOLED_VALUES) & ~ruled_out, total / np.maximum(seen, 1), 0.0)
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
    hits, seen = np.zeros((len(TOLERANCES), n, h), np.int64), np.zeros((n, h), np.int64)
    different = np.zeros_like(hits)
    totals, maxima = np.zeros((n, h)), np.zeros(n)
    is_whole, is_count = np.ones(n, bool), np.zeros(n, bool)
    filled, done = np.flatnonzero(np.diff(X.indptr)), 0
    for values, lengths in stored_values(X):
        rows = filled[done : done + len(lengths)]
        done += len(lengths)
        starts = np.cumsum(lengths) - lengths
        whole = values == np.rint(values)
        is_whole[rows] = np.logical_and.reduceat(whole, starts)
        is_count[rows] = is_whole[rows] & (np.add.reduceat(values > 1, starts, dtype=np.int64) >= 8)
        maxima[rows] = np.maximum.reduceat(values, starts)
        for candidate, inverse in enumerate(inverses):
            with np.errstate(over="ignore", invalid="ignore"):
                linear = inverse(values)
                totals[rows, candidate] = np.add.reduceat(linear, starts, dtype=np.float64)
                multiple = linear / np.repeat(np.minimum.reduceat(linear, starts), lengths)
                small = (multiple > SMALLEST_MULTIPLE) & (multiple < LARGEST_MULTIPLE)
                distance = np.where(small, np.abs(multiple - np.rint(multiple)), 1.0)
                integer = np.left_shift(1, np.where(small, np.rint(multiple), 0).astype(np.int32))
            seen[rows, candidate] = np.add.reduceat(small, starts, dtype=np.int64)
            for hit, number, tolerance in zip(hits, different, TOLERANCES, strict=True):
                is_hit = distance < tolerance
                hit[rows, candidate] = np.add.reduceat(is_hit, starts, dtype=np.int64)
                number[rows, candidate] = _count_bits(np.bitwise_or.reduceat(integer * is_hit, starts))
    return Evidence(hits, seen, different, totals, is_whole, is_count, maxima[:, None] <= largest)


def _count_bits(numbers: np.ndarray) -> np.ndarray:
    return np.unpackbits(numbers.astype("<u4").view(np.uint8).reshape(-1, 4), axis=1).sum(axis=1)
