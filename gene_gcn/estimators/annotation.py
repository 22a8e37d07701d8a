"""What `annotate` writes into an AnnData, in forms that .h5ad files hold."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gene_gcn.cells import UNASSIGNED
from gene_gcn.errors import Argument, ArgumentError

if TYPE_CHECKING:
    from anndata import AnnData

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


def write_types(
    adata: AnnData,
    key_added: str,
    classes: np.ndarray,
    probability: np.ndarray,
    empty: np.ndarray,
    origin: Mapping[str, str],
) -> None:
    """Write the types of cells into an AnnData, as `GeneGCNClassifier.annotate` documents it.

    Parameters
    ----------
    adata : AnnData of B cells
    key_added : str
        Checked.
    classes : ndarray, shape (K,)
    probability : ndarray, shape (B, K)
    empty : ndarray of bool, shape (B,)
        Cells that get no type.
    origin : mapping of str to str
        How the types were made.
    """
    adata.obs[key_added] = types_of_cells(classes, probability.argmax(1), empty)
    adata.obs[f"{key_added}_confidence"] = probability.max(1)
    adata.obsm[f"{key_added}_proba"] = pd.DataFrame(
        probability, index=adata.obs_names, columns=column_names(classes, adata.obs_names.name)
    )
    adata.uns[key_added] = {**origin, "types": np.array([str(label) for label in classes], dtype=object)}


def types_of_cells(classes: np.ndarray, best: np.ndarray, empty: np.ndarray) -> pd.Categorical:
    """Return the type of each cell: that of the index `best` (B,), or "unassigned" where it is `empty` (B,).

    Where types are numbers, those of empty cells are missing: .h5ad files hold no numbers beside text.
    """
    if not empty.any():
        return pd.Categorical.from_codes(best, categories=classes)
    types = classes.tolist()
    if not all(isinstance(name, str) for name in types):
        return pd.Categorical.from_codes(np.where(empty, -1, best), categories=classes)
    if UNASSIGNED not in types:
        types.append(UNASSIGNED)
    return pd.Categorical.from_codes(np.where(empty, types.index(UNASSIGNED), best), categories=types)


def column_names(classes: np.ndarray, index_name: Hashable) -> list[str]:
    """Return a name for the column of each type that a DataFrame in an .h5ad file can have.

    They are the types, with "|" instead of "/", and "_" added to what is reserved or taken.
    """
    names: list[str] = []
    taken = {*RESERVED, index_name}
    kept = {str(label) for label in classes if "/" not in str(label)}
    for label in map(str, classes):
        name = label.replace("/", "|")
        while name in taken or (name != label and name in kept):
            name += "_"
        taken.add(name)
        names.append(name)
    return names
