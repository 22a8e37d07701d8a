"""Reading what the commands take: cells, their labels, networks and trained models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gene_gcn.cli.console import DownloadProgress, say
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier
    from gene_gcn.ontology import OntologyMap

__all__ = [
    "load_model",
    "read_as",
    "read_backoff",
    "read_cells",
    "read_labeled_cells",
    "read_obs",
    "read_parents",
    "read_query",
]


def read_cells(path: Path, *columns: str, genome: str | None = None) -> AnnData:
    """Read a cell file and say what it holds; `columns` are those of a table that are not genes."""
    from gene_gcn import cells

    adata = cells.read_cells(path, obs_columns=columns, genome=genome)
    say(f"Cells     {adata.n_obs:,} cells × {adata.n_vars:,} genes from {path}")
    return adata


def read_obs(path: Path, *columns: str) -> AnnData:
    """Read only the columns of .obs, or of a table, without the expression if that is possible."""
    import anndata
    import pandas as pd

    from gene_gcn.cells import stays_on_disk
    from gene_gcn.cells.stored import open_matrix
    from gene_gcn.storage.text_files import damage_as_argument_error

    name = path.name.lower()
    if name.endswith((".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")):
        separator = "," if ".csv" in name else "\t"
        with damage_as_argument_error(path, "cells"):
            present = pd.read_csv(path, sep=separator, nrows=0).columns
            own = [each for each in columns if each in present]
            table = pd.read_csv(path, sep=separator, usecols=own, dtype=str)
        return anndata.AnnData(obs=table.set_index(table.index.astype(str)))
    if stays_on_disk(path):
        frame = open_matrix(path, None, False).frame
        assert frame is not None  # of a file
        return frame
    return read_cells(path, *columns)


def read_parents(
    parents: Path | None, ontology: Path | None, *, has_levels: bool
) -> Path | OntologyMap | None:
    """Return what `fit` takes as `parents`, checked, with the Cell Ontology where it is needed."""
    if parents is None:
        if ontology is not None:
            text = " is used to read the ids of types; pass them with "
            raise ArgumentError("ontology_file", Argument("ontology_file"), text, Argument("parents"), ".")
        return None
    from gene_gcn.ontology import cell_ontology, read_map
    from gene_gcn.ontology.names import read_table

    table = read_table(parents)
    if ontology is None and ("parent" in table or has_levels):
        return parents
    return read_map(table, cell_ontology(ontology, progress=DownloadProgress()))


def read_backoff(text: str | None) -> bool | float:
    """Return what `annotate` takes as `backoff`."""
    if text is None or text == "auto":
        return text is not None
    try:
        return float(text)
    except ValueError as error:
        problem = " is neither auto nor a number from 0 to 1."
        raise ArgumentError("backoff", Argument("backoff", text), problem) from error


def read_query(
    path: Path, clf: GeneGCNClassifier, *columns: str, genome: str | None = None
) -> tuple[AnnData, Path | None]:
    """Read cells to annotate, or, where they stay on disk, their tables; say what the file holds.

    Returns
    -------
    adata : AnnData
    source : Path or None
        The file, where the cells stay on disk; None where they are in `adata`.
    """
    from gene_gcn.cells import stays_on_disk

    if not stays_on_disk(path, clf.layer, clf.use_raw):
        return read_cells(path, *columns, genome=genome), None
    from gene_gcn.cells.stored import open_matrix

    matrix = open_matrix(path, clf.layer, clf.use_raw)
    assert matrix.frame is not None  # of a file
    n, width = matrix.shape
    say(f"Cells     {n:,} cells × {width:,} genes from {path}, read block by block")
    clf.set_params(verbose=True)  # show progress
    return matrix.frame, path


def read_labeled_cells(
    path: Path,
    label: str,
    genome: str | None = None,
    batch: str | None = None,
    coarser: Sequence[str] = (),
    *,
    may_be_none: bool = False,
) -> AnnData:
    """Read a cell file, with a column of batches if it has one, and keep the cells that have a label.

    `coarser` are further columns of labels. With `may_be_none`, a file without cells is no mistake.

    Raises
    ------
    ArgumentError
        If there is no such column, or it has no labels.
    """
    adata = read_cells(path, label, *coarser, *([] if batch is None else [batch]), genome=genome)
    if not adata.n_obs:
        if may_be_none:
            return adata
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
    path: str,
    layer: str | None = None,
    use_raw: bool | None = None,
    gene_column: str | None = None,
    scale: str | None = None,
) -> GeneGCNClassifier:
    """Load a trained model, from wherever it is; options that are given replace those of training."""
    from gene_gcn import GeneGCNClassifier

    clf = GeneGCNClassifier.load(path, progress=DownloadProgress())
    return read_as(clf, layer, use_raw, gene_column, scale)


def read_as(
    clf: GeneGCNClassifier,
    layer: str | None,
    use_raw: bool | None,
    gene_column: str | None,
    scale: str | None,
) -> GeneGCNClassifier:
    """Set where and how a model reads cells; what is None stays as in training."""
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
