from __future__ import annotations

import sys
import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from small_networks import GENES, dense, random_network, small

from gene_gcn.errors import NetworkWarning
from gene_gcn.networks import GeneNetwork


def test_frame_round_trip():
    network = random_network()
    frame = network.to_frame()
    assert list(frame.columns) == ["source", "target", "weight"]
    assert len(frame) == network.num_edges
    assert GeneNetwork.from_frame(frame).align(network.genes) == network


def test_from_frame_columns():
    frame = pd.DataFrame({"weight": [1.0, 2.0], "target": ["B", "C"], "note": ["", ""], "source": ["A", "A"]})
    expected = GeneNetwork(["A", "B", "C"], [[0, 0], [1, 2]], [1, 2])
    assert GeneNetwork.from_frame(frame) == expected
    by_position = frame[["source", "target", "weight"]].set_axis(["x", "y", "z"], axis=1)
    assert GeneNetwork.from_frame(by_position) == expected
    assert GeneNetwork.from_frame(by_position.astype({"x": "category", "y": "category"})) == expected
    assert GeneNetwork.from_frame(by_position.astype({"x": "string"})) == expected
    unweighted = GeneNetwork.from_frame(frame[["source", "target"]])
    assert unweighted.edge_weight.unique().tolist() == [1]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"a": ["A"], "b": ["B"], "c": [1], "d": [1]}, "name those of the edges 'source', 'target'"),
        ({"source": ["A"]}, "the table has columns"),
        ({"source": ["A", None], "target": ["B", "C"]}, "column 'source' has 1 missing"),
        ({"source": ["A"], "target": [7157]}, "a gene is named 7157"),
        ({"source": ["A"], "target": [""]}, "a gene is named ''"),
        (
            {"source": ["A"], "target": ["B"], "weight": ["high"]},
            r"row 1 \(A, B\): weight is 'high', which is not a number",
        ),
        (
            {"source": ["A"], "target": ["B"], "weight": [-1]},
            r"row 1 \(A, B\): weight is -1, but scores must be positive",
        ),
    ],
)
def test_from_frame_errors(frame, message):
    with pytest.raises(ValueError, match=message):
        GeneNetwork.from_frame(pd.DataFrame(frame))


def test_networkx_round_trip():
    graph = small().to_networkx()
    assert list(graph.nodes) == GENES and graph.number_of_edges() == 3
    assert graph["MDM2"]["ACTB"]["weight"] == 0.5
    assert GeneNetwork.from_networkx(graph) == small()
    assert GeneNetwork.from_networkx(small().with_diagonal(1).to_networkx()) == small()


def test_from_other_kinds_of_networkx_graphs():
    directed = nx.MultiDiGraph([("A", "B", {"score": 2}), ("B", "A", {"score": 4}), ("B", "C", {"score": 1})])
    directed.add_node("alone")
    expected = GeneNetwork(["A", "B", "C", "alone"], [[0, 1], [1, 2]], [4, 1])
    assert GeneNetwork.from_networkx(directed, weight="score") == expected
    unweighted = GeneNetwork(["A", "B", "C", "alone"], [[0, 1], [1, 2]])
    assert GeneNetwork.from_networkx(directed, weight=None) == unweighted
    with pytest.warns(NetworkWarning, match=r"attribute 'score', which is a guess; .* pass weight='score'"):
        assert GeneNetwork.from_networkx(directed) == expected
    directed["A"]["B"][0].pop("score")
    with pytest.raises(ValueError, match="1 of 3 edges lack the attribute weight='score'"):
        GeneNetwork.from_networkx(directed, weight="score")
    with pytest.raises(ValueError, match="genes contains 0"):
        GeneNetwork.from_networkx(nx.path_graph(3))


def test_adj_t_is_symmetric_csr_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adj_t = random_network().with_diagonal(1).adj_t
    assert adj_t.layout == torch.sparse_csr and adj_t.dtype == torch.float32
    torch.testing.assert_close(adj_t.to_dense(), adj_t.to_dense().T, rtol=0, atol=0)


@pytest.mark.parametrize("diagonal", [0, 1])
def test_to_data(diagonal):
    network = random_network().with_diagonal(diagonal)
    data = network.to_data()
    assert data.num_nodes == network.num_genes and data.genes == list(network.genes)
    assert data.is_undirected() and data.is_coalesced() and data.has_self_loops() == bool(diagonal)
    again = GeneNetwork(data.genes, data.edge_index, data.edge_weight).with_diagonal(diagonal)
    assert again.edge_index.equal(network.edge_index)
    data.edge_weight.zero_()  # a copy, so the network does not change
    assert network.edge_weight.min() > 0


@pytest.mark.sparse
def test_sparse_tensor_is_the_same_matrix():
    torch_sparse = pytest.importorskip("torch_sparse")
    network = random_network().with_diagonal(1)
    tensor = network.to_sparse_tensor()
    assert isinstance(tensor, torch_sparse.SparseTensor)
    np.testing.assert_array_equal(tensor.to_dense().numpy(), dense(network))


def test_sparse_tensor_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_sparse", None)
    with pytest.raises(ImportError, match=r"pip install --no-build-isolation 'gene-gcn\[sparse\]'"):
        small().to_sparse_tensor()


def test_scores_of_networkx_graphs_are_read_or_said(recwarn):
    graph = nx.Graph(
        [("A", "B", {"combined_score": 900, "x": 1}), ("B", "C", {"combined_score": 450, "x": 1})]
    )
    assert GeneNetwork.from_networkx(graph) == GeneNetwork(["A", "B", "C"], [[0, 1], [1, 2]], [900, 450])
    assert not recwarn.list
    other = nx.Graph([("A", "B", {"kind": "x"})])
    with pytest.warns(NetworkWarning, match=r"Every edge weighs 1, .*\(kind\).* weight='kind'"):
        assert GeneNetwork.from_networkx(other).edge_weight.tolist() == [1, 1]
    both = nx.Graph([("A", "B", {"score": 1, "confidence": 2})])
    with pytest.raises(ValueError, match=r"several attributes that can be scores \(score, confidence\)"):
        GeneNetwork.from_networkx(both)
    with pytest.raises(ValueError, match="1 of 1 edges lack the attribute weight='mass'; choose one of kind"):
        GeneNetwork.from_networkx(other, weight="mass")
    graph["B"]["C"]["combined_score"] = float("nan")
    with pytest.raises(ValueError, match=r"row 2 \(B, C\): combined_score is nan"):
        GeneNetwork.from_networkx(graph)
