"""Every kernel is the dense product, and its gradient the product with the transpose."""

from __future__ import annotations

import pytest
import torch
from layer_reference import random_matrix, rng
from torch.utils._python_dispatch import TorchDispatchMode

from gene_gcn.nn import GlobalGraph
from gene_gcn.nn.kernels import available_kernels, product, sampled_product


@pytest.mark.sparse
@pytest.mark.parametrize("kernel", available_kernels())
@pytest.mark.parametrize("columns", [1, 7])
def test_every_kernel_is_the_dense_product(kernel, columns, monkeypatch):
    monkeypatch.setattr("gene_gcn.nn.kernels.CHUNK_ENTRIES", 400)  # in several chunks of columns
    dense, x = random_matrix(), torch.randn(30, columns, generator=rng(2), dtype=torch.float64)
    out = available_kernels()[kernel](GlobalGraph(dense.to_sparse_csr()).prepare().adj_t, x)
    torch.testing.assert_close(out, dense @ x)


@pytest.mark.sparse
@pytest.mark.parametrize("kernel", available_kernels())
@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
def test_gradient_is_the_product_with_the_transpose(symmetric, prepared, kernel, monkeypatch):
    only = {kernel: available_kernels()[kernel]}
    monkeypatch.setattr("gene_gcn.nn.kernels.available_kernels", lambda device: only)
    dense = random_matrix(symmetric=symmetric)
    csr = dense.to_sparse_csr()
    graph = GlobalGraph(csr).prepare() if prepared else GlobalGraph(csr)
    x = torch.randn(30, 4, generator=rng(2), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: product(graph.adj_t, x, graph.adj), x)
    torch.testing.assert_close(
        torch.autograd.grad(product(graph.adj_t, x, graph.adj).sum(), x)[0],
        dense.sum(0).unsqueeze(1).expand(-1, 4),
    )


class Transposes(TorchDispatchMode):
    """Count conversions of layout, which happen when a CSR matrix is transposed."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.overloadpacket in (torch.ops.aten._to_sparse_csr, torch.ops.aten.to_sparse_csr)
        return func(*args, **(kwargs or {}))


def test_prepared_graph_is_not_transposed_again():
    csr, x = random_matrix().to_sparse_csr(), torch.rand(30, 4, dtype=torch.float64, requires_grad=True)
    counts = []
    for graph in (GlobalGraph(csr), GlobalGraph(csr).prepare()):
        with Transposes() as seen:
            product(graph.adj_t, x, graph.adj).sum().backward()
        counts.append(seen.count)
    assert counts[0] > 0 and counts[1] == 0


@pytest.mark.parametrize("by_column", [True, False])
def test_a_sampled_product_has_entries_of_the_product(by_column):
    a, b = (torch.randn(size, generator=rng(seed)) for seed, size in enumerate([(6, 5), (5, 30)]))
    row, column = (torch.rand(6, 30, generator=rng(3)) < 0.3).nonzero(as_tuple=True)
    right = b.t().contiguous().t() if by_column else b
    torch.testing.assert_close(sampled_product(row, column, a, right), (a @ b)[row, column])
    none = row[:0]
    assert sampled_product(none, none, a, right).shape == (0,)
