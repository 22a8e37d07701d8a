"""Read text tables of cells × genes: separated by commas, tabs, semicolons or spaces, plain or gzip."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from gene_gcn.cells.gene_columns import about_other_columns
from gene_gcn.cells.matrix import rows_per_block
from gene_gcn.errors import ArgumentError, GeneNamesWarning, is_out_of_memory, warn
from gene_gcn.genes.names import names_no_gene
from gene_gcn.genes.orientation import genes_in_rows
from gene_gcn.storage.text_files import open_file

__all__ = ["read_text_table"]

HEAD = 200  # rows by which columns are divided into genes and descriptions of the cells
FEW = 20  # rows by which decimal commas are recognized

# What the first column is called if it names the cells.
_NAMES_CELLS = re.compile(
    r"|(?:.*[^a-z])?(?:cells?|barcodes?|index|ids?|names?|samples?|x|rownames?)(?:[^a-z].*)?"
    r"|.*cellid.*|unnamed: 0",
    re.IGNORECASE,
)
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+(?:[eE][-+]?\d+)?")
# Groups of three digits, as thousands have them.
_COMMA_GROUPS, _POINT_GROUPS = (re.compile(rf"-?[1-9]\d{{0,2}}(?:{mark}\d{{3}})+") for mark in (",", r"\."))
_EXCEL_SEPARATOR = re.compile('"?sep=."?', re.IGNORECASE)  # a line that tells Excel how to read the others
_NO_CELL_NAMES = "\0"  # the name of a column of cells' names that a table does not have


@dataclass(frozen=True)
class _Layout:
    """How a table is written: what pandas needs to know, and the names of its columns, cells' names first."""

    file: Path
    separator: str
    skipped: int  # lines up to the first row
    names: list[str]
    decimal: str = "."

    def open(self) -> TextIO:
        return _open_text(self.file)

    def options(self) -> dict[str, Any]:
        return {
            "sep": self.separator,
            "header": None,
            "skiprows": self.skipped,
            "decimal": self.decimal,
            "low_memory": False,
        }


def read_text_table(file: Path, separator: str, obs_columns: Sequence[str] = ()) -> AnnData:
    """Read a table with one row per cell, as `read_cells` describes it.

    Parameters
    ----------
    file : Path
    separator : str
        Expected separator; if the header lacks it, tabs, commas, semicolons and spaces are tried.
    obs_columns : sequence of str
        Columns of numbers that are not genes.

    Raises
    ------
    ArgumentError
        If the file is damaged, is not such a table, or has genes as rows.
    """
    try:
        layout = _read_layout(file, separator)
        if layout.separator != ",":
            layout = replace(layout, decimal=_decimal(layout))
        head = _read_head(layout, HEAD, {0: str})
        if head.shape[1] not in (0, len(layout.names)):  # below a blank line
            raise _not_under(file, layout.names, head.shape[1])
        if not len(head):
            return _no_cells(layout.names[1:], obs_columns)
        if not _names_cells(layout, head):
            head = head.set_axis(range(1, head.shape[1] + 1), axis=1)
            head[1] = _numbers(head[1], layout.decimal)
            layout = replace(layout, names=[_NO_CELL_NAMES, *layout.names])
        is_obs = _find_obs_columns(layout, head, obs_columns)
        _check_orientation(layout, head, is_obs)
        del head
        X, obs, cells = _read_rows(layout, is_obs)
    except UnicodeDecodeError as error:
        text = f"{str(file)!r} is not a table, or not in UTF-8 ({error}); save it as .csv in UTF-8."
        raise ArgumentError("path", text) from error
    except (OSError, EOFError, zlib.error, pd.errors.ParserError, csv.Error) as error:
        if is_out_of_memory(error):
            raise
        text = f"{str(file)!r} is damaged or not a table: {str(error).strip()[:200]}."
        raise ArgumentError("path", text) from error
    genes = [name for name, describes in zip(layout.names[1:], is_obs[1:], strict=True) if not describes]
    return AnnData(X, obs=obs.set_axis(cells), var=_named(genes))


def _no_cells(names: Sequence[str], obs_columns: Sequence[str]) -> AnnData:
    genes = [name for name in names if name not in obs_columns]
    obs = _named([]).reindex(columns=[name for name in names if name in obs_columns])
    return AnnData(sparse.csr_matrix((0, len(genes)), dtype=np.float32), obs=obs, var=_named(genes))


def _named(names: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(index=pd.Index(names, dtype=object))


def _open_text(file: Path) -> TextIO:
    with open_file(file) as stream:
        is_utf16 = stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # Excel's "Unicode text"
    encoding = "utf-16" if is_utf16 else "utf-8-sig"
    return io.TextIOWrapper(open_file(file), encoding=encoding, newline="")


def _read_layout(file: Path, separator: str) -> _Layout:
    """Find the header, below blank lines and comments, and how its fields are separated."""
    comments: list[str] = []
    lines: list[str] = []
    skipped = 0
    with _open_text(file) as table:
        while len(lines) < 2 and (line := table.readline()):
            skipped += not lines
            line = line.rstrip("\r\n")
            if not lines and (line.startswith("#") or _EXCEL_SEPARATOR.fullmatch(line)):
                comments.append(line)
            elif line.strip() or lines:
                lines.append(line)
    if lines and comments and _is_header(comments[-1], lines[0], separator):
        lines = [comments[-1], lines[0]]
        skipped -= 1
    if not lines:
        raise ArgumentError("path", f"{str(file)!r} contains no cells: it is empty.")
    separator = _find_separator(lines[0], separator)
    names = [name.strip() for name in _split(lines[0], separator)]
    if len(lines) == 1 or not lines[1].strip():
        if len(names) < 2:
            text = "contains no cells: its first line, which must name the genes, is followed by no other"
            raise ArgumentError("path", f"{str(file)!r} {text}.")
        return _Layout(file, separator, skipped, names)
    row = _split(lines[1], separator)
    if len(names) == len(row) - 1:
        # Rows may end in a separator; else R omits the name of the first column.
        names = [*names, ""] if not row[-1].strip() and _NAMES_CELLS.fullmatch(names[0]) else ["", *names]
    if len(names) < 2 or len(names) != len(row):
        raise _not_under(file, names, len(row))
    values = [name for name in names[1:] if _is_number(name)]
    if len(values) == len(names) - 1 and (
        len(set(values)) < len(values) or not all(v.isdigit() for v in values)
    ):
        text = f"{str(file)!r} has no header: its first line must hold the names of the genes, not numbers."
        raise ArgumentError("path", text)
    return _Layout(file, separator, skipped, names)


def _not_under(file: Path, names: Sequence[str], n_fields: int) -> ArgumentError:
    return ArgumentError(
        "path",
        f"{str(file)!r} is not a table of cells and genes: its header has {len(names)} "
        f"fields and the line after it has {n_fields}; the first line must name the genes.",
    )


def _is_header(comment: str, line: str, separator: str) -> bool:
    """Return whether a line that begins with # is the header of the row after it."""
    separator = _find_separator(comment, separator)
    names, row = _split(comment, separator), _split(line, separator)
    return len(names) > 1 and len(names) == len(row) and any(map(_is_number, row[1:]))


def _find_separator(header: str, separator: str) -> str:
    if separator in header:  # a .csv of tabs or, in many countries, of semicolons
        return separator
    return next((mark for mark in "\t,; " if mark in header.strip()), separator)


def _split(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(texts: pd.Series, decimal: str) -> pd.Series:
    return pd.to_numeric(texts.str.replace(decimal, ".", regex=False), errors="coerce")


def _read_head(layout: _Layout, rows: int, dtype: Any) -> pd.DataFrame:
    with layout.open() as lines:
        try:
            return pd.read_csv(lines, nrows=rows, dtype=dtype, **layout.options())
        except pd.errors.EmptyDataError:
            return pd.DataFrame()


def _decimal(layout: _Layout) -> str:
    """Return the sign that begins decimals: a comma if numbers have commas and none has a point."""
    head = _read_head(layout, FEW, str)
    fields = pd.Series(head.iloc[:, 1:].to_numpy().ravel(), dtype=str).dropna().str.strip()
    fields = fields[fields.str.fullmatch(r"-?[\d.,]+(?:[eE][-+]?\d+)?")]
    points, commas = (fields[fields.str.contains(mark, regex=False)] for mark in ".,")
    if len(points):
        n_whole = int((fields != "0").sum()) - len(points) - len(commas)
        if len(points) < n_whole and _all_match(_POINT_GROUPS, points):
            raise _ambiguous(layout.file, points.iloc[0], "point")
        return "."
    if len(commas) and _all_match(_COMMA_GROUPS, commas):
        raise _ambiguous(layout.file, commas.iloc[0], "comma")
    return "," if len(commas) and _all_match(_DECIMAL_COMMA, commas) else "."


def _all_match(pattern: re.Pattern[str], fields: pd.Series) -> bool:
    return bool(fields.str.fullmatch(pattern).all())


def _ambiguous(file: Path, number: str, mark: str) -> ArgumentError:
    text = f"{str(file)!r} has numbers with {mark}s ({number!r}), which may mark thousands or decimals; "
    return ArgumentError("path", f"{text}write numbers without marks of thousands and with decimal points.")


def _names_cells(layout: _Layout, head: pd.DataFrame) -> bool:
    """Return whether the first column names the cells; say it if that is unlikely or a guess."""
    name, column = layout.names[0], head.iloc[:, 0].fillna("")
    values = _numbers(column, layout.decimal)
    if values.isna().any() or _NAMES_CELLS.fullmatch(name.strip()):
        return True
    what = f"{str(layout.file)!r} has numbers in its first column, {name!r}"
    whole = bool((values == values.round()).all())
    if whole and column.is_unique and (values.diff().dropna() == 1).all():
        return True
    if not whole or not column.is_unique:
        warn(GeneNamesWarning(f"{what}, taken as a gene; it has no names of cells, which are numbered."))
        return False
    warn(
        GeneNamesWarning(
            f"{what}, taken as the names of the cells, a guess; call it 'cell' if this is right."
        )
    )
    return True


def _find_obs_columns(layout: _Layout, head: pd.DataFrame, obs_columns: Sequence[str]) -> list[bool]:
    """Return which columns describe the cells rather than being genes, inferred from the first rows."""
    is_obs, others = [True], []  # the names of the cells
    for i, name in enumerate(layout.names[1:], start=1):
        kind = head[i].dtype.kind
        if name in obs_columns:
            is_obs.append(True)
            continue
        if kind not in "biuf":
            _check_no_numbers(layout.file, name, head[i].dropna().astype(str))
        elif names_no_gene(name):
            others.append(name)
        is_obs.append(kind not in "iuf" or names_no_gene(name))
    if all(is_obs):
        text = "has no column of numbers such as 1.5; rows must be cells and columns must be genes"
        raise ArgumentError("path", f"{str(layout.file)!r} {text}.")
    if others:
        warn(GeneNamesWarning(f"{str(layout.file)!r}: {about_other_columns(others)}"))
    return is_obs


def _check_no_numbers(file: Path, name: str, values: pd.Series) -> None:
    with_commas = values[values.str.fullmatch(_COMMA_GROUPS)]
    if len(with_commas) and pd.to_numeric(values.str.replace(",", ""), errors="coerce").notna().all():
        raise _ambiguous(file, with_commas.iloc[0], "comma")
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().mean() > 0.5:  # a gene with a typo in it, not a description
        raise ArgumentError(
            "path",
            f"{str(file)!r}: column {name!r} mixes numbers and text ({values[numbers.isna()].iloc[0]!r}); "
            "a gene must have a number in each cell, 0 where it was not found.",
        )


def _check_orientation(layout: _Layout, head: pd.DataFrame, is_obs: list[bool]) -> None:
    """Refuse a table whose rows are genes."""
    genes = [name for name, describes in zip(layout.names[1:], is_obs[1:], strict=True) if not describes]
    rows = [] if layout.names[0] == _NO_CELL_NAMES else head.iloc[:, 0].fillna("").tolist()
    found = genes_in_rows(rows, genes)
    if not found:
        return
    separator = "" if layout.separator == "," else f", sep={layout.separator!r}"
    raise ArgumentError(
        "path",
        f"{str(layout.file)!r} has genes as rows ({found}), but rows must be cells. "
        f"Transpose it: pandas.read_csv(FILE, index_col=0{separator}).T.to_csv(NEW_FILE).",
    )


def _read_rows(layout: _Layout, is_obs: list[bool]) -> tuple[sparse.csr_matrix, pd.DataFrame, list[str]]:
    """Return the genes as CSR (cells, genes), the columns that describe the cells, and the cells' names."""
    first = int(layout.names[0] == _NO_CELL_NAMES)  # columns are counted without the names of the cells
    gene_at = [i - first for i, describes in enumerate(is_obs) if not describes]
    obs_at = [i - first for i, describes in enumerate(is_obs) if describes and i]
    kept = obs_at if first else [0, *obs_at]
    dtype = dict.fromkeys(kept, str) | dict.fromkeys(gene_at, np.float32)
    blocks, parts = [], []
    try:
        with (
            layout.open() as lines,
            # Columns are read by position, as gene names may repeat.
            pd.read_csv(
                lines, dtype=dtype, chunksize=rows_per_block(len(is_obs)), **layout.options()
            ) as chunks,
        ):
            for rows in chunks:
                blocks.append(sparse.csr_matrix(rows[gene_at].to_numpy(np.float32)))
                parts.append(rows[kept])
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        text = f"has text in a column of numbers ({error}); a gene must have a number in each cell."
        raise ArgumentError("path", f"{str(layout.file)!r} {text}") from error
    table = pd.concat(parts, ignore_index=True)
    cells = list(map(str, range(len(table)))) if first else table.pop(0).fillna("").tolist()
    table = table.set_axis([layout.names[i + first] for i in obs_at], axis=1)
    obs = [_description(table.iloc[:, i], layout.decimal) for i in range(table.shape[1])]
    described = pd.concat(obs, axis=1) if obs else pd.DataFrame(index=table.index)
    return sparse.vstack(blocks, format="csr"), described, cells


def _description(texts: pd.Series, decimal: str) -> pd.Series:
    """Return a column of texts as numbers or truth values if all of it are, with gaps."""
    present = texts.dropna()
    if len(present) and present.isin(["True", "False", "TRUE", "FALSE"]).all():
        truth = texts.str.upper().map({"TRUE": True, "FALSE": False})
        return truth.astype(bool if len(present) == len(texts) else "boolean")
    numbers = _numbers(present, decimal)
    if len(present) and numbers.notna().all():
        return numbers.reindex(texts.index)
    return texts
