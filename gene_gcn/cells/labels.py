"""Labels of cells: read from a column of `.obs` or given, in the order of the cells, missing ones found."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gene_gcn.cells.expression import is_anndata
from gene_gcn.cells.label_values import check_label_values, find_near_twins, is_missing, written_as_missing
from gene_gcn.errors import Argument, ArgumentError, LabelWarning, first_few, warn

__all__ = ["as_label_array", "read_batches", "read_labels", "warn_of_near_twins"]


def read_labels(X: Any, y: Any, *, min_classes: int = 1, allow_missing: bool = False) -> np.ndarray:
    """Read one label per cell.

    Parameters
    ----------
    X : AnnData or matrix of B cells, as for `read_expression`
    y : str or array-like, shape (B,)
        The name of a column of `X.obs` if X is an AnnData, or the labels, in the order of the cells. A Series
        or a DataFrame of one column whose index has the names of the cells may be in any order.
    min_classes : int
        Smallest number of classes to accept.
    allow_missing : bool
        Accept missing labels, which `is_missing` finds.

    Returns
    -------
    ndarray, shape (B,)
        Labels in their own dtype; categoricals in that of their categories, numbers among objects in that of
        numbers.

    Raises
    ------
    ArgumentError
        If the column does not exist; if there is not one label per cell; if the index of y has other cells
        than X; if labels mix numbers and text; if labels are missing (None, NaN, NA, empty text, text such as
        "nan") and that is not allowed; if there are too few classes.
    """
    cells = _cell_names(X)
    labels = _one_per_cell(X, y, cells)
    missing = is_missing(labels)
    if missing.any():
        text = _count_missing(labels, missing)
        if not allow_missing:
            first = [cells[i] if cells is not None else i for i in np.flatnonzero(missing)[:4]]
            text = f"Input y contains NaN: {text} (cells {first_few(first)}); drop these cells."
            raise ArgumentError("y", text)
        if written_as_missing(labels).any():
            warn(LabelWarning(f"{text}; these cells are taken as cells without a label."))
    present = check_label_values(labels[~missing])
    if present.dtype != labels.dtype:
        labels = present if not missing.any() else _with_gaps(present, missing)
    if not len(present):
        text = f"y has no labels: all {len(labels):,} are missing or empty; label some of the cells."
        raise ArgumentError("y", text)
    classes = pd.unique(present)
    if len(classes) < min_classes:
        found = f"{len(classes)} class ({first_few(classes)})"
        raise ArgumentError("y", f"y has {found}, but at least {min_classes} are needed.")
    return labels


def read_batches(X: Any, batch: Any, argument: str = "batch", needed: np.ndarray | None = None) -> np.ndarray:
    """Read the batch of each cell, such as its donor, technology or laboratory.

    Parameters
    ----------
    X : AnnData or matrix of B cells, as for `read_expression`
    batch : str or array-like, shape (B,)
        As `y` in `read_labels`.
    argument : str
        What the user calls it, for errors.
    needed : ndarray of bool, shape (B,), optional
        Cells that must have a value; all by default.

    Returns
    -------
    ndarray of str, shape (B,)

    Raises
    ------
    ArgumentError
        If the column does not exist, if there is not one value per cell, or if some are missing. Text such as
        "None" is a value: cells without a treatment.
    """
    values = _one_per_cell(X, batch, _cell_names(X), argument)
    missing = pd.isna(values) | (values.astype(str) == "")
    if needed is not None:
        missing &= needed
    if missing.any():
        name = Argument(argument, batch) if isinstance(batch, str) else Argument(argument)
        problem = f" has no value for {missing.sum():,} of {len(values):,} cells; drop these cells."
        raise ArgumentError(argument, name, problem)
    return values.astype(str)


def as_label_array(y: Any) -> np.ndarray:
    """Return labels as an array; where some are masked or NA, the others keep their kind, in objects.

    NumPy by itself forgets masks, and makes numbers beside NA floating.
    """
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = y.iloc[:, 0]
    y = y.array if isinstance(y, pd.Series | pd.Index) else y
    if isinstance(y, np.ma.MaskedArray) and np.ma.is_masked(y):
        labels = y.data.astype(object)
        labels[np.ma.getmaskarray(y)] = None
        return labels
    if isinstance(y, pd.Categorical) and (y.codes < 0).any():
        return np.array([*y.categories, None], dtype=object)[y.codes]
    if isinstance(y, pd.api.extensions.ExtensionArray) and pd.isna(y).any():
        return np.asarray(y, dtype=object)
    return np.asarray(y)


def warn_of_near_twins(classes: np.ndarray, counts: np.ndarray) -> None:
    """Warn of types that differ only in case, spaces or Unicode form.

    Parameters
    ----------
    classes : ndarray, shape (K,)
    counts : ndarray of int, shape (K,)
        Cells of each type.
    """
    groups = find_near_twins(classes.tolist())
    if not groups:
        return
    cells = dict(zip(classes.tolist(), counts.tolist(), strict=True))
    found = "; ".join(" and ".join(f"{name!r} ({cells[name]:,} cells)" for name in g) for g in groups[:3])
    more = f" and {len(groups) - 3:,} more" if len(groups) > 3 else ""
    what = f"y has types that differ only in case, spaces or Unicode form: {found}{more}"
    warn(LabelWarning(f"{what}; each is learned as a type of its own. Rename them if they are one."))


def _one_per_cell(X: Any, y: Any, cells: tuple[str, ...] | None, argument: str = "y") -> np.ndarray:
    """Return labels as an array in the order of the cells, whose names are `cells` if they have any.

    The user calls them by the name of the `argument`.
    """
    if isinstance(y, str):
        y = _obs_column(X, y, argument)
    elif y is None:
        raise ArgumentError(
            "y",
            "requires y to be passed, but the target y is None: pass labels or the name of an .obs column.",
        )
    elif isinstance(y, pd.DataFrame | pd.Series):
        y = _in_order_of(cells, y, argument, isinstance(X, pd.DataFrame) and _is_default(X.index))
    labels = as_label_array(y)
    labels = labels.ravel() if labels.ndim == 2 and labels.shape[1] == 1 else labels
    n = len(cells) if cells is not None else X.shape[0] if hasattr(X, "shape") else len(np.asarray(X))
    if labels.shape != (n,):
        remedy: list[str | Argument] = ["pass one value per cell"]
        if is_anndata(X) and labels.size == 1 and (name := str(labels.item())) in X.obs.columns:
            remedy += [", or ", Argument(argument, name)]
        raise ArgumentError(
            argument, f"{argument} has shape {labels.shape}, but X has {n:,} cells; ", *remedy, "."
        )
    return labels


def _cell_names(X: Any) -> tuple[str, ...] | None:
    if is_anndata(X):
        return tuple(map(str, X.obs_names))
    return tuple(map(str, X.index)) if isinstance(X, pd.DataFrame) else None


def _is_default(index: pd.Index) -> bool:
    return isinstance(index, pd.RangeIndex) and index.equals(pd.RangeIndex(len(index)))


def _in_order_of(
    cells: tuple[str, ...] | None, y: pd.Series | pd.DataFrame, argument: str, default: bool
) -> Any:
    """Return labels in the order of the cells if their index names them.

    An index of 0, 1, … names nothing, neither in y nor, as `default` says, in X.
    """
    index = tuple(map(str, y.index))
    if cells is None or index == cells or _is_default(y.index):
        return y
    is_permuted = len(index) == len(cells) and set(index) == set(cells)
    if default:
        if not is_permuted:
            return y
        problem = (
            f"the index of {argument} is that of X in a different order, but the index of X is only 0, 1, …"
        )
        ways = f"{argument}.loc[X.index] to match by index or {argument}.to_numpy() to take it as it is"
        raise ArgumentError(argument, f"{problem}; pass {ways}.")
    repeats = len(set(index)) < len(index)
    if is_permuted and not repeats:
        return y.iloc[pd.Index(index).get_indexer(list(cells))]
    remedy = f"; pass {argument}.to_numpy() if its values are in the order of the cells."
    if repeats and set(index) == set(cells):
        raise ArgumentError(
            argument,
            f"the index of {argument} has names of cells that repeat, in a different order than X{remedy}",
        )
    shared = len(set(index) & set(cells))
    numbers = f"{shared:,} of the {len(cells):,} cells of X" if shared else "none of the cells of X"
    names = f"{argument} has {first_few(index)}, X {first_few(cells)}"
    raise ArgumentError(
        argument, f"{argument} is indexed by {len(index):,} cells, {numbers} among them ({names}){remedy}"
    )


def _with_gaps(present: np.ndarray, missing: np.ndarray) -> np.ndarray:
    labels = np.full(len(missing), None, dtype=object)
    labels[~missing] = present.tolist()
    return labels


def _count_missing(labels: np.ndarray, missing: np.ndarray) -> str:
    text = f"{missing.sum():,} labels are missing or empty"
    written = Counter(str(label).strip() for label in labels[written_as_missing(labels)])
    if written:
        text += (
            f", {written.total():,} of them text that stands for a missing label ({_quoted(list(written))})"
        )
    return text


def _quoted(names: Sequence[str]) -> str:
    return first_few([repr(name) for name in names])


def _obs_column(X: Any, name: str, argument: str) -> pd.Series:
    if not is_anndata(X):
        text = f" names a column of .obs, but X is a {type(X).__name__}; pass the values themselves."
        raise ArgumentError(argument, Argument(argument, name), text)
    if name in X.obs.columns:
        column = X.obs[name]
        if isinstance(column, pd.DataFrame):
            text = f" names {column.shape[1]} columns of .obs; rename all but one of them."
            raise ArgumentError(argument, Argument(argument, name), text)
        return column
    if name in X.var.columns:
        text = " is a column of .var, not of .obs; if the rows of X are genes, transpose it (X.T)."
        raise ArgumentError(argument, Argument(argument, name), text)
    columns = {str(column).casefold(): str(column) for column in X.obs.columns}
    close = [columns[key] for key in difflib.get_close_matches(name.casefold(), columns, n=3)]
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    few = [column for column in X.obs if X.obs[column].nunique() <= min(200, max(2, X.n_obs // 2))]
    text = f" is not a column of .obs.{hint} Columns with few values, which it could be: {few or 'none'}."
    raise ArgumentError(argument, Argument(argument, name), text)
