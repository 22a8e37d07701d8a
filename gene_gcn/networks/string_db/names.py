"""The names of an organism's genes, from STRING's files of preferred names and of aliases."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gene_gcn.errors import NetworkWarning, warn
from gene_gcn.genes.organisms import find_organism
from gene_gcn.networks.aliases import string_aliases
from gene_gcn.networks.string_db.network import VERSION, fetch_aliases, fetch_info
from gene_gcn.networks.string_db.tables import parse_aliases, parse_info
from gene_gcn.storage import cache
from gene_gcn.storage.download import DownloadError


def fetched_aliases(organism: str | int, version: str | None = None, **fetching: Any) -> pd.DataFrame:
    """Return all names that STRING knows of an organism's genes, as `match_genes` takes them.

    Parameters
    ----------
    organism : str or int
    version : str, optional
        By default 12.0.
    **fetching
        ``base_url`` and ``progress`` of :func:`gene_gcn.networks.string`.

    Raises
    ------
    DownloadError
        If a file cannot be downloaded.

    Warns
    -----
    NetworkWarning
        If STRING has no aliases of the organism, so that only preferred names and ids are known.
    """
    version = version or VERSION
    taxid = find_organism(organism).taxid
    info = fetch_info(taxid, version, **fetching)
    with cache.discarding(info):
        names = parse_info(info)
    try:
        file = fetch_aliases(taxid, version, **fetching)
        with cache.discarding(file):
            table = parse_aliases(file)
    except DownloadError as error:
        if not error.missing:
            raise
        warn(NetworkWarning(f"{error} Genes are matched only by STRING's preferred names and ids."))
        table = pd.DataFrame(columns=["protein", "alias", "source"], dtype=str)
    return string_aliases(table, names)
