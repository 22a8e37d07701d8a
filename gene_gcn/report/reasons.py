"""Why: markers of types, in the training cells and in these, and the genes that suffice to tell a type."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from gene_gcn.errors import ArgumentError, GeneGCNWarning
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.explain import Explanation
from gene_gcn.explain.markers import OTHERS
from gene_gcn.plots.types import as_types
from gene_gcn.report.cells_read import Sample

if TYPE_CHECKING:
    from gene_gcn import GeneGCNClassifier
    from gene_gcn.explain import Subnetwork

MARKERS, AGAINST_NEAREST = 8, 5  # genes of a type that are listed
STABLE = 0.8  # fraction of bootstrap samples in which a marker of these cells is among the first eight
KEEP = 0.95  # the default of `Explanation.subnetwork`


@dataclass(frozen=True)
class TypeReasons:
    """Genes of a type, the best first.

    Attributes
    ----------
    name : str
    markers : tuple of str
        What sets its mean training cell apart from the mean of all other types.
    nearest : str
        The type that the model is most likely to take it for.
    against_nearest : tuple of str
    in_cells : tuple of str
        Stable markers of the type in these cells.
    """

    name: str
    markers: tuple[str, ...]
    nearest: str
    against_nearest: tuple[str, ...]
    in_cells: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Reasons:
    """Why the cells got their types.

    Attributes
    ----------
    table : DataFrame
        Markers in the training cells, of `GeneGCNClassifier.explain_types`.
    types : tuple of TypeReasons
    subnetworks : tuple of Subnetwork
        Of the types with most cells; only if the model has a network.
    """

    table: pd.DataFrame
    types: tuple[TypeReasons, ...]
    subnetworks: tuple[Subnetwork, ...]

    @classmethod
    def of(cls, clf: GeneGCNClassifier, sample: Sample, key: str, n_subnetworks: int) -> Reasons | None:
        """Explain; None for models that cannot be explained."""
        if not isinstance(clf.fitted_, LinearModel):
            return None
        labels = as_types(sample.adata.obs[key])
        names = {str(label): label for label in clf.classes_.tolist()}
        types = pd.Series([names.get(label) for label in labels], dtype=object)
        table = clf.explain_types(top=MARKERS)
        with warnings.catch_warnings(action="ignore", category=GeneGCNWarning):  # of reading, told already
            found = None
            if types.nunique() > 1:
                found = clf.explain_types(sample.adata, types.to_numpy(), top=MARKERS)
            largest = types.value_counts().index[:n_subnetworks] if clf.network_ is not None else []
            subnetworks = []
            if len(largest):
                explanation = clf.explain(sample.adata)
                assert isinstance(explanation, Explanation)  # the fit is exact
                subnetworks = [_subnetwork(explanation, label) for label in largest]
        return cls(
            table,
            tuple(_reasons(label, table, found) for label in names.values()),
            tuple(one for one in subnetworks if one is not None),
        )


def _subnetwork(explanation: Explanation, label: Any) -> Subnetwork | None:
    """Return None if the model gives no cell the type before the shift is removed, or has no edge."""
    try:
        return explanation.subnetwork(label, keep=KEEP, n_permutations=0)
    except ArgumentError:
        return None


def _reasons(label: Any, table: pd.DataFrame, found: pd.DataFrame | None) -> TypeReasons:
    own = table[table["type"] == label]
    others, nearest = own[own["against"] == OTHERS], own[own["against"] != OTHERS]
    in_cells: tuple[str, ...] = ()
    if found is not None:
        is_stable = (found["stability"] >= STABLE) & (found["against"] == OTHERS)
        in_cells = tuple(found["gene"][is_stable & (found["type"] == label)])
    return TypeReasons(
        name=str(label),
        markers=tuple(others["gene"]),
        nearest=str(nearest["against"].iloc[0]) if len(nearest) else "",
        against_nearest=tuple(nearest["gene"][:AGAINST_NEAREST]),
        in_cells=in_cells,
    )
