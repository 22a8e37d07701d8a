"""From a fitted model, and cells that were read, to what `gene_gcn.explain` works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from gene_gcn.cells import is_missing, to_same_kind
from gene_gcn.errors import Argument, ArgumentError, first_few
from gene_gcn.estimators.base import Query
from gene_gcn.estimators.fitted import GradientModel, LinearModel
from gene_gcn.explain import CellGroup, Explanation, GradientExplanation, IntegratedGradients, LinearLogits
from gene_gcn.explain.checks import position_of
from gene_gcn.explain.integrated_gradients import N_STEPS
from gene_gcn.networks import GeneNetwork

__all__ = [
    "N_STEPS",
    "ExplainedTypes",
    "explain_by_gradients",
    "explain_query",
    "integrated_gradients",
    "linear_logits",
    "positions_of_labels",
]


def linear_logits(model: LinearModel) -> LinearLogits:
    """Return the logits of a model, without imputation."""
    weight, bias = (part.numpy().astype(np.float64) for part in (model.head.weight, model.head.bias))
    adjacency = sparse.csr_matrix((len(weight), len(weight)))
    if model.graph is not None and model.head.network_weight:
        adj_t = model.graph.adj_t
        parts = (adj_t.values(), adj_t.col_indices(), adj_t.crow_indices())
        adjacency = sparse.csr_matrix(tuple(part.numpy() for part in parts), adj_t.shape, dtype=np.float64)
        adjacency *= model.head.network_weight
    return LinearLogits(weight, bias, adjacency)


@dataclass(frozen=True)
class ExplainedTypes:
    """Which types are explained, and against which.

    Attributes
    ----------
    classes : list, of length K
        All types of the model.
    chosen : list of int
        Positions of the explained ones.
    against : int or None
        Position of the type whose logit is subtracted.
    """

    classes: list[Any]
    chosen: list[int]
    against: int | None

    @property
    def labels(self) -> list[Any]:
        """The explained types."""
        return [self.classes[index] for index in self.chosen]

    @property
    def other(self) -> Any:
        """The type whose logit is subtracted, or None."""
        return None if self.against is None else self.classes[self.against]

    def contrast(self) -> np.ndarray:
        """Return the weights of all types' logits in each of the explained ones, (K, explained)."""
        matrix = np.eye(len(self.classes))[:, self.chosen]
        if self.against is not None:
            matrix[self.against] -= 1
        return matrix

    @classmethod
    def of(cls, classes: list[Any], types: Any, against: Any) -> ExplainedTypes:
        """Find types, which may be one or several or None for all.

        Raises
        ------
        ArgumentError
            `types` and `against` are not different types of the model.
        """
        other = None if against is None else position_of(against, classes, "against")
        if types is None:
            return cls(classes, [index for index in range(len(classes)) if index != other], other)
        if isinstance(types, (str, int, float, np.generic)):
            types = [types]
        chosen = list(dict.fromkeys(position_of(label, classes, "types") for label in types))
        if not chosen:
            raise ArgumentError("types", Argument("types", types), " is empty; leave it out to explain all.")
        if other in chosen:
            problem = " is also among types; compare a type with another one."
            raise ArgumentError("against", Argument("against", against), problem)
        return cls(classes, chosen, other)


def positions_of_labels(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the position of each label among the types of a model, −1 for missing ones.

    Raises
    ------
    ArgumentError
        A label is none of the types.
    """
    positions = np.full(len(labels), -1)
    is_labeled = ~is_missing(labels)
    given, known = to_same_kind(labels[is_labeled], classes)
    found = pd.Index(known).get_indexer(pd.Index(given))
    if (found < 0).any():
        unknown, count = np.unique(given[found < 0], return_counts=True)
        names, ours = first_few(unknown.tolist()), first_few(known.tolist())
        problem = f"y has {count.sum():,} cells of types that the model does not know ({names}); "
        raise ArgumentError("y", f"{problem}name them as it does ({ours}), or leave their labels empty.")
    positions[is_labeled] = found
    return positions


def explain_query(
    query: Query,
    model: LinearModel,
    types: ExplainedTypes,
    gene_names: Sequence[str],
    gene_column: str | None = None,
    network: GeneNetwork | None = None,
) -> Explanation:
    """Explain the logits of a linear model; see `GeneGCNClassifier.explain`.

    Parameters
    ----------
    query : Query
    model : LinearModel
    types : ExplainedTypes
    gene_names : sequence of str, shape (N,)
    gene_column : str, optional
        Of an AnnData, as in `Explanation`.
    network : GeneNetwork, optional
        As in `Explanation`.

    Raises
    ------
    ArgumentError
        There are no cells, or the head is refitted to genes that differ between them.
    """
    _check_cells(query)
    if model.refit is not None and not query.panels.present.all():
        if len(query.panels.present) > 1:
            problem = "The cells of X were measured in different genes, for which the model has other heads; "
            raise ArgumentError("X", f"{problem}explain the cells of each panel on their own.")
        model = model.for_genes(torch.from_numpy(query.measured))
    logits = linear_logits(model).select(types.chosen, types.against)
    return Explanation(
        query.matrix,
        logits,
        [_group(model, logits, cells, measured) for cells, measured in query.panels],
        gene_names,
        types.labels,
        types.other,
        gene_column,
        network,
        all_types=len(types.chosen) == len(types.classes),
    )


def integrated_gradients(model: GradientModel, n_steps: int, device: str) -> IntegratedGradients:
    """Return what integrates the gradients of a model."""
    return IntegratedGradients(model.model, model.graph, model.imputer, model.mean, n_steps, device)


def explain_by_gradients(
    query: Query,
    gradients: IntegratedGradients,
    types: ExplainedTypes,
    gene_names: Sequence[str],
    gene_column: str | None = None,
) -> GradientExplanation:
    """Explain the logits of a model trained by gradients; the arguments are those of `explain_query`."""
    _check_cells(query)
    panels = list(query.panels)
    return GradientExplanation(
        query.matrix,
        gradients,
        types.contrast(),
        panels,
        gene_names,
        types.labels,
        types.other,
        gene_column,
    )


def _check_cells(query: Query) -> None:
    if not query.matrix.shape[0]:
        raise ArgumentError("X", "X contains no cells to explain; pass at least one.")


def _group(model: LinearModel, logits: LinearLogits, cells: np.ndarray, measured: np.ndarray) -> CellGroup:
    """Prepare for cells (positions) in which some genes, a mask (N,), were measured."""
    missing = ~measured
    through_edges = logits.adjacency.T @ (logits.weight * missing[:, None])
    if model.imputer is None:
        profiles = model.reference.profiles
        mean = profiles.counts @ profiles.mean.astype(np.float64) / profiles.counts.sum()
        return CellGroup(cells, measured, mean * measured, through_edges * measured[:, None])
    baseline = model.imputer.mean.numpy().astype(np.float64)
    if missing.any():
        weight = torch.from_numpy((logits.folded() * missing[:, None]).astype(np.float32))
        through_edges += model.imputer.fold(weight, torch.from_numpy(measured))[0].numpy()
    return CellGroup(cells, measured, baseline, through_edges * measured[:, None])
