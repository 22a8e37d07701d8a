"""Several references as one: each is read on its own scale, and all are joined on the genes they share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.cells.expression import Expression, first_few, is_anndata
from gene_gcn.cells.matrix import move_columns
from gene_gcn.cells.normalizer import SMALLEST_OVERLAP, to_linear
from gene_gcn.errors import ArgumentError, LabelWarning, MissingGenesWarning, warn
from gene_gcn.genes.names import match_names

__all__ = ["are_references", "join_references", "warn_of_own_types"]


def are_references(X: Any) -> TypeGuard[Sequence[Any]]:
    """Return whether X is a list of references (AnnData, DataFrames or paths), not one matrix."""
    kinds = (str, os.PathLike, pd.DataFrame)
    return (
        isinstance(X, list | tuple)
        and len(X) > 0
        and all(is_anndata(part) or isinstance(part, kinds) for part in X)
    )


def join_references(parts: Sequence[Expression], *, linear: bool) -> Expression:
    """Join cells of several references on the genes that all of them have, in the order of the first one.

    Parameters
    ----------
    parts : sequence of Expression
        With gene names.
    linear : bool
        Bring each from its own scale to linear values; otherwise, values stay as they are.

    Returns
    -------
    Expression
        The cells of the first reference first. MissingGenesWarning says how many genes are left out.

    Raises
    ------
    ArgumentError
        If a reference has no gene names, or if they share less than 1 % of the genes of the smallest one.
    """
    named = [part.genes for part in parts if part.genes is not None]
    if len(named) < len(parts):
        raise ArgumentError("X", "Several references need names of genes; pass AnnData or DataFrames.")
    genes = named[0]
    found = [match_names(genes, other) for other in named]
    shared = np.logical_and.reduce([np.isin(np.arange(len(genes)), position) for position in found])
    sizes = [len(other) for other in named]
    if shared.sum() < max(1, SMALLEST_OVERLAP * min(sizes)):
        examples = "; ".join(first_few(other) for other in named)
        problem = f"The references share {shared.sum():,} genes ({examples})"
        raise ArgumentError("X", f"{problem}; give all the same kind of gene names.")
    if shared.sum() < max(sizes):
        have = " and ".join(f"{size:,}" for size in sizes)
        warn(
            MissingGenesWarning(
                f"The references share {shared.sum():,} of their {have} genes; only these are used."
            )
        )
    parts = [to_linear(part) for part in parts] if linear else parts
    columns = np.where(shared, np.cumsum(shared) - 1, -1)
    width = int(shared.sum())
    matrices = [
        move_columns(part.X, np.where(position >= 0, columns[position], -1), width)
        for part, position in zip(parts, found, strict=True)
    ]
    scales = {part.scale for part in parts} if linear else set()
    return Expression(
        sparse.vstack(matrices, "csr"),
        tuple(np.array(genes, dtype=object)[shared]),
        origin=[part.origin for part in parts],
        stated_scale=None if not linear else "counts" if scales == {"counts"} else "cp10k",
    )


def warn_of_own_types(labels: Sequence[np.ndarray]) -> None:
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
        known = f"{len(common):,} of {len(set.union(*types)):,} types are in all references"
        warn(LabelWarning(f"{known}; of the others, {', '.join(own)}. Rename those that are the same."))
