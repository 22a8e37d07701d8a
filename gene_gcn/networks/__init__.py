"""Gene networks from STRING, BioGRID, edge files and co-expression.

A :class:`GeneNetwork` is an immutable value. :func:`string`, :func:`biogrid` and, for annotations of genes,
:func:`string_terms` download what is not in the cache; :func:`cached` lists its content and :func:`remove`
removes files. :func:`for_genes` returns a network under the names of the user's genes;
:func:`resolve_network` accepts whatever an estimator's `network` can be.
"""

from __future__ import annotations

# Imported at once, because modules such as coexpression.py are named like their function: importing only the
# module would hide the function. None of them imports torch, requests or other slow packages.
from gene_gcn.networks.biogrid_db.network import biogrid, biogrid_versions
from gene_gcn.networks.coexpression import coexpression
from gene_gcn.networks.edges import read
from gene_gcn.networks.for_genes import for_genes
from gene_gcn.networks.from_file import from_file
from gene_gcn.networks.gene_terms import GeneTerms
from gene_gcn.networks.matching import GeneMatch, match_genes
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.resolve import ResolvedNetwork, read_network, resolve_network
from gene_gcn.networks.source import NetworkSource
from gene_gcn.networks.string_db.network import string, string_versions
from gene_gcn.networks.string_db.terms import string_terms
from gene_gcn.networks.string_db.vectors import GeneVectors, string_vectors
from gene_gcn.storage.cache import cached, remove
from gene_gcn.storage.download import DownloadError

__all__ = [
    "DownloadError",
    "GeneMatch",
    "GeneNetwork",
    "GeneTerms",
    "GeneVectors",
    "NetworkSource",
    "ResolvedNetwork",
    "biogrid",
    "biogrid_versions",
    "cached",
    "coexpression",
    "for_genes",
    "from_file",
    "match_genes",
    "read",
    "read_network",
    "remove",
    "resolve_network",
    "string",
    "string_terms",
    "string_vectors",
    "string_versions",
]
