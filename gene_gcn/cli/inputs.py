"""Reading what the commands take: cells, their labels, networks and trained models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gene_gcn.cli.console import say
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier

__all__ = ["load_model", "read_cells", "read_labeled_cells", "read_tables"]


def read_cells(path: Path, *columns: str, genome: str | None = None) -> AnnData:
    """Read a cell file and say what it holds; `columns` are those of a table that are not genes."""
    from gene_gcn import cells

    adata = cells.read_cells(path, obs_columns=columns, genome=genome)
    say(f"Cells     {adata.n_obs:,} cells × {adata.n_vars:,} genes from {path}")
    return adata


def read_tables(path: Path, layer: str | None, use_raw: bool) -> AnnData:
    """Read the tables of cells whose matrix stays on disk, and say what it holds."""
    from gene_gcn.cells.stored import open_matrix

    matrix = open_matrix(path, layer, use_raw)
    assert matrix.frame is not None  # of a file
    n, width = matrix.shape
    say(f"Cells     {n:,} cells × {width:,} genes from {path}, read block by block")
    return matrix.frame


def read_labeled_cells(
    path: Path, label: str, genome: str | None = None, batch: str | None = None
) -> AnnData:
    """Read a cell file, with a column of batches if it has one, and keep the cells that have a label.

    Raises
    ------
    ArgumentError
        If there is no such column, or it has no labels.
    """
    adata = read_cells(path, label, *([] if batch is None else [batch]), genome=genome)
    if not adata.n_obs:
        raise ArgumentError("cells", f"{str(path)!r} contains no cells.")
    import numpy as np

    from gene_gcn.cells import is_missing, read_labels, written_as_missing

    if label not in adata.obs:
        read_labels(adata, label)  # raises, suggesting columns that exist
    labels = np.asarray(adata.obs[label])
    missing = is_missing(labels)
    if missing.all():
        raise ArgumentError("label", Argument("label", label), " is a column without any labels.")
    if missing.any():
        written = ", ".join(sorted({repr(str(text)) for text in labels[written_as_missing(labels)]}))
        reason = f" ({written} stands for a missing one)" if written else ""
        say(f"          {missing.sum():,} cells without a label in {label!r}{reason} are left out")
        adata = adata[~missing].copy()
    return adata


def load_model(
    folder: Path,
    layer: str | None = None,
    use_raw: bool | None = None,
    gene_column: str | None = None,
    scale: str | None = None,
) -> GeneGCNClassifier:
    """Load a trained model; options that are given replace those of training."""
    from gene_gcn import GeneGCNClassifier

    clf = GeneGCNClassifier.load(folder)
    if layer is not None:
        clf.set_params(layer=layer or None, use_raw=bool(use_raw))  # the layer, not the .raw of training
    elif use_raw is not None:
        clf.set_params(layer=None if use_raw else clf.layer, use_raw=use_raw)
    if gene_column is not None:
        clf.set_params(gene_column=gene_column or None)
    if scale is not None:
        clf.set_params(scale=scale)
        clf.check_parameters()
    return clf
