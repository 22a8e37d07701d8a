"""What was named, and how surely: the types that `annotate` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from gene_gcn.estimators.annotation import UNKNOWN, UNKNOWN_BELOW
from gene_gcn.plots.types import NO_TYPE, as_types

if TYPE_CHECKING:
    from anndata import AnnData

LOW_CONFIDENCE = 0.5  # below it, the other types together are more probable than the one that was chosen
CLEAR_SECOND = 0.05  # mean probability from which on a second type is told


@dataclass(frozen=True)
class TypeFound:
    """A type, "unknown" or "unassigned", and its cells.

    Attributes
    ----------
    name : str
    cells : int
    fraction : float
    confidence : float
        Mean probability of the type.
    low : float
        Fraction of its cells with a confidence below 0.5.
    second : str
        The type with the second-largest mean probability; "" if that is below 0.05.
    second_probability : float
    single_sets : float or None
        Fraction of its cells whose set has one type.
    set_size : float or None
        Mean number of types in the sets.
    """

    name: str
    cells: int
    fraction: float
    confidence: float
    low: float
    second: str
    second_probability: float
    single_sets: float | None
    set_size: float | None

    @property
    def is_type(self) -> bool:
        return self.name not in NO_TYPE


@dataclass(frozen=True)
class TypesFound:
    """What `annotate` wrote.

    Attributes
    ----------
    types : tuple of TypeFound
        The largest first, "unknown" and "unassigned" last.
    confidence, low : float
        Mean over the cells, and the fraction below 0.5.
    n_unknown : int or None
        None if it was not asked which cells are of none of the types.
    unknown_below : float
        The p-value of novelty below which cells are unknown.
    resembled : tuple of (str, int)
        The types most probable for unknown cells, and for how many.
    n_unassigned : int
    alpha : float or None
        Of the sets, if it is known.
    has_sets : bool
    shift : float or None
    shift_is_removed : bool
    shift_reason : str
        Why it was not.
    """

    types: tuple[TypeFound, ...]
    confidence: float
    low: float
    n_unknown: int | None
    unknown_below: float
    resembled: tuple[tuple[str, int], ...]
    n_unassigned: int
    alpha: float | None
    has_sets: bool
    shift: float | None
    shift_is_removed: bool
    shift_reason: str

    @property
    def named(self) -> list[TypeFound]:
        """The types, without "unknown" and "unassigned"."""
        return [found for found in self.types if found.is_type]

    @classmethod
    def of(cls, adata: AnnData, key: str) -> TypesFound:
        """Summarize annotated cells."""
        made: dict[str, Any] = adata.uns[key]
        labels = as_types(adata.obs[key])
        confidence = adata.obs[f"{key}_confidence"].to_numpy(float)
        probability = adata.obsm[f"{key}_proba"].to_numpy()
        sets = adata.obsm[f"{key}_set"].to_numpy() if f"{key}_set" in adata.obsm else None
        types = _summaries(labels, confidence, probability, sets, [str(name) for name in made["types"]])
        count = {found.name: found.cells for found in types}
        asked = f"{key}_novelty" in adata.obs
        best = np.array(made["types"], dtype=object)[probability[labels == UNKNOWN].argmax(1)]
        resembled = sorted(zip(*np.unique(best.astype(str), return_counts=True), strict=True), key=_by_count)
        return cls(
            types=tuple(types),
            confidence=float(confidence.mean()) if len(confidence) else 0.0,
            low=float((confidence < LOW_CONFIDENCE).mean()) if len(confidence) else 0.0,
            n_unknown=count.get(UNKNOWN, 0) if asked else None,
            unknown_below=UNKNOWN_BELOW,
            resembled=tuple((str(name), int(cells)) for name, cells in resembled[:5]),
            n_unassigned=count.get(NO_TYPE[1], 0),
            alpha=float(made["alpha"]) if "alpha" in made else None,
            has_sets=sets is not None,
            shift=float(made["shift"]) if "shift" in made else None,
            shift_is_removed=bool(made.get("shift_removed", False)),
            shift_reason=str(made.get("shift_kept_because", "")),
        )


def _by_count(pair: tuple[str, int]) -> tuple[int, str]:
    return -pair[1], pair[0]


def _summaries(
    labels: np.ndarray,
    confidence: np.ndarray,
    probability: np.ndarray,
    sets: np.ndarray | None,
    types: list[str],
) -> list[TypeFound]:
    names, of_cell, cells = np.unique(labels.astype(str), return_inverse=True, return_counts=True)
    n = len(labels)
    member = sparse.csr_matrix((np.ones(n), (of_cell, np.arange(n))), shape=(len(names), n))
    means = [
        np.asarray(member @ values) / cells.reshape(-1, *[1] * (values.ndim - 1))
        for values in (
            confidence,
            (confidence < LOW_CONFIDENCE).astype(float),
            probability.astype(float),
            np.zeros(n) if sets is None else (sets.sum(1) == 1).astype(float),
            np.zeros(n) if sets is None else sets.sum(1).astype(float),
        )
    ]
    found = []
    for index, name in enumerate(names.tolist()):
        mean = means[2][index]
        others = np.where(np.array(types) == name, -1.0, mean) if name not in NO_TYPE else mean
        best = int(others.argmax())
        is_clear = others[best] >= CLEAR_SECOND
        found.append(
            TypeFound(
                name=name,
                cells=int(cells[index]),
                fraction=float(cells[index] / n),
                confidence=float(means[0][index]),
                low=float(means[1][index]),
                second=types[best] if is_clear else "",
                second_probability=float(others[best]) if is_clear else 0.0,
                single_sets=None if sets is None else float(means[3][index]),
                set_size=None if sets is None else float(means[4][index]),
            )
        )
    return sorted(found, key=lambda one: (not one.is_type, -one.cells, one.name))
