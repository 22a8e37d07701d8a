"""The global graph, built from edges or matrices, and prepared for products."""

from __future__ import annotations

import copy

import torch
from layer_reference import random_matrix

from gene_gcn.nn import GlobalGraph


def test_symmetric_network_is_stored_once():
    symmetric, directed = (
        GlobalGraph(random_matrix(symmetric=s).to_sparse_csr()).prepare() for s in (True, False)
    )
    assert symmetric.adj is symmetric.adj_t
    torch.testing.assert_close(directed.adj.to_dense(), directed.adj_t.to_dense().T)


def test_to_changes_both_matrices():
    for symmetric in (True, False):
        graph = GlobalGraph(random_matrix(symmetric=symmetric).to_sparse_csr()).prepare()
        graph = graph.to(torch.float32).to(torch.device("cpu"))
        assert graph.adj_t.dtype == graph.adj.dtype == torch.float32
        assert (graph.adj is graph.adj_t) == symmetric


def test_edges_point_from_the_first_row_to_the_second():
    graph = GlobalGraph.from_edges(torch.tensor([[0, 0], [2, 2]]), torch.tensor([0.5, 2.0]), 3)
    expected = torch.zeros(3, 3)
    expected[2, 0] = 2.5  # repeated edges add up
    assert torch.equal(graph.adj_t.to_dense(), expected)


def test_a_model_that_holds_a_graph_can_be_copied():
    graph = GlobalGraph.from_edges(torch.tensor([[0, 1], [1, 2]]), None, 3).prepare()
    assert copy.deepcopy([graph])[0].adj_t is graph.adj_t
