r"""Take the shift between laboratories out of a query: what all its types have in common is not biology.

A query of another laboratory, technology or condition differs from the reference in many genes at once. With
types named provisionally, the difference of each type's mean expression from that of the reference can be
estimated; its mean over the types is a shift of the whole query, which is subtracted. The mean is used as
far as types agree on it: what only one of them shows may be biology.

Three scores are then added, each centered for a cell and scaled to the same spread: the logits of the model
and the correlation of a cell with the mean of each type, both without the shift, and their rank correlation,
which no monotone change of a cell's expression affects.

Letters: B cells, N genes, K types, G marker genes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import softmax
from scipy.stats import rankdata

__all__ = ["Adaptation", "QueryShift", "TypeProfiles", "TypeSums", "adapt_to_query", "fit_adaptation"]

# Chosen on 98 pairs of public references and queries, and on parts of 12 sets:
# docs/benchmarks/other_laboratories.md.
SMALLEST_SHIFT = 0.03  # halves of a set reach 0.028, laboratories start at 0.030
STANDARD_ERRORS = 2.0  # as much comes from chance between cells of one set (up to 1.98)
FEWEST_CELLS = 50
FEWEST_TYPES = 1.5  # effective number; where all cells are of one type, its biology looks like a shift
N_MARKERS = 100  # of each ordered pair of types
ROUNDS = 2
KEPT_SHARE = 0.5  # of the cells of each type, the surest ones, from which the shift is estimated
SHARPNESS = 2.0  # of probabilities, by which the added scores are multiplied
VARIANCE_OFFSET = 0.05  # in square roots of counts
CELLS_OF_A_MEAN = 10  # with as many, the mean of a type in a batch is as noisy as types differ in batches
BATCH_PENALTY = 0.5  # of the effects of batches


@dataclass(frozen=True, eq=False)
class TypeProfiles:
    """Mean normalized expression of each type in the reference.

    Attributes
    ----------
    mean : ndarray of float32, shape (K, N)
    counts : ndarray of int64, shape (K,)
        Cells of each type.
    """

    mean: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(
        cls, X: sparse.csr_matrix, y: np.ndarray, num_classes: int, batch: np.ndarray | None = None
    ) -> TypeProfiles:
        """Average cells X (cells, N) by their types y (cells,), 0 to K − 1, and batches; see `TypeSums`."""
        sums = TypeSums.of(y, num_classes, batch)
        return sums.profiles((sums.of_cell.T @ X).toarray())

    def take(self, genes: np.ndarray) -> TypeProfiles:
        """Return the profiles of some genes, given by a mask (N,)."""
        return TypeProfiles(self.mean[:, genes], self.counts)


@dataclass(frozen=True, eq=False)
class TypeSums:
    """Which sums over cells the profiles of types need: cells may then be summed part by part.

    Attributes
    ----------
    of_cell : csr_matrix of float32, shape (cells, S)
        The weight of each cell in each sum.
    counts : ndarray of int64, shape (K,)
    normal : ndarray, shape (S, S), or None
        Of the least squares that separate types and batches.
    batch_share : ndarray, shape (L,), or None
    """

    of_cell: sparse.csr_matrix
    counts: np.ndarray
    normal: np.ndarray | None = None
    batch_share: np.ndarray | None = None

    @classmethod
    def of(cls, y: np.ndarray, num_classes: int, batch: np.ndarray | None = None) -> TypeSums:
        """Prepare sums of cells of types y (cells,), 0 to K − 1.

        With batches (cells,), 0 to L − 1, the mean of a type is that in the average of all batches, weighted
        by their cells: a type that is mostly in one batch would otherwise take the shift of that batch for
        its own. Means of type and batch are modeled as the sum of an effect of the type and one of the batch,
        estimated by least squares.
        """
        counts = np.bincount(y, minlength=num_classes)
        if batch is None or not batch.any():
            ones = np.ones(len(y), np.float32)
            return cls(sparse.csr_matrix((ones, (np.arange(len(y)), y)), (len(y), num_classes)), counts)
        n_batches = int(batch.max()) + 1
        group = y * n_batches + batch
        sizes = np.bincount(group, minlength=num_classes * n_batches)
        weight = sizes / (sizes + CELLS_OF_A_MEAN)
        type_of, batch_of = np.divmod(np.arange(len(sizes)), n_batches)
        effects = np.hstack([np.eye(num_classes)[type_of], np.eye(n_batches)[batch_of]])
        normal = effects.T @ (weight[:, None] * effects)
        normal += np.diag(np.repeat([1e-6, BATCH_PENALTY], [num_classes, n_batches]))
        # Of all means of type and batch (groups, N), only weighted sums are needed.
        of_cell = np.repeat((weight[group] / sizes[group]).astype(np.float32), 2)
        columns = np.column_stack([y, num_classes + batch]).ravel()
        sums = sparse.csr_matrix((of_cell, columns, np.arange(0, 2 * len(y) + 1, 2)), (len(y), len(normal)))
        return cls(sums, counts, normal, np.bincount(batch, minlength=n_batches) / len(batch))

    def profiles(self, sums: np.ndarray) -> TypeProfiles:
        """Return the profiles, given the sums (S, N) over all cells of weight times expression."""
        if self.normal is None or self.batch_share is None:
            mean = sums / np.maximum(self.counts, 1)[:, None].astype(np.float32)
            return TypeProfiles(mean.astype(np.float32), self.counts)
        solution = np.linalg.solve(self.normal, sums)
        of_type, of_batch = np.split(solution, [len(self.counts)])
        mean = of_type + self.batch_share @ of_batch
        return TypeProfiles(np.maximum(mean, 0).astype(np.float32), self.counts)


@dataclass(frozen=True, eq=False)
class QueryShift:
    """The shift of a query.

    Attributes
    ----------
    size : float
        Standard deviation over the types of what the shift adds to their logits, as a share of that of the
        logits: below 0.03 for random halves of a set, 0.03 to 0.6 for other laboratories and conditions.
    genes : ndarray of float32, shape (N,)
        What is subtracted from each gene; zeros where the query is left alone.
    reason : str
        Why the query is left alone; "" if it is adapted to.
    """

    size: float
    genes: np.ndarray
    reason: str

    @classmethod
    def none(cls, n_genes: int) -> QueryShift:
        """Return the shift of values that are not normalized."""
        return cls(0.0, np.zeros(n_genes, np.float32), "its values are not normalized")

    @property
    def is_removed(self) -> bool:
        return not self.reason


def adapt_to_query(
    X: sparse.csr_matrix, weight: np.ndarray, bias: np.ndarray, profiles: TypeProfiles
) -> tuple[np.ndarray, QueryShift]:
    """Return probabilities of the types in which the shift of the query is removed, if it has any.

    Parameters
    ----------
    X : csr_matrix, shape (B, N)
        Normalized, not negative: all cells of the query, with the genes that it has.
    weight : ndarray, shape (N, K)
    bias : ndarray, shape (K,)
        Of the logits ``X @ weight + bias``.
    profiles : TypeProfiles
        Of the N genes.

    Returns
    -------
    probability : ndarray of float32, shape (B, K)
        Those of the logits where the query is left alone.
    shift : QueryShift
    """
    adaptation, scores = fit_adaptation(X, X @ weight + bias, weight, profiles)
    return adaptation.probability(scores), adaptation.shift


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What a query says of its shift, by which further cells of it are classified.

    Attributes
    ----------
    weight : ndarray, shape (N, K)
    profiles : TypeProfiles
    shift : QueryShift
    markers : ndarray of int, shape (G,)
    spreads : tuple of float
        Standard deviations of the three scores over the query; empty where it is left alone.
    """

    weight: np.ndarray
    profiles: TypeProfiles
    shift: QueryShift
    markers: np.ndarray
    spreads: tuple[float, ...]

    def classify(self, X: sparse.csr_matrix, logits: np.ndarray) -> np.ndarray:
        """Return the probabilities (B, K) of further cells X (B, N) of the query with such logits (B, K)."""
        if not self.shift.is_removed:
            return self.probability(logits)
        shift = self.shift.genes.astype(np.float64)
        centroids = _Centroids.of(X, self.profiles.mean, self.markers)
        ranks = rank_correlation(X[:, self.markers], self.profiles.mean[:, self.markers])
        parts = logits - shift @ self.weight, ranks, centroids.correlate(shift)
        return self.probability(_add_scores(parts, self.spreads))

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """Return the probabilities (B, K) of scores, which are logits where the query is left alone."""
        if not self.shift.is_removed:
            return softmax(scores, axis=1)
        return softmax(SHARPNESS * scores, axis=1).astype(np.float32)


def fit_adaptation(
    X: sparse.csr_matrix, logits: np.ndarray, weight: np.ndarray, profiles: TypeProfiles
) -> tuple[Adaptation, np.ndarray]:
    """Estimate the shift of a query X (B, N) with logits (B, K), as `adapt_to_query` does.

    Returns
    -------
    adaptation : Adaptation
    scores : ndarray, shape (B, K)
        Of X, for `Adaptation.probability`.
    """
    first = softmax(logits, axis=1)
    added = _common_shift(X, first, profiles) @ weight
    scale = _spread(logits)
    size, error = float(added.std()) / scale, _standard_error(logits, first, profiles.counts) / scale
    markers = find_markers(profiles.mean)
    reason = _reason_to_leave(first, size, error)
    if reason:
        shift = QueryShift(size, np.zeros(X.shape[1], np.float32), reason)
        return Adaptation(weight, profiles, shift, markers, ()), logits
    centroids = _Centroids.of(X, profiles.mean, markers)
    ranks = rank_correlation(X[:, markers], profiles.mean[:, markers])
    genes = np.zeros(X.shape[1])
    parts = logits, ranks, centroids.correlate(genes)
    for _ in range(ROUNDS):
        scores = _add_scores(parts, [_spread(part) for part in parts])
        probability = _keep_surest(softmax(4 / 3 * scores, axis=1), scores)
        genes = _common_shift(X, probability, profiles, markers, centroids.scale)
        parts = logits - genes @ weight, ranks, centroids.correlate(genes)
    spreads = tuple(map(_spread, parts))
    shift = QueryShift(size, genes.astype(np.float32), "")
    return Adaptation(weight, profiles, shift, markers, spreads), _add_scores(parts, spreads)


def _add_scores(parts: Sequence[np.ndarray], spreads: Sequence[float]) -> np.ndarray:
    """Return the sum of scores (B, K), each centered and divided by its spread."""
    scaled = [_centered(part) / spread for part, spread in zip(parts, spreads, strict=True)]
    return np.sum(scaled, axis=0)


def find_markers(mean: np.ndarray) -> np.ndarray:
    """Return the genes in which any two types differ most, sorted: shape (G,), given their means (K, N)."""
    number = min(N_MARKERS, mean.shape[1])
    is_marker = np.zeros(mean.shape[1], bool)
    for own in mean:
        excess = own - mean
        best = np.argpartition(-excess, number - 1, axis=1)[:, :number]
        is_marker[best[np.take_along_axis(excess, best, 1) > 0]] = True
    return np.flatnonzero(is_marker)


def rank_correlation(X: sparse.csr_matrix, profiles: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation of each cell X (B, G), not negative, with each profile (K, G)."""
    ranks, norms = _sparse_ranks(X)
    other = rankdata(profiles, axis=1)
    other -= other.mean(axis=1, keepdims=True)
    other /= np.maximum(np.linalg.norm(other, axis=1, keepdims=True), 1e-9)
    return (ranks @ other.T) / np.maximum(norms, 1e-9)[:, None]


def _sparse_ranks(X: sparse.csr_matrix) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return ranks within each row less that of its zeros, and the norms (B,) of centered ranks."""
    X = X.copy()
    X.eliminate_zeros()
    n_genes, stored = X.shape[1], np.diff(X.indptr)
    row = np.repeat(np.arange(X.shape[0]), stored)
    order = np.lexsort((X.data, row))
    values, rows = X.data[order], row[order]
    is_first = np.ones(len(values), bool)
    is_first[1:] = (values[1:] != values[:-1]) | (rows[1:] != rows[:-1])
    start = np.flatnonzero(is_first)
    length = np.diff(np.append(start, len(values)))
    tied = np.repeat(start + (length - 1) / 2, length)  # mean position of equal values
    n_zeros = n_genes - stored
    rank = np.empty(len(values))
    rank[order] = tied - X.indptr[rows] + n_zeros[rows] + 1
    above = rank - ((n_zeros + 1) / 2)[row]
    ranks = sparse.csr_matrix((above, X.indices, X.indptr), X.shape)
    from_mean = rank - (n_genes + 1) / 2
    squares = np.bincount(row, from_mean**2, minlength=X.shape[0]) + n_zeros * ((n_genes - n_zeros) / 2) ** 2
    return ranks, np.sqrt(squares)


@dataclass(frozen=True, eq=False)
class _Centroids:
    """Correlation of cells with the mean of each type around the mean of all types, over marker genes."""

    X: sparse.csr_matrix  # (B, G), divided by `scale`
    squares: np.ndarray  # (B,)
    center: np.ndarray  # (G,)
    scale: np.ndarray  # (G,)
    directions: np.ndarray  # (K, G), of length 1
    markers: np.ndarray  # (G,)

    @classmethod
    def of(cls, X: sparse.csr_matrix, mean: np.ndarray, markers: np.ndarray) -> _Centroids:
        profiles = mean[:, markers].astype(np.float64)
        center = profiles.mean(axis=0)
        scale = np.sqrt(center + VARIANCE_OFFSET)
        directions = (profiles - center) / scale
        directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-9)
        scaled = sparse.csr_matrix(X[:, markers].astype(np.float64) @ sparse.diags_array(1 / scale))
        squares = np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel()
        return cls(scaled, squares, center, scale, directions, markers)

    def correlate(self, shift: np.ndarray) -> np.ndarray:
        """Return the correlations (B, K) after a shift (N,) is subtracted from all cells."""
        origin = (self.center + shift[self.markers]) / self.scale
        products = self.X @ self.directions.T - self.directions @ origin
        norms = self.squares - 2 * (self.X @ origin) + origin @ origin
        return products / np.sqrt(np.maximum(norms, 1e-9))[:, None]


def _common_shift(
    X: sparse.csr_matrix,
    probability: np.ndarray,
    profiles: TypeProfiles,
    markers: np.ndarray | None = None,
    scale: np.ndarray | None = None,
) -> np.ndarray:
    """Return the mean over types of query mean − reference mean, shape (N,), given soft names (B, K).

    With markers, it is shortened by how far types disagree on these, in units of `scale` (G,).
    """
    counts = probability.sum(axis=0)
    means = (X.T @ probability).T / np.maximum(counts, 1e-9)[:, None]
    differences = means - profiles.mean
    share = _share_of_types(counts, profiles.counts)
    shift = share @ differences
    if markers is None or scale is None:
        return shift
    common = shift[markers] / scale
    disagreement = share @ ((differences[:, markers] / scale - common) ** 2).sum(axis=1)
    agreed = common @ common
    return shift * np.sqrt(agreed / max(agreed + disagreement, 1e-9))


def _keep_surest(probability: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Set the less sure cells of each type to zero, among which are those of types that it does not know."""
    best, named = scores.max(axis=1), probability.argmax(axis=1)
    kept = np.ones(len(named), bool)
    for index in np.unique(named):
        cells = np.flatnonzero(named == index)
        if len(cells) >= 4:
            kept[cells] = best[cells] >= np.quantile(best[cells], KEPT_SHARE)
    return probability * kept[:, None]


def _standard_error(logits: np.ndarray, probability: np.ndarray, reference_counts: np.ndarray) -> float:
    """Return the root mean square over types of what chance adds to the logits of the common shift."""
    counts = probability.sum(axis=0)
    means, squares = (
        (probability.T @ part) / np.maximum(counts, 1e-9)[:, None] for part in (logits, logits**2)
    )
    share = _share_of_types(counts, reference_counts)
    of_means = share**2 * (1 / np.maximum(counts, 1) + 1 / np.maximum(reference_counts, 1))
    return float(np.sqrt(np.mean(of_means @ np.maximum(squares - means**2, 0))))


def _share_of_types(counts: np.ndarray, reference_counts: np.ndarray) -> np.ndarray:
    """Return the weight of each type in the common shift (K,), given its cells in query and reference."""
    share = counts * reference_counts / np.maximum(counts + reference_counts, 1e-9) * (counts >= 1)
    return np.asarray(share / max(share.sum(), 1e-9))


def _reason_to_leave(probability: np.ndarray, size: float, error: float) -> str:
    if len(probability) < FEWEST_CELLS:
        return f"{len(probability):,} cells are too few to estimate a shift ({FEWEST_CELLS} are needed)"
    share = probability.mean(axis=0)
    if np.exp(-(share * np.log(np.maximum(share, 1e-12))).sum()) < FEWEST_TYPES:
        return "nearly all cells are of one type, from which a shift cannot be told"
    if size < max(SMALLEST_SHIFT, STANDARD_ERRORS * error):
        return "it is no larger than chance differences within one data set"
    return ""


def _centered(scores: np.ndarray) -> np.ndarray:
    return scores - scores.mean(axis=1, keepdims=True)


def _spread(scores: np.ndarray) -> float:
    return max(float(_centered(scores).std()), 1e-9)
