"""Reading what the commands take: cells, their labels, networks and trained models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gene_gcn.cli.console import say
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier

__all__ = ["load_model", "read_cells", "read_labeled_cells"]


def read_cells(path: Path, label: str | None = None) -> AnnData:
    """Read a cell file and say what it holds; `label` is a column of a table that is not a gene."""
    from gene_gcn import cells

    adata = cells.read_cells(path, obs_columns=() if label is None else (label,))
    say(f"Cells     {adata.n_obs:,} cells × {adata.n_vars:,} genes from {path}")
    return adata


def read_labeled_cells(path: Path, label: str) -> AnnData:
    """Read a cell file and keep the cells that have a label.

    Raises
    ------
    ArgumentError
        If there is no such column, or it has no labels.
    """
    adata = read_cells(path, label)
    if label not in adata.obs:
        from gene_gcn.cells import read_labels

        read_labels(adata, label)  # raises, suggesting columns that exist
    labels = adata.obs[label]
    missing = labels.isna() | (labels.astype(str).str.strip() == "")
    if missing.all():
        raise ArgumentError("label", Argument("label", label), " is a column without any labels.")
    if missing.any():
        say(f"          {missing.sum():,} cells without a label in {label!r} are left out")
        adata = adata[~missing.to_numpy()].copy()
    return adata


def load_model(
    folder: Path, layer: str | None, use_raw: bool | None, gene_column: str | None
) -> GeneGCNClassifier:
    """Load a trained model; options that are given replace those of training."""
    from gene_gcn import GeneGCNClassifier

    clf = GeneGCNClassifier.load(folder)
    if layer is not None:
        clf.set_params(layer=layer, use_raw=bool(use_raw))  # the layer, not the .raw of training
    elif use_raw is not None:
        clf.set_params(layer=None if use_raw else clf.layer, use_raw=use_raw)
    if gene_column is not None:
        clf.set_params(gene_column=gene_column or None)
    return clf
