"""Sparse CSR tensors: the one place where they are made.

torch says once per process that CSR tensors are new and that their parts are not checked. What is asked of them here is
products, and the parts come from SciPy or torch, so nobody needs to read that.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["csr_from_edges", "csr_from_scipy", "csr_tensor", "to_csr", "transpose"]


def csr_tensor(crow: Tensor, col: Tensor, value: Tensor, size: Sequence[int]) -> Tensor:
    """The matrix of these parts, unchecked."""
    with _quiet():
        return torch.sparse_csr_tensor(crow, col, value, tuple(size), check_invariants=False)


def csr_from_scipy(matrix: sparse.csr_matrix) -> Tensor:
    """A SciPy matrix in float32, with 32-bit indices where they suffice: what MKL computes with."""
    index = torch.int32 if matrix.nnz < 2**31 else torch.int64
    crow, col = (torch.from_numpy(part).to(index) for part in (matrix.indptr, matrix.indices))
    return csr_tensor(crow, col, torch.from_numpy(matrix.data).float(), matrix.shape)


def csr_from_edges(edge_index: Tensor, edge_weight: Tensor, size: Sequence[int]) -> Tensor:
    """The transposed adjacency matrix of edges (2, E): targets are rows; edges given several times are summed."""
    with _quiet():
        adj_t = torch.sparse_coo_tensor(edge_index.flip(0), edge_weight, tuple(size), check_invariants=False)
        return adj_t.coalesce().to_sparse_csr()


def to_csr(matrix: Tensor) -> Tensor:
    """A sparse or dense matrix of any layout as CSR."""
    with _quiet():
        return matrix.to_sparse_csr()


def transpose(matrix: Tensor) -> Tensor:
    """The transposed CSR matrix, as CSR."""
    with _quiet():
        return matrix.t().to_sparse_csr()


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse", category=UserWarning)
        yield
