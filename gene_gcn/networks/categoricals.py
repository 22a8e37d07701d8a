"""Columns of names as pandas categoricals: work is done once per distinct name, not per row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import IO, Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

_ROWS_AT_A_TIME = 1_000_000


def read_categoricals(file: IO[bytes], **options: Any) -> pd.DataFrame:
    """Read a table of text with `pandas.read_csv`, each column as a categorical.

    In blocks, because `dtype="category"` takes columns of digits for numbers from pandas 3 on.
    """
    rows = pd.read_csv(file, dtype=str, chunksize=_ROWS_AT_A_TIME, **options)
    blocks = [as_categoricals(block) for block in rows]
    if len(blocks) == 1:
        return blocks[0]
    columns = blocks[0].columns
    return pd.DataFrame({name: union_categoricals([block[name] for block in blocks]) for name in columns})


def as_categoricals(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with each column as a categorical."""
    return pd.DataFrame({name: as_categorical(table[name]) for name in table.columns}, index=table.index)


def as_categorical(values: Any) -> pd.Series:
    """Return values as a categorical whose categories are Python strings in every version of pandas."""
    categorical = pd.Series(values).astype("category")
    return categorical.cat.rename_categories(categorical.cat.categories.astype(object))


def categories(column: pd.Series) -> pd.Series:
    """Return the distinct values of a categorical column."""
    return pd.Series(column.cat.categories, dtype=object)


def rename_categories(values: pd.Categorical, names: Iterable[str]) -> pd.Categorical:
    """Give each category a new name; categories that get the same name become one, missing values stay so."""
    codes, unique = pd.factorize(pd.Index(names, dtype=object))
    return pd.Categorical.from_codes(np.append(codes, -1)[values.codes], categories=unique)


def select_categories(column: pd.Series, is_wanted: Callable[[str], bool]) -> np.ndarray:
    """Return for each row of a categorical column whether its category, in lower case, is wanted."""
    wanted = [is_wanted(str(text).lower()) for text in column.cat.categories]
    return np.array([*wanted, False])[column.cat.codes]  # the code of a missing value is -1
