"""Where a gene network comes from: STRING, BioGRID, edge files, co-expression.

A :class:`GeneNetwork` is an immutable value. :func:`string` and :func:`biogrid` fetch what is not in the cache
yet; :func:`cached` lists what is, :func:`remove` removes it. :func:`for_genes` gives a network under the names
of the user's genes.
"""

from __future__ import annotations

from gene_gcn.networks.biogrid_db.network import biogrid, biogrid_versions
from gene_gcn.networks.coexpression import coexpression
from gene_gcn.networks.edges import read
from gene_gcn.networks.for_genes import for_genes
from gene_gcn.networks.from_file import from_file
from gene_gcn.networks.matching import GeneMatch, match_genes
from gene_gcn.networks.network import GeneNetwork, NetworkSource
from gene_gcn.networks.string_db.network import string, string_versions
from gene_gcn.storage.cache import cached, remove
from gene_gcn.storage.download import DownloadError

__all__ = [
    "DownloadError",
    "GeneMatch",
    "GeneNetwork",
    "NetworkSource",
    "biogrid",
    "biogrid_versions",
    "cached",
    "coexpression",
    "for_genes",
    "from_file",
    "match_genes",
    "read",
    "remove",
    "string",
    "string_versions",
]
