"""Write predictions to files, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.atomic import replacing

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["check_predictions_path", "write_predictions"]

ENDINGS = (".h5ad", ".csv", ".csv.gz", ".tsv", ".tsv.gz")


def write_predictions(path: str | os.PathLike[str], cells: AnnData, key: str = "gene_gcn") -> None:
    """Write the predictions that `GeneGCNClassifier.annotate` stored in `cells`.

    Parameters
    ----------
    path : str or PathLike
        ``.h5ad`` for the whole of the annotated cells; ``.csv`` or ``.tsv``, also with ``.gz``, for a table
        with the columns ``cell, label, confidence``.
    cells : AnnData
        Annotated cells.
    key : str
        The column of ``.obs`` with the labels; ``{key}_confidence`` has the confidence.

    Raises
    ------
    ArgumentError
        If the path has another ending.
    """
    check_predictions_path(path)
    with replacing(path) as file:
        if file.name.lower().endswith(".h5ad"):
            cells.write_h5ad(file, compression="gzip")
            return
        table = cells.obs[[key, f"{key}_confidence"]].set_axis(["label", "confidence"], axis=1)
        separator = "\t" if ".tsv" in file.suffixes[-2:] else ","
        table.to_csv(file, sep=separator, index_label="cell", float_format="%.6g")


def check_predictions_path(path: str | os.PathLike[str]) -> None:
    """Raise the ArgumentError that `write_predictions` would raise for this path."""
    if not Path(path).name.lower().endswith(ENDINGS):
        text = f"Predictions cannot be written to {str(path)!r}: its name must end in {', '.join(ENDINGS)}."
        raise ArgumentError("path", text)
