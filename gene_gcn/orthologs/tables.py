"""Tables of orthologs from files and data frames."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pandas as pd

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.orthologs.hcop_files import is_hcop, parse_hcop
from gene_gcn.storage.text_files import (
    VERBATIM,
    damage_as_argument_error,
    existing_file,
    open_file,
    read_header,
)

__all__ = ["read_orthologs"]

WORDS = ("hcop", "string")  # that `match_orthologs` takes instead of a table
_MISSING = {"": None, "-": None, "NA": None, "N/A": None}


def read_orthologs(table: pd.DataFrame | str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table with a pair of orthologs in each row.

    Parameters
    ----------
    table : DataFrame or path
        Two columns or more with the names of genes, of any kind, one species each; which ones to use is found
        by the genes to map. Files are separated by tabs or commas, have a header, and may be gzip, such as
        an export of Ensembl's BioMart, or HCOP's of fifteen columns, of which pairs with little support are
        left out (`hcop`).

    Returns
    -------
    DataFrame
        Names as text or numbers; missing ones are None.

    Raises
    ------
    FileNotFoundError
        A path does not exist.
    ArgumentError
        Text is not the path of a file; the file is damaged; the table has fewer than two columns or no rows.
    """
    if isinstance(table, pd.DataFrame):
        found = table
    elif isinstance(table, (str, os.PathLike)):
        found = _read(_existing(table))
    else:
        text = f" has type {type(table).__name__}; pass a DataFrame, or the path of a table."
        raise ArgumentError("orthologs", Argument("orthologs", table), text)
    if found.shape[1] < 2 or found.empty:
        text = (
            f"orthologs has the shape {found.shape}; it needs two columns of names and a row for each pair."
        )
        raise ArgumentError("orthologs", text)
    return found.replace(_MISSING)


def _existing(path: str | os.PathLike[str]) -> Path:
    if isinstance(path, str) and not Path(path).expanduser().is_file():
        text = f" is neither {' nor '.join(map(repr, WORDS))} nor a file."
        raise ArgumentError("orthologs", Argument("orthologs", path), text)
    return existing_file(path, "orthologs")


def _read(path: Path) -> pd.DataFrame:
    header = read_header(path, "orthologs")
    if is_hcop(header):
        return parse_hcop(path)
    with damage_as_argument_error(path, "orthologs"), open_file(path) as file:
        if "\t" in header:
            return pd.read_csv(file, sep="\t", dtype=str, **VERBATIM)
        return pd.read_csv(file, dtype=str, **(VERBATIM | {"quoting": csv.QUOTE_MINIMAL}))
