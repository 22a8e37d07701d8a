"""What the cells of a query were called, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["describe_query", "types_of"]


def types_of(adata: AnnData) -> pd.DataFrame:
    """Return a row per type, the most frequent first: type, cells, fraction and mean_confidence."""
    from gene_gcn.cells import UNASSIGNED

    labels, confidence = adata.obs["gene_gcn"], adata.obs["gene_gcn_confidence"]
    types = labels.astype(object).where(labels.notna(), UNASSIGNED).astype(str).rename("type")
    table = confidence.groupby(types).agg(cells="size", mean_confidence="mean")
    table.insert(1, "fraction", table["cells"] / max(adata.n_obs, 1))
    return table.sort_values("cells", ascending=False, kind="stable").reset_index()


def describe_query(adata: AnnData) -> dict[str, Any]:
    """Return what `--json` prints about annotated cells."""
    from gene_gcn.estimators.annotation import UNKNOWN

    obs, made = adata.obs, adata.uns["gene_gcn"]
    unknown = (obs["gene_gcn"] == UNKNOWN).mean() if "gene_gcn_novelty" in obs else None
    return {
        "cells": adata.n_obs,
        "genes": adata.n_vars,
        "types": types_of(adata),
        "fraction_unknown": unknown,
        "shift": _describe_shift(made),
        "backoff": _describe_backoff(adata),
        "consensus": _describe_consensus(adata),
    }


def _describe_shift(made: dict[str, Any]) -> dict[str, Any] | None:
    if "shift" not in made:
        return None
    removed = bool(made["shift_removed"])
    return {"size": made["shift"], "removed": removed, "kept_because": made.get("shift_kept_because")}


def _describe_backoff(adata: AnnData) -> dict[str, Any] | None:
    made = adata.uns["gene_gcn"]
    if "backoff" not in made:
        return None
    return {"threshold": made["backoff"], "changed_cells": _num_changed(adata, "gene_gcn", "gene_gcn_type")}


def _describe_consensus(adata: AnnData) -> dict[str, Any] | None:
    made = adata.uns["gene_gcn"]
    if "over" not in made:
        return None
    types = "gene_gcn_type" if "backoff" in made else "gene_gcn"
    clusters = made.get("clusters")
    return {
        "over": made["over"],
        "changed_cells": _num_changed(adata, types, "gene_gcn_cell"),
        "clusters": None if clusters is None else clusters.reset_index(),
    }


def _num_changed(adata: AnnData, after: str, before: str) -> int:
    return int((adata.obs[after].astype(str) != adata.obs[before].astype(str)).sum())
