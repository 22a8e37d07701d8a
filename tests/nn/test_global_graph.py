"""The global graph in its prepared form, and every kernel that multiplies it."""

from __future__ import annotations

import pytest
import torch
from layer_reference import rng
from torch.utils._python_dispatch import TorchDispatchMode

from gene_gcn.nn import GlobalGraph
from gene_gcn.nn.kernels import available_kernels, product


def matrix(n=30, density=0.2, symmetric=False, dtype=torch.float64):
    dense = torch.rand(n, n, generator=rng(), dtype=dtype)
    dense = dense * (torch.rand(n, n, generator=rng(1)) < density)
    dense[3] = dense[:, 5] = 0  # no sources, no targets
    return dense + dense.T if symmetric else dense


@pytest.mark.sparse
@pytest.mark.parametrize("kernel", available_kernels())
@pytest.mark.parametrize("columns", [1, 7])
def test_every_kernel_is_the_dense_product(kernel, columns, monkeypatch):
    monkeypatch.setattr("gene_gcn.nn.kernels.CHUNK", 400)  # in several chunks of columns
    dense, x = matrix(), torch.randn(30, columns, generator=rng(2), dtype=torch.float64)
    out = available_kernels()[kernel](GlobalGraph(dense.to_sparse_csr()).prepare().adj_t, x)
    torch.testing.assert_close(out, dense @ x)


@pytest.mark.sparse
@pytest.mark.parametrize("kernel", available_kernels())
@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
def test_the_gradient_is_the_product_with_the_transpose(symmetric, prepared, kernel, monkeypatch):
    only = {kernel: available_kernels()[kernel]}
    monkeypatch.setattr("gene_gcn.nn.kernels.available_kernels", lambda device: only)
    dense = matrix(symmetric=symmetric)
    csr = dense.to_sparse_csr()
    graph = GlobalGraph(csr).prepare() if prepared else GlobalGraph(csr)
    x = torch.randn(30, 4, generator=rng(2), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: product(graph.adj_t, x, graph.adj), x)
    torch.testing.assert_close(
        torch.autograd.grad(product(*graph[:1], x, graph.adj).sum(), x)[0],
        dense.sum(0).unsqueeze(1).expand(-1, 4),
    )


class Transposes(TorchDispatchMode):
    """Counts conversions of layout, which transposing a CSR matrix is."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.overloadpacket in (torch.ops.aten._to_sparse_csr, torch.ops.aten.to_sparse_csr)
        return func(*args, **(kwargs or {}))


def test_a_prepared_graph_is_not_transposed_again():
    csr, x = matrix().to_sparse_csr(), torch.rand(30, 4, dtype=torch.float64, requires_grad=True)
    counts = []
    for graph in (GlobalGraph(csr), GlobalGraph(csr).prepare()):
        with Transposes() as seen:
            product(graph.adj_t, x, graph.adj).sum().backward()
        counts.append(seen.count)
    assert counts[0] > 0 and counts[1] == 0


def test_a_symmetric_network_is_stored_once():
    symmetric, directed = (GlobalGraph(matrix(symmetric=s).to_sparse_csr()).prepare() for s in (True, False))
    assert symmetric.adj is symmetric.adj_t
    torch.testing.assert_close(directed.adj.to_dense(), directed.adj_t.to_dense().T)


def test_to_changes_both_matrices():
    for symmetric in (True, False):
        graph = GlobalGraph(matrix(symmetric=symmetric).to_sparse_csr()).prepare()
        graph = graph.to(torch.float32).to(torch.device("cpu"))
        assert graph.adj_t.dtype == graph.adj.dtype == torch.float32
        assert (graph.adj is graph.adj_t) == symmetric


def test_edges_lead_from_the_first_row_to_the_second():
    graph = GlobalGraph.from_edges(torch.tensor([[0, 0], [2, 2]]), torch.tensor([0.5, 2.0]), 3)
    expected = torch.zeros(3, 3)
    expected[2, 0] = 2.5  # repeated edges add up
    assert torch.equal(graph.adj_t.to_dense(), expected)
