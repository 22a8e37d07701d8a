"""Read files of cells into AnnData, whatever their format."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gene_gcn.errors import ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["ENDINGS", "check_cells_path", "read_cells"]

TABLE_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
ENDINGS = (".h5ad", ".h5", ".loom", *TABLE_ENDINGS)

_KINDS = {".h5ad": "an h5ad file", ".h5": "a 10x .h5 file or a pandas HDFStore", ".loom": "a loom file"}


def read_cells(path: str | os.PathLike[str], *, obs_columns: Sequence[str] = ()) -> AnnData:
    """Read a file of cells × genes in the format of its ending.

    ========================  =============================================================================
    ``.h5ad``                 AnnData
    ``.h5``                   10x Genomics, Cell Ranger 2 and later; or a pandas HDFStore with one frame of
                              cells × genes and a Series for each column of ``.obs``, in pandas' fixed format
    ``.loom``                 main matrix, layers, one-dimensional attributes
    ``.csv``, ``.tsv``,       one row per cell with its name in the first column; a header of gene names.
    ``.csv.gz``, ``.tsv.gz``  Columns of text (and those of `obs_columns`) describe the cells and go to
                              ``.obs``; all other columns are taken as genes
    ========================  =============================================================================

    Gene names are kept as they are, even if they repeat. Tables are read in blocks of rows into a sparse
    float32 matrix.

    Parameters
    ----------
    path : str or PathLike
        The file.
    obs_columns : sequence of str
        Columns of a table that hold numbers but are not genes, such as cluster labels. Names that the table
        does not have are ignored.

    Returns
    -------
    AnnData

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ArgumentError
        If the ending is unknown, or the file is damaged or in another format than its ending says.
    """
    ending = check_cells_path(path)
    file = Path(path).expanduser()
    with warnings.catch_warnings():
        # Of duplicate gene names and deprecated layouts: `read_expression` warns of the former and sums them.
        warnings.filterwarnings("ignore", category=UserWarning, module="anndata")
        warnings.filterwarnings("ignore", category=FutureWarning)
        if ending in TABLE_ENDINGS:
            from gene_gcn.cells.text_tables import read_text_table

            return read_text_table(file, "\t" if ending.startswith(".tsv") else ",", obs_columns)
        return _read_hdf5(file, ending)


def check_cells_path(path: str | os.PathLike[str]) -> str:
    """Return the ending by which `read_cells` would read a file, without opening it.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ArgumentError
        If the ending is unknown.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        problem = "is a folder, not a file" if file.is_dir() else "does not exist"
        raise FileNotFoundError(f"The cell file {str(path)!r} {problem}.")
    for ending in ENDINGS:
        if file.name.lower().endswith(ending):
            return ending
    raise ArgumentError(
        "path", f"The cell file {str(path)!r} has an unknown ending; known endings are {', '.join(ENDINGS)}."
    )


def _read_hdf5(file: Path, ending: str) -> AnnData:
    try:
        if ending == ".h5ad":
            from anndata import read_h5ad

            return read_h5ad(file)
        if ending == ".loom":
            from gene_gcn.cells.loom import read_loom

            return read_loom(file)
        from gene_gcn.cells.hdf5 import read_h5

        return read_h5(file)
    except (MemoryError, ArgumentError):
        raise
    except Exception as error:  # libraries raise many types for damaged files, few of them meant for users
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        text = f"{str(file)!r} is damaged or not {_KINDS[ending]}: {reason.rstrip('.')[:200]}."
        raise ArgumentError("path", text) from error
