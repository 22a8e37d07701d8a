"""Which names the columns of a matrix have, and which columns are genes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.errors import Argument, ArgumentError, GeneNamesWarning, warn
from gene_gcn.genes.names import are_numbers, are_positions, is_nameless, names_no_gene

__all__ = ["genes_kept", "keep_genes", "names_in_frame", "names_in_var"]

# Columns of .var in which programs keep the names of genes, symbols before ids. SeuratDisk's is `_index`.
NAME_COLUMNS = (
    *("_index", "index_", "feature_name", "gene_symbols", "gene_symbol", "symbol", "symbols"),
    *("gene_name", "gene_names", "gene_short_name", "gene", "genes", "feature_names", "features"),
    *("name", "names", "feature_id", "gene_id", "gene_ids", "ensembl_id", "ensembl", "index"),
)
FEW_GENES = 12  # a smaller set of Entrez numbers is often all below those of most genes


def names_in_var(var: pd.DataFrame, column: str | None) -> tuple[str, ...] | None:
    """Return the names of genes in an AnnData's table of genes; None if they have none.

    Nameless genes have an empty name.

    Raises
    ------
    ArgumentError
        If there is no such column, or if genes are named by positions that are not all of 0, 1, 2, ….
    """
    index = _clean(var.index)
    if column is not None:
        return _names_in_column(var, index, column)
    numbers = [name for name in index if name]
    if not (numbers and (are_numbers(numbers) or are_positions(numbers))):
        return index
    found = find_name_column(var)
    few = ", ".join(numbers[:3])
    if found is not None:
        what = f"The genes of X are numbered ({few}, …); their names are taken from .var[{found!r}]. Pass "
        chosen = Argument("gene_column", found)
        warn(GeneNamesWarning(what, chosen, " to say so, or another column."))
        return tuple("" if is_nameless(name) else str(name) for name in var[found])
    if _is_range(index):
        what = (
            f"The genes of X have no names ({few}, …), so they are matched by their position. Name them in "
        )
        warn(
            GeneNamesWarning(
                what, ".var_names, or choose a column of .var with ", Argument("gene_column"), "."
            )
        )
        return None
    if are_positions(numbers):
        problem = (
            f"The genes of X are numbered ({few}, …), and positions are not names; choose the column of "
        )
        has = f" (it has {list(var.columns) or 'none'}), or set .var_names."
        raise ArgumentError(
            "gene_column", problem, ".var that has their names with ", Argument("gene_column"), has
        )
    if len(numbers) > FEW_GENES:
        what = f"The genes of X are numbers ({few}, …), taken for Entrez numbers, a guess; if it is wrong, "
        warn(
            GeneNamesWarning(
                what, "choose the column of .var with their names by ", Argument("gene_column"), "."
            )
        )
    return index


def names_in_frame(frame: pd.DataFrame) -> tuple[str, ...] | None:
    """Return the names of the columns of a data frame; None if they are 0, 1, 2, ….

    Raises
    ------
    ArgumentError
        If the columns are named by positions that are not all of 0, 1, 2, ….
    """
    if frame.columns.equals(pd.RangeIndex(frame.shape[1])):
        return None
    names = _clean(frame.columns)
    if _is_range(names):
        return None
    if are_positions([name for name in names if name]):
        few = ", ".join(names[:3])
        text = f"The columns of X are numbered ({few}, …), and positions name no genes; name the columns, "
        raise ArgumentError("X", text + "or pass X.to_numpy() to match them by position.")
    return names


def find_name_column(var: pd.DataFrame) -> str | None:
    """Return the first column, of those in which programs keep names of genes, that holds names."""
    columns = {str(column).lower(): column for column in reversed(list(var.columns))}
    for known in NAME_COLUMNS:
        if known in columns:
            names = [str(name) for name in var[columns[known]] if not is_nameless(name)]
            several = len(set(names)) > len(var) / 2
            if several and not are_numbers(names) and not are_positions(names):
                return str(columns[known])
    return None


def keep_genes(X: sparse.csr_matrix, names: tuple[str, ...]) -> tuple[sparse.csr_matrix, tuple[str, ...]]:
    """Leave out columns without a name and those that are not genes, as `genes_kept` says."""
    kept = genes_kept(names)
    if kept.all():
        return X, names
    return X[:, np.flatnonzero(kept)], tuple(n for n, keep in zip(names, kept, strict=True) if keep)


def genes_kept(names: tuple[str, ...]) -> np.ndarray:
    """Return which columns have a name and are genes, a mask (N,); warn of the others.

    Raises
    ------
    ArgumentError
        If no column is left.
    """
    nameless = np.array([not name for name in names], dtype=bool)
    others = np.array([names_no_gene(name) for name in names], dtype=bool)
    kept = ~(nameless | others)
    if not kept.any():
        raise ArgumentError("X", "None of the columns of X has the name of a gene; name them.")
    if nameless.any():
        some = f"{nameless.sum():,} of the {len(names):,} genes of X have no name and are left out"
        warn(GeneNamesWarning(f"{some}, since they cannot be matched."))
    if others.any():
        warn(GeneNamesWarning(about_other_columns([names[i] for i in np.flatnonzero(others)])))
    return kept


def about_other_columns(names: Sequence[str]) -> str:
    """Say that columns are not taken as genes."""
    few = ", ".join([*names[:3], *(["…"] if len(names) > 3 else [])])
    return f"X has columns that are not genes ({few}); they are left out of the genes."


def _names_in_column(var: pd.DataFrame, index: tuple[str, ...], column: str) -> tuple[str, ...]:
    argument = Argument("gene_column", column)
    if column not in var.columns:
        text = (
            f" is not a column of .var; it has {list(var.columns) or 'no columns'}; the index is read with "
        )
        raise ArgumentError("gene_column", argument, text, Argument("gene_column", None), ".")
    names = _clean(var[column])
    if _is_range(tuple(name for name in names if name)):
        found = find_name_column(var)
        hint = (" choose ", Argument("gene_column", found)) if found else (" choose another column",)
        few = ", ".join(names[:3])
        raise ArgumentError("gene_column", argument, f" holds positions ({few}, …), not names;", *hint, ".")
    filled = index if not are_numbers([name for name in index if name]) else ("",) * len(index)
    return tuple(name or other for name, other in zip(names, filled, strict=True))


def _clean(names: pd.Index | pd.Series) -> tuple[str, ...]:
    return tuple("" if is_nameless(name) else str(name) for name in names.astype(object))


def _is_range(names: Sequence[str]) -> bool:
    """Return whether names are positions, all of them in their order, from 0 or, as R counts, from 1."""
    n = len(names)
    starts = (range(n), range(1, n + 1))
    return (bool(n) and any(tuple(names) == tuple(map(str, s)) for s in starts)) or (
        n > 1 and tuple(names) == tuple(f"V{i}" for i in starts[1])
    )
