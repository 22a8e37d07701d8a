"""Networks from files of any known kind, recognized by content."""

from __future__ import annotations

import os

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.networks.biogrid_db.network import biogrid
from gene_gcn.networks.edges import has_string_ids, read_edge_file, warn_of_string_ids
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.string_db.network import string
from gene_gcn.networks.string_db.tables import parse_info
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
    path : path
        The file; its kind is recognized by its content.
    info : path, optional
        STRING's ``protein.info`` file, if it is not next to `path`; also for a list of edges between STRING's
        protein ids, as R's STRINGdb writes it.
    organism : str or int, optional
        Which organism to take from a file of STRING or BioGRID.

    Returns
    -------
    GeneNetwork

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    ArgumentError
        If the file cannot be read, or is of a kind to which `info` or `organism` does not apply.
    """
    file = existing_file(path)
    header = "" if is_zip(file) else read_header(file)
    if header.split()[:2] == ["protein1", "protein2"] or ".protein." in file.name:
        return string(organism, path=file, info=info)
    if is_zip(file) or "Interactor A" in header:
        _refuse(info is not None, "info", info, path)
        return biogrid(organism, path=file)
    if organism is not None:
        text = f" applies only to files of STRING and BioGRID, but {str(path)!r} is an edge file."
        raise ArgumentError("organism", Argument("organism", organism), text)
    network = read_edge_file(file)
    if info is None:
        warn_of_string_ids(network)
        return network
    _refuse(not has_string_ids(network), "info", info, path)
    return network.rename(parse_info(info).to_dict())


def _refuse(is_wrong: bool, name: str, value: object, path: str | os.PathLike[str]) -> None:
    if is_wrong:
        text = f" applies only to STRING's protein.links, which {str(path)!r} is not."
        raise ArgumentError(name, Argument(name, str(value)), text)
