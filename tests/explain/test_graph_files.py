"""networkx reads back the graphs that were written, and what cannot be written leaves the old file."""

from __future__ import annotations

import json

import networkx as nx
import pytest
from explained_cells import small_explanation

from gene_gcn.errors import ArgumentError


def read_cyjs(path):
    return nx.cytoscape_graph(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind", ["graphml", "cyjs"])
def test_graphs_come_back(tmp_path, kind):
    explanation, path = small_explanation(), tmp_path / f"graph.{kind}"
    getattr(explanation, f"write_{kind}")(path, "B", 4, cells=2)
    back = nx.read_graphml(path) if kind == "graphml" else read_cyjs(path)
    graph = explanation.to_networkx("B", 4, cells=2)
    assert back.is_directed() and set(back.edges) == set(graph.edges)
    for gene, values in graph.nodes(data=True):
        assert {name: back.nodes[gene][name] for name in values} == pytest.approx(values)
    for source, target, value in graph.edges(data="contribution"):
        assert back.edges[source, target]["contribution"] == pytest.approx(value)


@pytest.mark.parametrize("kind", ["graphml", "cyjs"])
def test_a_failure_leaves_the_old_file(tmp_path, kind):
    path = tmp_path / f"graph.{kind}"
    path.write_text("old")
    with pytest.raises(ArgumentError, match="type='C'"):
        getattr(small_explanation(), f"write_{kind}")(path, "C")
    assert path.read_text() == "old" and list(tmp_path.glob("graph*")) == [path]
    with pytest.raises(ArgumentError, match="is a folder"):
        getattr(small_explanation(), f"write_{kind}")(tmp_path, "B")
