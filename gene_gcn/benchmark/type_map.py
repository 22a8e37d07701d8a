"""Names of types that differ between files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gene_gcn.cells import is_missing, read_labels
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData


def rename_types(cells: AnnData, name: str, label: str, type_map: pd.DataFrame) -> None:
    """Rename the types of a file in place, so that files with different spellings share types.

    Parameters
    ----------
    cells : AnnData
    name : str
        Of the file, without its ending.
    label : str
        Column of `obs`.
    type_map : DataFrame
        From `read_type_map`. Types that it does not list keep their names; those with an empty new name
        become missing labels.
    """
    new_names: dict[str, str] = {}
    for file in ("", name):  # what is said of the file itself has precedence
        rows = type_map[type_map["file"] == file]
        new_names |= dict(zip(rows["label"], rows["type"], strict=True))
    if not new_names:
        return
    labels = read_labels(cells, label, allow_missing=True)
    missing = is_missing(labels)
    renamed = np.full(len(labels), None, dtype=object)
    renamed[~missing] = [new_names.get(str(old), str(old)) or None for old in labels[~missing]]
    cells.obs[label] = renamed


def read_type_map(path: str | Path) -> pd.DataFrame:
    """Read a .csv with the columns "file", "label" and "type".

    "file" is the name of a file without its ending, or empty for all files; "label" is a type as that file
    has it, and "type" its new name, empty to leave its cells out.

    Raises
    ------
    ArgumentError
        A column is absent, or a label of a file has two new names.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise ArgumentError(
            "type_map", Argument("type_map", path), f" is not a table of comma-separated values: {error}."
        ) from error
    columns = ["file", "label", "type"]
    if absent := [column for column in columns if column not in table]:
        raise ArgumentError(
            "type_map",
            Argument("type_map", path),
            f" has no column {absent[0]!r}; its header must be {','.join(columns)}.",
        )
    repeated = table[table.duplicated(["file", "label"])]
    if len(repeated):
        raise ArgumentError(
            "type_map",
            Argument("type_map", path),
            f" lists {repeated['label'].iloc[0]!r} twice for one file; keep one of the rows.",
        )
    return table[columns]
