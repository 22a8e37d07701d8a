"""Graphs as files that Cytoscape, Gephi and networkx read."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from gene_gcn.storage.atomic import replacing

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["write_cyjs", "write_graphml"]


def write_graphml(graph: nx.Graph, path: str | os.PathLike[str]) -> None:
    """Write GraphML, whole or not at all; see `gene_gcn.storage.atomic.replacing` for errors."""
    import networkx as nx

    with replacing(path) as temporary:
        nx.write_graphml(graph, temporary)


def write_cyjs(graph: nx.Graph, path: str | os.PathLike[str]) -> None:
    """Write Cytoscape JSON, whole or not at all; see `gene_gcn.storage.atomic.replacing` for errors."""
    import networkx as nx

    with replacing(path) as temporary:
        temporary.write_text(json.dumps(nx.cytoscape_data(graph), allow_nan=False), encoding="utf-8")
