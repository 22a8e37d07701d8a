"""Read text tables of cells × genes: comma-, tab- or semicolon-separated, plain or gzip."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from gene_gcn.cells.matrix import rows_per_block
from gene_gcn.errors import ArgumentError
from gene_gcn.storage.text_files import open_file

__all__ = ["read_text_table"]

HEAD = 200  # rows by which columns are divided into genes and descriptions of the cells

# Expressed in nearly every cell of every tissue: if these name rows, the rows are genes.
HOUSEKEEPING = {"ACTB", "GAPDH", "B2M", "MALAT1", "EEF1A1", "RPL3", "RPS3", "RPLP0", "TMSB4X", "FTL", "UBC"}


def read_text_table(file: Path, separator: str, obs_columns: Sequence[str] = ()) -> AnnData:
    """Read a table with one row per cell, as `read_cells` describes it.

    Parameters
    ----------
    file : Path
    separator : str
        Expected separator; if the header lacks it, tabs, commas and semicolons are tried.
    obs_columns : sequence of str
        Columns of numbers that are not genes.

    Raises
    ------
    ArgumentError
        If the file is damaged, is not such a table, or has genes as rows.
    """
    try:
        separator, names = _read_header(file, separator)
        is_obs = _find_obs_columns(file, separator, names, obs_columns)
        X, obs, cells = _read_rows(file, separator, names, is_obs)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, pd.errors.ParserError, csv.Error) as error:
        text = f"{str(file)!r} is damaged or not a table: {str(error).strip()[:200]}."
        raise ArgumentError("path", text) from error
    genes = [name for name, describes in zip(names[1:], is_obs[1:], strict=True) if not describes]
    found = HOUSEKEEPING & {cell.upper() for cell in cells}
    if len(found) > 1 and not HOUSEKEEPING & {gene.upper() for gene in genes}:
        raise ArgumentError(
            "path",
            f"{str(file)!r} has genes as rows ({', '.join(sorted(found)[:3])}), but rows must be cells. "
            "Transpose it: pandas.read_csv(FILE, index_col=0).T.to_csv(NEW_FILE).",
        )
    return AnnData(X, obs=obs.set_axis(cells), var=pd.DataFrame(index=genes))


def _read_header(file: Path, separator: str) -> tuple[str, list[str]]:
    """Return the separator and the column names, the first of which is that of the cells."""
    with _open_text(file) as lines:
        first, second = lines.readline().rstrip("\r\n"), lines.readline().rstrip("\r\n")
    if not second:
        found = "one line" if first else "empty"
        raise ArgumentError("path", f"{str(file)!r} contains no cells: it is {found}.")
    if separator not in first:  # a .csv of tabs or, in many countries, of semicolons
        separator = next((mark for mark in "\t,;" if mark in first), separator)
    names, row = (next(csv.reader([line], delimiter=separator)) for line in (first, second))
    if len(names) == len(row) - 1:  # R omits the name of the first column
        names = ["", *names]
    if len(names) < 2 or len(names) != len(row):
        raise ArgumentError(
            "path",
            f"{str(file)!r} is not a table of cells and genes: its header has {len(names)} "
            f"fields and the line after it has {len(row)}.",
        )
    return separator, names


def _open_text(file: Path) -> TextIO:
    return io.TextIOWrapper(open_file(file), encoding="utf-8-sig", newline="")


def _find_obs_columns(file: Path, separator: str, names: list[str], obs_columns: Sequence[str]) -> list[bool]:
    """Return which columns describe the cells rather than being genes, inferred from the first rows."""
    with _open_text(file) as lines:
        head = pd.read_csv(lines, sep=separator, header=None, skiprows=1, nrows=HEAD, low_memory=False)
    is_obs = [True]  # the names of the cells
    for i, name in enumerate(names[1:], start=1):
        kind = head[i].dtype.kind
        if name not in obs_columns and kind not in "biuf":
            _check_no_numbers(file, name, head[i].dropna())
        is_obs.append(name in obs_columns or kind not in "iuf")
    if all(is_obs):
        text = f"{str(file)!r} has no column of numbers; rows must be cells and columns must be genes."
        raise ArgumentError("path", text)
    return is_obs


def _check_no_numbers(file: Path, name: str, values: pd.Series) -> None:
    is_number = pd.to_numeric(values, errors="coerce").notna()
    if is_number.mean() > 0.5:  # a gene with a typo in it, not a description
        raise ArgumentError(
            "path",
            f"{str(file)!r}: column {name!r} mixes numbers and text ({values[~is_number].iloc[0]!r}); "
            "leave the fields of missing values empty.",
        )


def _read_rows(
    file: Path, separator: str, names: list[str], is_obs: list[bool]
) -> tuple[sparse.csr_matrix, pd.DataFrame, list[str]]:
    """Return the genes as CSR (cells, genes), the columns that describe the cells, and the cells' names."""
    gene_at = [i for i, describes in enumerate(is_obs) if not describes]
    obs_at = [i for i, describes in enumerate(is_obs) if describes and i]
    dtype = {0: str, **dict.fromkeys(gene_at, np.float32)}
    blocks, parts = [], []
    try:
        with (
            _open_text(file) as lines,
            # Columns are read by position, as gene names may repeat.
            pd.read_csv(
                lines,
                sep=separator,
                header=None,
                skiprows=1,
                dtype=dtype,
                low_memory=False,
                chunksize=rows_per_block(len(names)),
            ) as chunks,
        ):
            for rows in chunks:
                blocks.append(sparse.csr_matrix(rows[gene_at].to_numpy(np.float32)))
                parts.append(rows[[0, *obs_at]])
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        text = f"has text in a column of numbers ({error}); leave the fields of missing values empty."
        raise ArgumentError("path", f"{str(file)!r} {text}") from error
    table = pd.concat(parts, ignore_index=True)
    cells = table.pop(0).fillna("").tolist()
    return sparse.vstack(blocks, format="csr"), table.set_axis([names[i] for i in obs_at], axis=1), cells
