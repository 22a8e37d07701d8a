"""Why: markers of types, what spoke for them in these cells, and their genes in the network."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn.errors import GeneGCNWarning
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.explain.markers import OTHERS
from gene_gcn.plots.types import as_types
from gene_gcn.report.cells_read import Sample

if TYPE_CHECKING:
    import networkx as nx

    from gene_gcn import GeneGCNClassifier
    from gene_gcn.explain import Explanation

MARKERS, AGAINST_NEAREST, IN_CELLS = 8, 5, 5  # genes of a type that are listed
NETWORK_GENES = 12  # and as many edges, in the picture of a type
MOST_GRAPHS = 8  # pictures of types, those with the most cells
FEWEST_CELLS = 5  # of a type, for means over its cells


@dataclass(frozen=True)
class TypeReasons:
    """Genes of a type, the best first.

    Attributes
    ----------
    name : str
    markers : tuple of str
        What sets it apart from the mean of all other types.
    nearest : str
        The type that the model is most likely to take it for.
    against_nearest : tuple of str
    in_cells : tuple of str
        What spoke most for the type in these cells, with "↓" after genes that they express less than the mean
        training cell; empty if fewer than five of the sample have the type.
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
        Of `GeneGCNClassifier.explain_types`.
    types : tuple of TypeReasons
    graphs : tuple of (str, DiGraph)
        Genes that contribute most in the cells of a type, and edges between them; only with a network.
    """

    table: pd.DataFrame
    types: tuple[TypeReasons, ...]
    graphs: tuple[tuple[str, nx.DiGraph], ...]

    @classmethod
    def of(cls, clf: GeneGCNClassifier, sample: Sample, key: str) -> Reasons | None:
        """Explain; None for models that cannot be explained."""
        if not isinstance(clf.fitted_, LinearModel):
            return None
        with warnings.catch_warnings(action="ignore", category=GeneGCNWarning):  # told already
            explanation = clf.explain(sample.adata)
        table = clf.explain_types(top=MARKERS)
        labels = as_types(sample.adata.obs[key])
        positions: dict[Any, np.ndarray] = {
            label: np.flatnonzero(labels == str(label)) for label in clf.classes_.tolist()
        }
        enough = {label: cells for label, cells in positions.items() if len(cells) >= FEWEST_CELLS}
        in_cells = {label: _spoke_for(explanation, label, cells) for label, cells in enough.items()}
        graphs = []
        if clf.fitted_.head.network_weight:
            largest = sorted(enough, key=lambda label: -len(enough[label]))[:MOST_GRAPHS]
            for label in largest:
                graph = explanation.to_networkx(label, NETWORK_GENES, cells=enough[label])
                if graph.number_of_edges():
                    graphs.append((str(label), graph))
        return cls(
            table,
            tuple(_reasons(table, label, in_cells.get(label, ())) for label in positions),
            tuple(graphs),
        )


def _spoke_for(explanation: Explanation, label: Any, cells: np.ndarray) -> tuple[str, ...]:
    genes = explanation.genes(label, IN_CELLS, cells=cells)
    mean = np.asarray(explanation.X[cells].mean(axis=0)).ravel()
    is_low = dict(zip(explanation.gene_names, mean < explanation.groups[0].baseline, strict=True))
    return tuple(gene + "↓" * bool(is_low[gene]) for gene in genes.loc[genes["total"] > 0, "gene"])


def _reasons(table: pd.DataFrame, label: Any, in_cells: tuple[str, ...]) -> TypeReasons:
    own = table[table["type"] == label]
    others, nearest = own[own["against"] == OTHERS], own[own["against"] != OTHERS]
    return TypeReasons(
        name=str(label),
        markers=tuple(others["gene"]),
        nearest=str(nearest["against"].iloc[0]) if len(nearest) else "",
        against_nearest=tuple(nearest["gene"][:AGAINST_NEAREST]),
        in_cells=in_cells,
    )
