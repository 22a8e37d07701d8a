"""Columns of names as pandas categoricals: work is done once per distinct name, not per row."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd


def categories(column: pd.Series) -> pd.Series:
    """Return the distinct values of a categorical column."""
    return pd.Series(column.cat.categories, dtype=object)


def rename_categories(values: pd.Categorical, names: Iterable[str]) -> pd.Categorical:
    """Give each category a new name; categories that get the same name become one."""
    codes, unique = pd.factorize(pd.Index(names, dtype=object))
    old = values.codes
    return pd.Categorical.from_codes(codes[old] if len(codes) else old, categories=unique)


def select_categories(column: pd.Series, is_wanted: Callable[[str], bool]) -> np.ndarray:
    """Return for each row of a categorical column whether its category, in lower case, is wanted."""
    wanted = np.array([is_wanted(str(text).lower()) for text in column.cat.categories], dtype=bool)
    return wanted[column.cat.codes]
