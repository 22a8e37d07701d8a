"""Read a network from a file of any of the known kinds, told by its content."""

from __future__ import annotations

import os

from gene_gcn.networks.biogrid_db.network import biogrid
from gene_gcn.networks.edges import read
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.string_db.network import string
from gene_gcn.storage.text_files import existing_file, is_zip, read_header


def from_file(
    path: str | os.PathLike[str],
    *,
    info: str | os.PathLike[str] | None = None,
    organism: str | int | None = None,
) -> GeneNetwork:
    """Read STRING's ``protein.links``, a BioGRID table or archive, or a list of edges.

    Parameters
    ----------
    path
        The file; its content tells what it is.
    info
        STRING's ``protein.info`` file, where it is not next to `path`.
    organism
        Which organism to take from a file of STRING or BioGRID.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read as what it is, or `info` or `organism` do not go with it.
    """
    file = existing_file(path)
    header = "" if is_zip(file) else read_header(file)
    if header.split()[:2] == ["protein1", "protein2"] or ".protein." in file.name:
        return string(organism, path=file, info=info)
    if info is not None:
        raise ValueError(f"info={str(info)!r} goes with STRING's protein.links, which {str(path)!r} is not.")
    if is_zip(file) or "Interactor A" in header:
        return biogrid(organism, path=file)
    if organism is not None:
        raise ValueError(
            f"organism={organism!r} goes with files of STRING and BioGRID; {str(path)!r} is an edge file."
        )
    return read(file)
