"""Several references as one: each is read on its own scale, and all are joined on the genes they share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells.expression import Expression, is_anndata
from gene_gcn.cells.matrix import move_columns, with_data
from gene_gcn.cells.normalizer import SMALLEST_OVERLAP
from gene_gcn.cells.scale import InferredScale, map_values
from gene_gcn.errors import ArgumentError, LabelWarning, MissingGenesWarning, first_few, warn
from gene_gcn.genes.names import match_names

__all__ = ["are_references", "join_references", "shared_columns", "warn_of_unshared_types"]


def are_references(X: Any) -> TypeGuard[Sequence[Any]]:
    """Return whether X is a list of references (AnnData, DataFrames or paths), not one matrix."""
    kinds = (str, os.PathLike, pd.DataFrame)
    return (
        isinstance(X, list | tuple)
        and len(X) > 0
        and all(is_anndata(part) or isinstance(part, kinds) for part in X)
    )


def join_references(parts: Sequence[Expression]) -> Expression:
    """Join cells of several references on the genes that all of them have, in the order of the first one.

    Parameters
    ----------
    parts : sequence of Expression
        With gene names. If their scales are stated and differ, all are brought to linear values.

    Returns
    -------
    Expression
        The cells of the first reference first. MissingGenesWarning says how many genes are left out.

    Raises
    ------
    ArgumentError
        If a reference has no gene names, or if they share less than 1 % of the genes of the smallest one.
    """
    named = [part.genes for part in parts]
    genes, found = shared_columns(named)
    scales = {part.stated_scale for part in parts}
    scale = scales.pop() if len(scales) == 1 else "cp10k"
    matrices = [
        move_columns(part.X if part.stated_scale == scale else _to_linear(part), columns, len(genes))
        for part, columns in zip(parts, found, strict=True)
    ]
    return Expression(
        sparse.vstack(matrices, "csr"),
        genes,
        origin=[part.origin for part in parts],
        stated_scale=scale,
    )


def shared_columns(
    named: Sequence[tuple[str, ...] | None],
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Find the genes that all references have.

    Parameters
    ----------
    named : sequence of tuple of str
        Names of the genes of each reference.

    Returns
    -------
    genes : tuple of str, shape (N,)
        In the order of the first reference. MissingGenesWarning says how many genes are left out.
    columns : list of ndarray of int
        Position among them of each gene of a reference, −1 for those left out.

    Raises
    ------
    ArgumentError
        If a reference has no gene names, or if they share less than 1 % of the genes of the smallest one.
    """
    if any(names is None for names in named):
        raise ArgumentError("X", "Several references need names of genes; pass AnnData or DataFrames.")
    names = [own for own in named if own is not None]
    genes = names[0]
    found = [match_names(genes, other) for other in names]
    shared = np.logical_and.reduce([np.isin(np.arange(len(genes)), position) for position in found])
    sizes = [len(other) for other in names]
    if shared.sum() < max(1, SMALLEST_OVERLAP * min(sizes)):
        examples = "; ".join(first_few(other) for other in names)
        problem = f"The references share only {shared.sum():,} genes ({examples})"
        raise ArgumentError("X", f"{problem}; convert them to the same kind of gene names.")
    if shared.sum() < max(sizes):
        have = f"{', '.join(f'{size:,}' for size in sizes[:-1])} and {sizes[-1]:,}"
        what = f"The references share {shared.sum():,} of their {have} genes"
        warn(MissingGenesWarning(f"{what}; only these are used."))
    columns = np.where(shared, np.cumsum(shared) - 1, -1)
    positions = [np.where(position >= 0, columns[position], -1) for position in found]
    return tuple(np.array(genes, dtype=object)[shared]), positions


def _to_linear(part: Expression) -> sparse.csr_matrix:
    return with_data(part.X, map_values(part.X, InferredScale.single(part.scale, True)))


def warn_of_unshared_types(labels: Sequence[np.ndarray]) -> None:
    """Put the types that only some references have side by side, as some may be one type with two names.

    Parameters
    ----------
    labels : sequence of ndarray
        Those of each reference, without missing ones.
    """
    types = [set(map(str, np.unique(part))) for part in labels]
    common = set.intersection(*types)
    own = [
        f"reference {number} has {first_few([repr(name) for name in sorted(names - common)])}"
        for number, names in enumerate(types, 1)
        if names - common
    ]
    if own:
        known = f"Only {len(common):,} of {len(set.union(*types)):,} types are in all references"
        remedy = "If some of these are the same type, give them one name."
        warn(LabelWarning(f"{known}; of the others, {', '.join(own)}. {remedy}"))
