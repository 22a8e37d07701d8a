r"""How likely a cell is of none of the types that a model knows.

Two scores are added, in robust standard deviations of held-out cells: the logarithm of the smallest
Mahalanobis distance to the mean of a type, with a covariance that all types share, in the components of the
PPCA imputer (Lee et al. 2018, arXiv:1807.03888), which counts twice, and the energy of the logits, against
cells that get the same name (Liu et al. 2020, arXiv:2010.03759). They fail for different types, so what one
of them finds more usual than most cells counts little. Averages over the nearest cells of the query then tell
a group of cells from scattered outliers.

Letters: B cells, K types, R components.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

__all__ = ["HeldOutCells", "novelty_p_values"]

N_NEIGHBORS = 15
NEIGHBOR_CELLS = (
    1_000  # among which: neighbors in larger queries are closer, and average outliers with outliers
)
RIDGE = 0.1  # of the mean variance of a component
LARGEST, SMALLEST = 15.0, -1.0  # of a standardized score
DISTANCE_WEIGHT = 2.0
PRIOR_CELLS = 10  # as which the spread of all types counts in that of each
FEWEST_CELLS = 100  # of a query whose bulk is taken to be known
# How far scores of a query are raised to the level of held-out cells, which models of fewer cells are less
# sure of. More finds more novel cells, and loses more than 2 % of the known ones on public sets.
RAISED = 0.5


@dataclass(frozen=True, eq=False)
class HeldOutCells:
    """What models say of cells that they were not fitted to: the yardstick of novelty and of sets.

    Attributes
    ----------
    logits : ndarray of float32, shape (cells, K)
    types : ndarray of int64, shape (cells,)
        0 to K − 1.
    components : ndarray of float32, shape (cells, R)
    centers : ndarray of float32, shape (K, R)
        Mean components of all training cells of each type.
    counts : ndarray of int64, shape (K,)
        Training cells of each type.
    covariance : ndarray of float32, shape (R, R)
        Of components within types.
    """

    logits: np.ndarray
    types: np.ndarray
    components: np.ndarray
    centers: np.ndarray
    counts: np.ndarray
    covariance: np.ndarray


def covariance_within(
    components: np.ndarray, y: np.ndarray, centers: np.ndarray, counts: np.ndarray | None = None
) -> np.ndarray:
    """Return the covariance (R, R) of cells (cells, R) around the centers (K, R) of their types.

    Given the numbers (K,) of all cells of each type, return what some of these cells add to it.
    """
    counts = np.bincount(y, minlength=len(centers)) if counts is None else counts
    residual = (components - centers[y]) * np.sqrt(counts / np.maximum(counts - 1, 1))[y, None]
    return residual.T @ residual / counts.sum()


def novelty_p_values(logits: np.ndarray, components: np.ndarray, held_out: HeldOutCells) -> np.ndarray:
    """Return the p-value of each cell of being of a type that the model knows; small ones are novel.

    Cells of a query are judged together: each with its neighbors, and around the bulk of the query, which
    is taken to be known where there are 100 cells or more.

    Parameters
    ----------
    logits : ndarray, shape (B, K)
        After the shift of the query is removed.
    components : ndarray, shape (B, R)
        Likewise.
    held_out : HeldOutCells

    Returns
    -------
    ndarray of float64, shape (B,)
    """
    inverse = _inverse(held_out.covariance)
    null_distance = _squared_distances(held_out.components, held_out.centers, inverse)
    own = np.arange(len(held_out.types)), held_out.types
    counts = held_out.counts[held_out.types]
    null_distance[own] *= (counts / np.maximum(counts - 1, 1)) ** 2  # as if its center had not seen the cell
    distance = _squared_distances(components, held_out.centers, inverse)
    distance = np.log(distance.min(axis=1) + 1e-12)
    null_distance = np.log(null_distance.min(axis=1) + 1e-12)
    center, deviation = _median_and_deviation(null_distance)
    far, null_far = ((values - center) / deviation for values in (distance, null_distance))
    named, null_named = logits.argmax(axis=1), held_out.logits.argmax(axis=1)
    energy, null_energy = -logsumexp(logits, axis=1), -logsumexp(held_out.logits, axis=1)
    location, spread = _location_and_spread(null_energy, null_named, logits.shape[1])
    unsure = (energy - location[named]) / spread[named]
    null_unsure = (null_energy - location[null_named]) / spread[null_named]
    score, null = _add(far, unsure), _add(null_far, null_unsure)
    score, null = _average_neighbors(score, components), _average_neighbors(null, held_out.components)
    if len(score) >= FEWEST_CELLS:
        level = float(np.median(score) - np.median(null))
        score = score - (level if level > 0 else RAISED * level)
    below = np.searchsorted(np.sort(null), score, side="left")
    return (1 + len(null) - below) / (len(null) + 1)


def _add(far: np.ndarray, unsure: np.ndarray) -> np.ndarray:
    """Add both scores, in standard deviations; what one finds usual does not outweigh the other."""
    return DISTANCE_WEIGHT * np.clip(far, SMALLEST, LARGEST) + np.clip(unsure, SMALLEST, LARGEST)


def _inverse(covariance: np.ndarray) -> np.ndarray:
    width = len(covariance)
    ridge = RIDGE * max(float(np.trace(covariance)) / width, 1e-12)
    return np.linalg.inv(covariance.astype(np.float64) + ridge * np.eye(width))


def _squared_distances(components: np.ndarray, centers: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Return squared Mahalanobis distances (B, K)."""
    root = np.linalg.cholesky(inverse)
    cells, means = components @ root, centers @ root
    squares = (cells**2).sum(axis=1)[:, None] - 2 * cells @ means.T + (means**2).sum(axis=1)
    return np.maximum(squares, 0.0)


def _location_and_spread(
    values: np.ndarray, named: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return robust location and spread (K,) of values by name, those of few cells drawn to those of all."""
    location, spread = np.empty(num_classes), np.empty(num_classes)
    center, deviation = _median_and_deviation(values)
    for index in range(num_classes):
        own = values[named == index]
        weight = len(own) / (len(own) + PRIOR_CELLS)
        median, own_deviation = _median_and_deviation(own) if len(own) else (center, deviation)
        location[index] = weight * median + (1 - weight) * center
        spread[index] = np.sqrt(weight * own_deviation**2 + (1 - weight) * deviation**2)
    return location, np.maximum(spread, 0.3 * deviation)


def _median_and_deviation(values: np.ndarray) -> tuple[float, float]:
    median = float(np.median(values))
    return median, 1.4826 * float(np.median(np.abs(values - median))) + 1e-9


def _average_neighbors(values: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Average the value of each cell with those of its nearest neighbors in a sample of the cells."""
    from sklearn.neighbors import NearestNeighbors

    sample = np.arange(len(values))
    if len(values) > NEIGHBOR_CELLS:
        sample = np.sort(np.random.default_rng(0).choice(sample, NEIGHBOR_CELLS, replace=False))
    count = min(N_NEIGHBORS, len(sample) - 1)
    if count < 1:
        return values
    nearest = NearestNeighbors(n_neighbors=count + 1).fit(components[sample])
    neighbor = sample[nearest.kneighbors(components, return_distance=False)]
    is_other = neighbor != np.arange(len(values))[:, None]
    is_other[is_other.all(axis=1), -1] = False  # one more than needed where the cell is not in the sample
    return (values + (values[neighbor] * is_other).sum(axis=1)) / (count + 1)
