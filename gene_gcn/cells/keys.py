"""Names under which results are written into an AnnData."""

from __future__ import annotations

from gene_gcn.errors import Argument, ArgumentError

__all__ = ["RESERVED", "check_key"]

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
