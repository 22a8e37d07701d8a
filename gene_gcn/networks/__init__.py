"""Where a gene network comes from: STRING, BioGRID, edge files, co-expression.

Each function returns a :class:`GeneNetwork`, an immutable value. All of them read what is already on disk or
in memory; none goes online.
"""

from __future__ import annotations

from gene_gcn.networks.biogrid import biogrid
from gene_gcn.networks.coexpression import coexpression
from gene_gcn.networks.edges import read
from gene_gcn.networks.network import GeneNetwork, NetworkSource
from gene_gcn.networks.string import string

__all__ = ["GeneNetwork", "NetworkSource", "biogrid", "coexpression", "read", "string"]
