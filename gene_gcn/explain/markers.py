"""Markers of types: the genes by which a linear model tells a type from the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gene_gcn.explain.checks import check_top
from gene_gcn.explain.linear_logits import LinearLogits

__all__ = ["OTHERS", "type_markers"]

OTHERS = "others"


def type_markers(
    logits: LinearLogits,
    mean: np.ndarray,
    gene_names: Sequence[str],
    types: Sequence[Any],
    top: int = 20,
) -> pd.DataFrame:
    """Return the genes that set the mean cell of each type apart from the others, and from its nearest type.

    The nearest type is the one to which the model gives the second-largest logit for the mean cell.

    Parameters
    ----------
    logits : LinearLogits
        Of K types, two or more.
    mean : ndarray, shape (K, N)
        Mean normalized expression of the types.
    gene_names : sequence of str, shape (N,)
    types : sequence, shape (K,)
    top : int
        Number of genes, at most, for each type and comparison.

    Returns
    -------
    DataFrame
        "type"; "gene"; "contribution", what the gene adds to the difference of the logits; "mean_in_type" and
        "mean_in_others", mean normalized expression in the type and in those it is compared with; "against",
        the nearest type, or "others" for the mean of all others. Only genes with a higher mean in the type
        that add to its logit.

    Raises
    ------
    ArgumentError
        `top` is not a positive number.
    """
    check_top(top)
    mean = np.asarray(mean, np.float64)
    names = np.asarray(gene_names, dtype=object)
    by_type = logits.of(mean)
    np.fill_diagonal(by_type, -np.inf)
    tables = []
    for k, label in enumerate(types):
        others = np.arange(len(types)) != k
        nearest = int(by_type[k].argmax())
        for against, compared in ((OTHERS, others), (types[nearest], np.arange(len(types)) == nearest)):
            rest = mean[compared].mean(axis=0)
            weight = logits.weight[:, k] - logits.weight[:, compared].mean(axis=1)
            difference = mean[k] - rest
            contribution = (difference + logits.adjacency @ difference) * weight
            order = np.argsort(-contribution, kind="stable")
            order = order[(difference[order] > 0) & (contribution[order] > 0)][:top]
            columns = {
                "type": label,
                "gene": names[order],
                "contribution": contribution[order],
                "mean_in_type": mean[k, order],
                "mean_in_others": rest[order],
                "against": against,
            }
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)
