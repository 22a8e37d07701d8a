"""From a fitted linear model, and cells that were read, to what `gene_gcn.explain` works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy import sparse

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.estimators.base import Query
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.explain import CellGroup, Explanation, LinearLogits
from gene_gcn.explain.checks import position_of

__all__ = ["explain_query", "linear_logits"]


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


def explain_query(
    query: Query,
    model: LinearModel,
    classes: np.ndarray,
    gene_names: Sequence[str],
    *,
    types: Any = None,
    against: Any = None,
    gene_column: str | None = None,
) -> Explanation:
    """Explain the logits of cells; see `GeneGCNClassifier.explain`.

    Parameters
    ----------
    query : Query
    model : LinearModel
    classes : ndarray, shape (K,)
    gene_names : sequence of str, shape (N,)
    types : sequence or one of `classes`, optional
    against : one of `classes`, optional
    gene_column : str, optional

    Raises
    ------
    ArgumentError
        There are no cells, or `types` and `against` are not different types of the model.
    """
    if not query.matrix.shape[0]:
        raise ArgumentError("X", "X contains no cells to explain; pass at least one.")
    known = classes.tolist()
    other = None if against is None else position_of(against, known, "against")
    chosen = _positions(types, known, other)
    logits = linear_logits(model).select(chosen, other)
    groups = [_group(model, logits, cells, measured) for cells, measured in query.panels]
    names = [known[index] for index in chosen]
    return Explanation(
        query.matrix, logits, groups, gene_names, names, None if other is None else known[other], gene_column
    )


def _positions(types: Any, known: list[Any], against: int | None) -> list[int]:
    if types is None:
        return [index for index in range(len(known)) if index != against]
    if isinstance(types, (str, int, float, np.generic)):
        types = [types]
    chosen = list(dict.fromkeys(position_of(label, known, "types") for label in types))
    if not chosen:
        raise ArgumentError("types", Argument("types", types), " is empty; leave it out to explain all.")
    if against in chosen:
        problem = " is also among types; compare a type with another one."
        raise ArgumentError("against", Argument("against", known[against]), problem)
    return chosen


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
