"""Labels of cells: read from a column of `.obs` or given, missing ones found."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
import pandas as pd

from gene_gcn.cells.expression import first_few, is_anndata
from gene_gcn.errors import Argument, ArgumentError

__all__ = ["is_missing", "read_labels"]


def read_labels(X: Any, y: Any, *, min_classes: int = 1, allow_missing: bool = False) -> np.ndarray:
    """Read one label per cell.

    Parameters
    ----------
    X : AnnData or matrix of B cells, as for `read_expression`
    y : str or array-like, shape (B,)
        The name of a column of `X.obs` if X is an AnnData, or the labels, in the order of the cells.
    min_classes : int
        Smallest number of classes to accept.
    allow_missing : bool
        Accept missing labels, which `is_missing` finds.

    Returns
    -------
    ndarray, shape (B,)
        Labels in their own dtype; categoricals in that of their categories.

    Raises
    ------
    ArgumentError
        If the column does not exist; if there is not one label per cell; if the index of y lists the cells in
        a different order; if labels are missing (None, NaN, NA, empty text) and that is not allowed; if there
        are too few classes.
    """
    cells = tuple(map(str, X.obs_names)) if is_anndata(X) else None
    if isinstance(y, str):
        y = _obs_column(X, y)
    elif y is None:
        raise ArgumentError(
            "y",
            "requires y to be passed, but the target y is None: pass labels or the name of an .obs column.",
        )
    elif isinstance(y, pd.Series) and cells and len(y) == len(cells):
        index = tuple(map(str, y.index))
        if index != cells and set(index) == set(cells):
            raise ArgumentError("y", "y lists the cells of X in a different order; pass y.loc[X.obs_names].")
    labels = np.asarray(y)
    labels = labels.ravel() if labels.ndim == 2 and labels.shape[1] == 1 else labels
    n = len(cells) if cells else X.shape[0] if hasattr(X, "shape") else len(X)
    if labels.shape != (n,):
        text = f"y has shape {labels.shape}, but X has {n:,} cells; pass one label per cell."
        raise ArgumentError("y", text)

    missing = is_missing(labels)
    if missing.any() and not allow_missing:
        first = [cells[i] if cells else i for i in np.flatnonzero(missing)[:4]]
        what = f"{missing.sum():,} labels are missing or empty (cells {first_few(first)})"
        raise ArgumentError("y", f"Input y contains NaN: {what}; drop these cells.")
    classes = pd.unique(labels[~missing])
    if len(classes) < min_classes:
        found = f"{len(classes)} class ({first_few(classes)})" if len(classes) else "no classes"
        raise ArgumentError("y", f"y has {found}, but at least {min_classes} are needed.")
    return labels


def is_missing(labels: np.ndarray) -> np.ndarray:
    """Return which labels are None, NaN, NA or empty text.

    Parameters
    ----------
    labels : ndarray, shape (B,)

    Returns
    -------
    ndarray of bool, shape (B,)
    """
    missing = pd.isna(labels)
    if labels.dtype.kind in "OUT":
        missing |= np.array([isinstance(label, str) and not label.strip() for label in labels], dtype=bool)
    return missing


def _obs_column(X: Any, name: str) -> pd.Series:
    if not is_anndata(X):
        text = f" names a column of .obs, but X is a {type(X).__name__}; pass the labels themselves."
        raise ArgumentError("y", Argument("y", name), text)
    if name in X.obs.columns:
        return X.obs[name]
    close = difflib.get_close_matches(name, map(str, X.obs.columns), n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    few = [column for column in X.obs if X.obs[column].nunique() <= min(200, max(2, X.n_obs // 2))]
    text = f" is not a column of .obs.{hint} Columns with few values, which could be labels: {few or 'none'}."
    raise ArgumentError("y", Argument("y", name), text)
