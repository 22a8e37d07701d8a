"""With whom cells agreed: the consensus over clusters or neighbors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn.plots.types import as_types

if TYPE_CHECKING:
    from anndata import AnnData

MOST_CLUSTERS = 15


@dataclass(frozen=True)
class Cluster:
    """A cluster: its most frequent type, what fraction of its cells has it now and had it alone."""

    name: str
    cells: int
    type: str
    share: float
    share_before: float
    entropy: float
    heterogeneous: bool


@dataclass(frozen=True, eq=False)
class Agreement:
    """What the consensus of `annotate(over=…)` did.

    Attributes
    ----------
    over : str
    before, after : ndarray of object, shape (B,)
        Types of the cells, alone and with the consensus.
    clusters : tuple of Cluster
        Heterogeneous ones first, then those with most cells; 15 at most; empty for neighbors.
    n_clusters, n_heterogeneous : int
    """

    over: str
    before: np.ndarray
    after: np.ndarray
    clusters: tuple[Cluster, ...]
    n_clusters: int
    n_heterogeneous: int

    @property
    def n_changed(self) -> int:
        return int((self.before != self.after).sum())

    @classmethod
    def of(cls, adata: AnnData, key: str) -> Agreement | None:
        """Return None if there was no consensus."""
        made: dict[str, Any] = adata.uns[key]
        if "over" not in made:
            return None
        table: pd.DataFrame = made.get("clusters", pd.DataFrame({"heterogeneous": [], "cells": []}))
        first = table.sort_values(["heterogeneous", "cells"], ascending=False, kind="stable")[:MOST_CLUSTERS]
        return cls(
            over=str(made["over"]),
            before=as_types(adata.obs[f"{key}_cell"]),
            after=as_types(adata.obs[f"{key}_type" if "backoff" in made else key]),
            clusters=tuple(
                Cluster(
                    name=str(name),
                    cells=int(row["cells"]),
                    type=str(row["type"]),
                    share=float(row["share"]),
                    share_before=float(row["share_before"]),
                    entropy=float(row["entropy"]),
                    heterogeneous=bool(row["heterogeneous"]),
                )
                for name, row in first.iterrows()
            ),
            n_clusters=len(table),
            n_heterogeneous=int(table["heterogeneous"].sum()),
        )
