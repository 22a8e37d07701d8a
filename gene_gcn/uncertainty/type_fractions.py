"""Fractions of types in a sample, with intervals: names that are often confused are not just counted.

References
----------
Saerens, Latinne & Decaestecker (2002), doi:10.1162/089976602753284446.
"""

from __future__ import annotations

import numpy as np

__all__ = ["type_fractions"]

ITERATIONS = 200
TOLERANCE = 1e-6


def type_fractions(
    probability: np.ndarray,
    prior: np.ndarray,
    *,
    n_bootstraps: int = 200,
    level: float = 0.95,
    rng: np.random.Generator | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate the fraction of each type by expectation maximization, with bootstrap intervals.

    Parameters
    ----------
    probability : ndarray, shape (B, K)
    prior : ndarray, shape (K,)
        The fractions for which the probabilities hold.
    n_bootstraps : int
        Samples of cells, drawn with replacement.
    level : float
        Of the intervals.
    rng : Generator, optional

    Returns
    -------
    fractions, lower, upper : ndarray, shape (K,)
    """
    rng = rng or np.random.default_rng(0)
    likelihood = probability / np.maximum(prior, 1e-12)
    cells = len(probability)
    fractions = _expectation_maximization(likelihood, np.full(cells, 1 / cells))
    draws = rng.multinomial(cells, np.full(cells, 1 / cells), size=n_bootstraps) / cells
    boot = np.stack([_expectation_maximization(likelihood, weight, fractions) for weight in draws])
    tail = (1 - level) / 2
    lower, upper = np.quantile(boot, [tail, 1 - tail], axis=0)
    return fractions, lower, upper


def _expectation_maximization(
    likelihood: np.ndarray, weight: np.ndarray, start: np.ndarray | None = None
) -> np.ndarray:
    """Return the fractions (K,) under which the weighted cells are most likely."""
    fractions = np.full(likelihood.shape[1], 1 / likelihood.shape[1]) if start is None else start
    fractions = np.maximum(fractions, 1e-6)  # zero would stay
    fractions = fractions / fractions.sum()
    for _ in range(ITERATIONS):
        joint = likelihood * fractions
        updated = weight @ (joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-300))
        if np.abs(updated - fractions).max() < TOLERANCE:
            return updated
        fractions = updated
    return fractions
