"""The scale of expression values: inferred from the values, inverted, and applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from gene_gcn.cells.matrix import stored_values, to_csr
from gene_gcn.cells.scale_evidence import LINEAR_FAMILY, Evidence, collect_evidence
from gene_gcn.errors import Argument, ArgumentError

__all__ = [
    "FEW_CELLS",
    "FORWARD",
    "INVERSE",
    "LINEAR",
    "SCALES",
    "SCALE_NAMES",
    "InferredScale",
    "check_scale",
    "detect_scale",
    "exceeds",
    "infer_scale",
    "map_values",
]

LARGEST = 2.0**25  # no count, CPM or TPM of a gene in a cell reaches this, so no log2(x + 1) reaches 25
FEW_CELLS = 20  # with fewer, the range of the values is weaker evidence than the scale of the training data

# What messages call each scale.
SCALE_NAMES = {
    "counts": "raw counts",
    "cp10k": "linear values (such as CP10k, CPM or TPM)",
    "log1p": "log1p-transformed values",
    "sqrt": "square roots",
    "log2p1": "log2(x + 1)-transformed values",
    "log10p1": "log10(x + 1)-transformed values",
    "scaled": "scaled values",
}
LINEAR = ("counts", "cp10k")
SCALES = ("counts", "cp10k", "log1p", "log2p1", "log10p1", "sqrt")  # what a user may state

Transformation = Callable[[np.ndarray], np.ndarray]
# From each scale to linear values. Logarithms are clipped before exp overflows float32; real ones never are.
INVERSE: dict[str, Transformation] = {
    "counts": np.asarray,
    "cp10k": np.asarray,
    "log1p": lambda x: np.expm1(np.minimum(x, 80)),
    "sqrt": np.square,
    "log2p1": lambda x: np.expm1(np.minimum(x * np.float32(np.log(2)), 80)),
    "log10p1": lambda x: np.expm1(np.minimum(x * np.float32(np.log(10)), 80)),
}
# From linear values to each scale.
FORWARD: dict[str, Transformation] = {
    "counts": np.asarray,
    "cp10k": np.asarray,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "log2p1": lambda x: np.log1p(x) / np.float32(np.log(2)),
    "log10p1": lambda x: np.log1p(x) / np.float32(np.log(10)),
}
# In the order of `scale_evidence`. Linear first, as squares of counts are integers too.
_CANDIDATES = ("cp10k", "log1p", "sqrt", "log2p1", "log10p1")
# The largest value that each transformation gives.
_LARGEST = np.array([LARGEST, np.log(LARGEST), np.sqrt(LARGEST), np.log2(LARGEST), np.log10(LARGEST)])

_FEWEST_CELLS = 3  # a group of cells on a scale of its own has at least these, and this fraction of all
_SMALLEST_GROUP = 0.002


@dataclass(frozen=True, eq=False)
class InferredScale:
    """The scale of a matrix, or of each of its cells.

    Attributes
    ----------
    name : str
        As `detect_scale` calls it; that of most cells if they differ.
    is_certain : bool
        False if the scale is only a guess from the range of the values.
    names : tuple of str
        The scales of the cells; one unless parts of the matrix must be inverted differently.
    of_cell : ndarray of int, shape (B,), or None
        Index into `names`; None if there is one.
    n_guessed : int
        Cells for which it is a guess, beside others for which it is certain.
    """

    name: str
    is_certain: bool
    names: tuple[str, ...]
    of_cell: np.ndarray | None = None
    n_guessed: int = 0

    @classmethod
    def single(cls, name: str, is_certain: bool) -> InferredScale:
        return cls(name, is_certain, (name,))

    @property
    def is_mixed(self) -> bool:
        return self.of_cell is not None

    def __str__(self) -> str:
        """Return what messages call it: ``2 cells of raw counts and 3 cells of square roots``."""
        if self.of_cell is None:
            return SCALE_NAMES[self.name]
        numbers = np.bincount(self.of_cell, minlength=len(self.names))
        parts = [f"{n:,} {SCALE_NAMES[name]}" for n, name in zip(numbers, self.names, strict=True)]
        first, *others = (part.replace(" ", " cells of ", 1) for part in parts)
        return " and ".join([first, *others])


def detect_scale(X: Any) -> str:
    """Return the scale of a matrix, inferred from all its stored values.

    Counts leave a trace in whatever is computed from them: after the right inverse transformation, the values
    of each cell, divided by its smallest, are integers again where they are small. With a wrong inverse about
    10 % (at most 30 %) are, by chance. For values that do not come from counts (TPM), the right inverse gives
    every cell the same total. Failing that, the range decides: no logarithm of expression is above 25.

    Parameters
    ----------
    X : sparse matrix, array or DataFrame, shape (B, N)

    Returns
    -------
    str
        "counts" for non-negative integers; "cp10k" for other linear values (CP10k, CPM, TPM, estimated
        counts); "log1p", "log2p1" (log2(x + 1)), "log10p1" or "sqrt" of either; "scaled" if there are
        negative values. If parts of the cells are on different scales, that of most cells.

    Raises
    ------
    ArgumentError
        If X is not two-dimensional or not numeric.
    """
    return infer_scale(to_csr(X)).name


def check_scale(scale: str | None) -> None:
    """Refuse a scale that is not one of `SCALES`."""
    if scale is not None and scale not in SCALES:
        text = f" is not supported; choose one of {', '.join(map(repr, SCALES))}, or leave it out."
        raise ArgumentError("scale", Argument("scale", scale), text)


def exceeds(X: sparse.csr_matrix, scale: str) -> bool:
    """Return whether values are too large for a scale."""
    name = "cp10k" if scale in LINEAR else scale
    return bool(X.nnz and X.data.max() > _LARGEST[_CANDIDATES.index(name)])


def map_values(
    X: sparse.csr_matrix, scale: InferredScale, maps: dict[str, Transformation] = INVERSE
) -> np.ndarray:
    """Return the stored values on the linear scale, or with `FORWARD` on the given one again."""
    if scale.of_cell is None:
        return maps[scale.name](X.data)
    rows = np.repeat(scale.of_cell, np.diff(X.indptr))
    values = X.data.copy()
    for index, name in enumerate(scale.names):
        part = rows == index
        values[part] = maps[name](X.data[part])
    return values


def infer_scale(X: sparse.csr_matrix) -> InferredScale:
    """Return the scale of each cell, and whether the evidence goes beyond the range of the values."""
    if not X.nnz:
        return InferredScale.single("counts", False)
    if X.data.min() < 0:
        return InferredScale.single("scaled", True)
    if all(np.array_equal(values, np.rint(values)) for values, _ in stored_values(X)):
        return InferredScale.single("counts", bool(np.count_nonzero(X.data > 1) >= 8))
    evidence = collect_evidence(X, [INVERSE[name] for name in _CANDIDATES], _LARGEST)
    sure = evidence.sure_candidates()
    groups = np.bincount(sure[sure >= 0], minlength=len(_CANDIDATES))
    groups[groups < max(_FEWEST_CELLS, _SMALLEST_GROUP * X.shape[0])] = 0
    groups[LINEAR_FAMILY] = max(groups[LINEAR_FAMILY], np.count_nonzero(evidence.is_only_linear))
    return _cell_by_cell(evidence, sure, groups) if groups.any() else _uniform(X, evidence)


def _cell_by_cell(evidence: Evidence, sure: np.ndarray, groups: np.ndarray) -> InferredScale:
    chosen, is_guess = evidence.assign(sure, groups, FEW_CELLS)
    n_guessed = int(np.count_nonzero(is_guess))
    found = np.flatnonzero(np.bincount(chosen, minlength=len(_CANDIDATES)))
    if len(found) == 1:
        name = _CANDIDATES[found[0]]
        return InferredScale(name, True, (name,), n_guessed=n_guessed)
    linear = evidence.is_whole[chosen == LINEAR_FAMILY]
    names = tuple("counts" if c == LINEAR_FAMILY and linear.all() else _CANDIDATES[c] for c in found)
    of_cell = np.searchsorted(found, chosen)
    return InferredScale(names[int(np.bincount(of_cell).argmax())], True, names, of_cell, n_guessed)


def _uniform(X: sparse.csr_matrix, evidence: Evidence) -> InferredScale:
    best = evidence.best_lattice(FEW_CELLS, ~evidence.is_whole)
    if best is None:
        best = evidence.best_total()
    if best is not None:
        return InferredScale.single(_CANDIDATES[best], True)
    largest = X.data.max()
    if largest > _LARGEST[1:].max():  # neither a logarithm nor a root
        return InferredScale.single("cp10k", True)
    return InferredScale.single(_guess(X, evidence, float(largest)), False)


def _guess(X: sparse.csr_matrix, evidence: Evidence, largest: float) -> str:
    if largest > _LARGEST[_CANDIDATES.index("log2p1")]:
        return "cp10k"
    if largest > _LARGEST[_CANDIDATES.index("log1p")]:
        return "log2p1"
    fractional = np.repeat(~evidence.is_whole, np.diff(X.indptr))
    typical = np.median(X.data[fractional])
    return "cp10k" if largest > 12 * typical else "log1p"  # logarithms are less skewed
