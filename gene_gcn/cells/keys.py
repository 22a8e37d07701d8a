"""Names under which results are written into an AnnData."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from gene_gcn.errors import Argument, ArgumentError

__all__ = ["RESERVED", "check_key", "column_names", "level_column"]

RESERVED = ("_index", ".", "..")  # in HDF5, or by anndata


def check_key(key_added: str) -> None:
    """Refuse a name under which an AnnData cannot be written to a file."""
    key = Argument("key_added", key_added)
    if not isinstance(key_added, str) or not key_added or key_added in RESERVED:
        raise ArgumentError(
            "key_added", key, " is not a name; pass one such as ", Argument("key_added", "cell_type"), "."
        )
    if "/" in key_added:
        better = Argument("key_added", key_added.replace("/", "_"))
        raise ArgumentError(
            "key_added", key, " has '/', which names in .h5ad files cannot have; pass ", better, "."
        )


def level_column(key_added: str, level: str) -> str:
    """Return the column of obs with the labels of a level of a hierarchy."""
    return f"{key_added}_level_{level.replace('/', '|')}"


def column_names(classes: Iterable[Any], index_name: Hashable = None) -> list[str]:
    """Return a name for the column of each type that a DataFrame in an .h5ad file can have.

    They are the types, with "|" instead of "/", and "_" added to what is reserved or taken.
    """
    names: list[str] = []
    taken = {*RESERVED, index_name}
    labels = [str(label) for label in classes]
    kept = {label for label in labels if "/" not in label}
    for label in labels:
        name = label.replace("/", "|")
        while name in taken or (name != label and name in kept):
            name += "_"
        taken.add(name)
        names.append(name)
    return names
