"""Scores of types by their marker genes, without labels, and the cells to learn from first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from scipy.stats import rankdata

from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.kernels import product

__all__ = ["MarkerOptions", "MarkerScores", "choose_seeds", "neighbor_means", "score_types"]

GENES_AT_ONCE = 512  # whose means over neighbors are in memory
NEGLIGIBLE = 1e-4  # weights of genes that a network adds


@dataclass(frozen=True)
class MarkerOptions:
    """Constants of `score_types` and `choose_seeds`; docs/guide/markers.md names the sets behind them.

    Attributes
    ----------
    n_neighbors, scale_neighbor : int
        Cells over which expression is averaged; that at whose distance the affinity falls to 1/e.
    background : float
        Quantile of a gene's means over neighbors that counts as no expression.
    top_cells : float
        Share of the cells, at least three of them, whose mean counts as full expression.
    dampings : tuple of float
        Probabilities of following an edge of the network, to choose from; the first, 0, leaves it out.
    evidence : float
        z-value that two markers of a type must reach.
    seeds : float
        Share of the cells of a type, the surest ones, that are learned from.
    """

    n_neighbors: int = 30
    scale_neighbor: int = 5
    background: float = 0.05
    top_cells: float = 0.005
    dampings: tuple[float, ...] = (0.0, 0.1, 0.2, 0.4)
    evidence: float = 4.0
    seeds: float = 0.5


@dataclass(frozen=True, eq=False)
class MarkerScores:
    """How well cells fit types.

    Attributes
    ----------
    scores : ndarray of float32, shape (cells, K)
        Mean of the markers of a type, each between about 0 and 1.
    agreement : ndarray, shape (N, K)
        z-value of each marker's expression in the cells that the other markers give the type; NaN elsewhere,
        and for markers without others.
    damping : float
        How far the network was followed; 0 for not at all.
    """

    scores: np.ndarray
    agreement: np.ndarray
    damping: float

    def evident(self, signs: np.ndarray, least: float) -> np.ndarray:
        """Return a mask (K,) of types with evidence.

        Of their markers, two at least reach the z-value. Types with one marker pass if they have a cell:
        there is nothing to compare it with.
        """
        single = (signs > 0).sum(0) < 2
        has_cells = np.isin(np.arange(signs.shape[1]), self.scores.argmax(1))
        return has_cells & (single | (self.second_agreement >= least))

    @property
    def second_agreement(self) -> np.ndarray:
        """The second largest agreement of each type, (K,); NaN for types with one marker."""
        found = np.sort(np.where(np.isnan(self.agreement), -np.inf, self.agreement), axis=0)[-2]
        return np.where(np.isinf(found), np.nan, found)


def score_types(
    X: sparse.csr_matrix,
    codes: np.ndarray,
    signs: np.ndarray,
    graph: GlobalGraph | None,
    options: MarkerOptions | None = None,
) -> MarkerScores:
    r"""Score types by their markers.

    Expression is averaged over the nearest neighbors of each cell, which fills in what a cell lost by
    chance, and is scaled to between 0 and 1 gene by gene. With a network A, markers spread along it by
    personalized PageRank, so that genes that interact with them count as well:

    .. math:: w = (1 - \alpha) (I - \alpha A)^{-1} m

    α is chosen without labels: each marker is left out, and the cells that the others give its type are
    looked up; the more they express it, the better. α is 0 unless a network raises the mean of this area
    under the curve by more than its standard error, and where no type has a second marker.

    Parameters
    ----------
    X : csr_matrix of float32, shape (cells, N)
        Normalized expression.
    codes : ndarray, shape (cells, R)
        Coordinates in which neighbors are found.
    signs : ndarray of int8, shape (N, K)
        1 for markers, −1 for genes that a type does not express, 0 elsewhere.
    graph : GlobalGraph, optional
        A, normalized.
    options : MarkerOptions, optional

    Returns
    -------
    MarkerScores

    References
    ----------
    Page et al. (1999), The PageRank citation ranking. Zelnik-Manor & Perona (2004), Self-tuning spectral
    clustering, NIPS 17 (the affinity).
    """
    options = options or MarkerOptions()
    left_out = _left_out(signs)
    dampings = options.dampings if graph is not None and len(left_out) else (0.0,)
    weights = [_weights(signs, left_out, graph, damping) for damping in dampings]
    found = _weighted_means(X, neighbor_means(codes, options), np.concatenate(weights, axis=1), options)
    n_types = signs.shape[1]
    candidates = [(part[:, :n_types], part[:, n_types:]) for part in np.split(found, len(dampings), axis=1)]
    judged = [_agreement(X, left_out, *candidate) for candidate in candidates]
    best = _choose([curve for curve, _ in judged])
    agreement = np.full(signs.shape, np.nan)
    agreement[left_out[:, 0], left_out[:, 1]] = judged[best][1]
    return MarkerScores(candidates[best][0], agreement, dampings[best])


def choose_seeds(scores: np.ndarray, share: float) -> np.ndarray:
    """Return the types (cells,) of the surest cells of each type, −1 for others.

    Sure are cells whose best score exceeds the second best by much.
    """
    order = np.argsort(scores, axis=1)
    best, second = (np.take_along_axis(scores, order[:, [-i]], axis=1)[:, 0] for i in (1, 2))
    seeds = np.full(len(scores), -1)
    for k in range(scores.shape[1]):
        cells = np.flatnonzero(order[:, -1] == k)
        surest = cells[np.argsort((second - best)[cells], kind="stable")]
        seeds[surest[: int(np.ceil(share * len(cells)))]] = k
    return seeds


def neighbor_means(codes: np.ndarray, options: MarkerOptions) -> sparse.csr_matrix:
    """Return the matrix (cells, cells) that averages over each cell and its nearest neighbors."""
    from sklearn.neighbors import NearestNeighbors

    n = len(codes)
    count = min(options.n_neighbors, n - 1)
    distance, neighbor = NearestNeighbors(n_neighbors=count).fit(codes).kneighbors()
    scale = distance[:, [min(options.scale_neighbor, count) - 1]].clip(min=1e-9)
    affinity = np.exp(-((distance / scale) ** 2))
    graph = sparse.csr_matrix(
        (affinity.ravel(), neighbor.ravel(), np.arange(0, n * count + 1, count)), (n, n)
    )
    graph = graph + sparse.eye_array(n, format="csr")
    total = np.asarray(graph.sum(1)).ravel()
    return sparse.csr_matrix(sparse.diags_array(1 / total) @ graph, dtype=np.float32)


def _left_out(signs: np.ndarray) -> np.ndarray:
    """Return the (gene, type) of markers that have others of their type beside them, (any number, 2)."""
    several = (signs > 0).sum(0) > 1
    return np.argwhere((signs > 0) & several)


def _weights(
    signs: np.ndarray, left_out: np.ndarray, graph: GlobalGraph | None, damping: float
) -> np.ndarray:
    """Return the weights of genes (N, K + left out): of each type, then of it without one of its markers."""
    positive, negative = (signs > 0).astype(np.float32), (signs < 0).astype(np.float32)
    types = left_out[:, 1]
    columns = np.concatenate([positive, positive[:, types]], axis=1)
    rows, places = left_out[:, 0], signs.shape[1] + np.arange(len(left_out))
    columns[rows, places] = 0
    columns = _spread(columns / columns.sum(0), graph, damping)
    columns[rows, places] = 0  # nor may the network lead back to it
    columns /= columns.sum(0)
    against = negative / np.maximum(negative.sum(0), 1)
    return columns - np.concatenate([against, against[:, types]], axis=1)


def _spread(
    columns: np.ndarray, graph: GlobalGraph | None, damping: float, iterations: int = 30
) -> np.ndarray:
    if graph is None or not damping:
        return columns
    start = torch.from_numpy(columns)
    spread = start
    for _ in range(iterations):
        spread = (1 - damping) * start + damping * product(graph.adj_t, spread.contiguous())
    spread[spread < NEGLIGIBLE * spread.amax(0)] = 0
    return spread.numpy()


def _weighted_means(
    X: sparse.csr_matrix, means: sparse.csr_matrix, weights: np.ndarray, options: MarkerOptions
) -> np.ndarray:
    """Average scaled means over neighbors by weights (N, any number), some genes at a time."""
    genes = np.flatnonzero(weights.any(1))
    by_gene = X[:, genes].tocsc()
    found = np.zeros((X.shape[0], weights.shape[1]), np.float32)
    top = max(3, round(options.top_cells * X.shape[0]))
    for first in range(0, len(genes), GENES_AT_ONCE):
        part = slice(first, first + GENES_AT_ONCE)
        expression = means @ by_gene[:, part].toarray()
        low = np.quantile(expression, options.background, axis=0)
        high = np.partition(expression, -top, axis=0)[-top:].mean(0)
        scaled = (expression - low) / np.maximum(high - low, 1e-9)
        found += scaled.astype(np.float32) @ weights[genes[part]]
    return found


def _agreement(
    X: sparse.csr_matrix, left_out: np.ndarray, scores: np.ndarray, without: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return area under the curve and z-value, (left out,), of each marker in the cells of the others.

    Of Mann and Whitney's test, with their variance for ties.
    """
    n = len(scores)
    area, z = np.full(len(left_out), 0.5), np.zeros(len(left_out))
    for i, (gene, k) in enumerate(left_out):
        others = np.delete(scores, k, axis=1)
        cells = without[:, i] > others.max(1)
        count = int(cells.sum())
        if not 0 < count < n:
            continue
        ranks = rankdata(X[:, [gene]].toarray()[:, 0])
        difference = ranks[cells].mean() - ranks.mean()
        area[i] = 0.5 + difference / (n - count)
        deviation = ranks.std() * np.sqrt((n - count) / (count * (n - 1)))
        z[i] = difference / max(deviation, 1e-12)
    return area, z


def _choose(areas: list[np.ndarray]) -> int:
    """Return which areas are the largest in the mean, or 0 if they are not so by their standard error."""
    if len(areas) < 2:
        return 0
    gain = np.stack(areas[1:]) - areas[0]
    best = int(gain.mean(1).argmax())
    error = gain[best].std(ddof=1) / np.sqrt(gain.shape[1]) if gain.shape[1] > 1 else np.inf
    return best + 1 if gain[best].mean() > error else 0
