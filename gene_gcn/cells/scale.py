"""The scale of expression values: inferred from the values, inverted, and applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from gene_gcn.cells.matrix import stored_values, to_csr

__all__ = ["FEW_CELLS", "FORWARD", "INVERSE", "LINEAR", "SCALE_NAMES", "detect_scale", "infer_scale"]

LARGEST_LOG = 25.0  # no log1p or log2(x + 1) of counts, CPM or TPM reaches this
FEW_CELLS = 20  # with fewer, the range of the values is weaker evidence than the scale of the training data

# What messages call each scale.
SCALE_NAMES = {
    "counts": "raw counts",
    "cp10k": "linear values (such as CP10k, CPM or TPM)",
    "log1p": "log1p-transformed values",
    "sqrt": "square roots",
    "log2p1": "log2(x + 1)-transformed values",
    "scaled": "scaled values",
}
LINEAR = ("counts", "cp10k")

Transformation = Callable[[np.ndarray], np.ndarray]
# From each scale to linear values. Logarithms are clipped before exp overflows float32; real ones never are.
INVERSE: dict[str, Transformation] = {
    "counts": np.asarray,
    "cp10k": np.asarray,
    "log1p": lambda x: np.expm1(np.minimum(x, 80)),
    "sqrt": np.square,
    "log2p1": lambda x: np.expm1(np.minimum(x * np.float32(np.log(2)), 80)),
}
# From linear values to each scale.
FORWARD: dict[str, Transformation] = {
    "counts": np.asarray,
    "cp10k": np.asarray,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "log2p1": lambda x: np.log1p(x) / np.float32(np.log(2)),
}
# Linear first, as squares of counts are integers too.
_CANDIDATES = ("cp10k", "log1p", "sqrt", "log2p1")


def detect_scale(X: Any) -> str:
    """Return the scale of a matrix, inferred from all its stored values.

    Counts leave a trace in whatever is computed from them: after the right inverse transformation, the values
    of each cell, divided by its smallest, are integers again where they are small. With a wrong inverse about
    10 % (at most 30 %) are, by chance. For values that do not come from counts (TPM), the right inverse gives
    every cell the same total. Failing that, the range decides: values above 25 are linear, others log1p.

    Parameters
    ----------
    X : sparse matrix, array or DataFrame, shape (B, N)

    Returns
    -------
    str
        "counts" for non-negative integers; "cp10k" for other linear values (CP10k, CPM, TPM, estimated
        counts); "log1p", "log2p1" (log2(x + 1)) or "sqrt" of either; "scaled" if there are negative values.

    Raises
    ------
    ArgumentError
        If X is not two-dimensional or not numeric.
    """
    return infer_scale(to_csr(X))[0]


def infer_scale(X: sparse.csr_matrix) -> tuple[str, bool]:
    """Return the scale, and whether the evidence for it goes beyond the range of the values."""
    if not X.nnz:
        return "counts", False
    if X.data.min() < 0:
        return "scaled", True
    if all(np.array_equal(values, np.rint(values)) for values, _ in stored_values(X)):
        return "counts", bool(X.data.max() > 1)

    integers, totals = _evidence(X)
    best = max(integers.values())
    if best > (0.4 if X.shape[0] >= FEW_CELLS else 0.8):  # within a cell, chance hits are not independent
        return next(name for name in _CANDIDATES if integers[name] > best - 0.05), True
    for name in _CANDIDATES:
        low, middle, high = np.percentile(totals[name], [5, 50, 95])
        if X.shape[0] >= 5 and high - low < 2e-3 * middle:
            return name, True
    return ("cp10k" if X.data.max() > LARGEST_LOG else "log1p"), False


def _evidence(X: sparse.csr_matrix) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Per candidate scale: the fraction of small multiples that are integers, and the totals of the cells."""
    hits, seen = dict.fromkeys(_CANDIDATES, 0), dict.fromkeys(_CANDIDATES, 0)
    totals: dict[str, list[np.ndarray]] = {name: [] for name in _CANDIDATES}
    for values, lengths in stored_values(X):
        starts = np.cumsum(lengths) - lengths
        for name in _CANDIDATES:
            with np.errstate(over="ignore", invalid="ignore"):
                linear = INVERSE[name](values)
                totals[name].append(np.add.reduceat(linear, starts, dtype=np.float64))
                ratio = linear / np.repeat(np.minimum.reduceat(linear, starts), lengths)
                ratio = ratio[(ratio > 1.05) & (ratio < 20.5)]  # small: data may be rounded to 3 decimals
            seen[name] += len(ratio)
            hits[name] += int(np.count_nonzero(np.abs(ratio - np.rint(ratio)) < 0.05))
    integers = {name: hits[name] / seen[name] if seen[name] >= 30 else 0.0 for name in _CANDIDATES}
    return integers, {name: np.concatenate(parts) for name, parts in totals.items()}
