"""CSR tensors: the same matrix from every source, and no warnings."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from layer_reference import random_matrix, rng
from scipy import sparse

from gene_gcn.nn import GlobalGraph
from gene_gcn.nn.kernels import product
from gene_gcn.nn.sparse import csr_from_edges, csr_from_scipy, csr_tensor, to_csr, transpose


def scipy_matrix(rows=7, columns=5):
    return sparse.random(rows, columns, density=0.3, format="csr", random_state=0)


@pytest.mark.parametrize("shape", [(7, 5), (1, 1), (3, 0), (0, 3)])
def test_scipy_matrix_equals_dense_matrix(shape):
    matrix = scipy_matrix(*shape)
    tensor = csr_from_scipy(matrix)
    assert tensor.layout == torch.sparse_csr and tensor.dtype == torch.float32
    assert tensor.crow_indices().dtype == tensor.col_indices().dtype == torch.int32
    np.testing.assert_array_equal(tensor.to_dense(), matrix.toarray().astype(np.float32))


def test_parts_make_the_matrix():
    matrix = scipy_matrix()
    crow, col, value = (torch.from_numpy(part) for part in (matrix.indptr, matrix.indices, matrix.data))
    np.testing.assert_array_equal(csr_tensor(crow, col, value, matrix.shape).to_dense(), matrix.toarray())


def test_repeated_edges_are_summed():
    edge_index = torch.tensor([[0, 2, 0, 1, 0], [1, 0, 1, 3, 1]])
    adj_t = csr_from_edges(edge_index, torch.tensor([1.0, 2, 4, 8, 16]), (4, 4))
    expected = torch.zeros(4, 4)
    expected[1, 0], expected[0, 2], expected[3, 1] = 21, 2, 8  # rows are targets
    assert adj_t.layout == torch.sparse_csr and adj_t._nnz() == 3
    assert torch.equal(adj_t.to_dense(), expected)


def test_edges_equal_dense_sums():
    edge_index, weight = torch.randint(0, 6, (2, 40), generator=rng()), torch.rand(40, generator=rng(1))
    dense = torch.zeros(6, 6).index_put((edge_index[1], edge_index[0]), weight, accumulate=True)
    torch.testing.assert_close(csr_from_edges(edge_index, weight, (6, 6)).to_dense(), dense)


@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_coo, torch.sparse_csr, torch.sparse_csc])
def test_every_layout_converts_to_the_same_matrix(layout):
    dense = random_matrix()
    matrix = dense if layout == torch.strided else dense.to_sparse(layout=layout)
    assert to_csr(matrix).layout == torch.sparse_csr
    assert torch.equal(to_csr(matrix).to_dense(), dense)


def test_transposing_twice_gives_the_same_matrix():
    csr = csr_from_scipy(scipy_matrix())
    once = transpose(csr)
    assert once.layout == torch.sparse_csr and torch.equal(once.to_dense(), csr.to_dense().T)
    twice = transpose(once)
    for part in ("crow_indices", "col_indices", "values"):
        assert torch.equal(getattr(twice, part)(), getattr(csr, part)())


EDGES, ONES = torch.tensor([[0, 1], [1, 2]]), torch.ones(2)
MAKERS = {
    "csr_from_scipy": lambda: csr_from_scipy(sparse.csr_matrix(np.eye(3))),
    "csr_from_edges": lambda: csr_from_edges(EDGES, ONES, (3, 3)),
    "csr_tensor": lambda: csr_tensor(torch.tensor([0, 1, 2]), torch.tensor([0, 1]), ONES, (2, 2)),
    "to_csr": lambda: to_csr(torch.eye(3)),
    "transpose": lambda: transpose(to_csr(torch.eye(3))),
    "GlobalGraph": lambda: GlobalGraph.from_edges(EDGES, ONES, 3).prepare().adj_t,
}


@pytest.fixture
def strict_warnings():
    """Turn warnings into errors, also those that torch gives only once per process."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    torch.set_warn_always(before)


@pytest.mark.parametrize("name", MAKERS)
def test_no_warning_is_shown(name, strict_warnings):
    matrix = MAKERS[name]()
    x = torch.ones(matrix.size(1), 2, requires_grad=True)
    product(matrix, x).sum().backward()


def test_torch_alone_would_warn(strict_warnings):
    with pytest.raises(UserWarning, match="Sparse"):
        torch.eye(3).to_sparse_csr()


def test_products_need_torch_alone():
    program = (
        "import sys, gene_gcn.nn.global_graph, gene_gcn.nn.kernels, gene_gcn.nn.sparse; "
        "assert not {'torch_geometric', 'scipy', 'sklearn', 'pandas', 'lightning'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
