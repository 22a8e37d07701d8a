"""Sparse CSR tensors: the only place where they are made.

torch warns once per process that CSR tensors are in beta and that their parts are not checked. The package
only multiplies them, and their parts come from SciPy or torch, so these warnings are silenced.
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
    """Build a CSR matrix from its parts, which are not checked."""
    with _silent():
        return torch.sparse_csr_tensor(crow, col, value, tuple(size), check_invariants=False)


def csr_from_scipy(matrix: sparse.csr_matrix) -> Tensor:
    """Convert a SciPy matrix to float32, with 32-bit indices where they suffice, which MKL uses."""
    index = torch.int32 if matrix.nnz < 2**31 else torch.int64
    crow, col = (torch.from_numpy(part).to(index) for part in (matrix.indptr, matrix.indices))
    return csr_tensor(crow, col, torch.from_numpy(matrix.data).float(), matrix.shape)


def csr_from_edges(edge_index: Tensor, edge_weight: Tensor, size: Sequence[int]) -> Tensor:
    """Build the transposed adjacency matrix of edges (2, E): rows are targets, repeated edges are summed."""
    with _silent():
        adj_t = torch.sparse_coo_tensor(edge_index.flip(0), edge_weight, tuple(size), check_invariants=False)
        return adj_t.coalesce().to_sparse_csr()


def to_csr(matrix: Tensor) -> Tensor:
    """Convert a dense matrix, or a sparse one of any layout, to CSR."""
    with _silent():
        return matrix.to_sparse_csr()


def transpose(matrix: Tensor) -> Tensor:
    """Transpose a CSR matrix; the result is CSR, too."""
    with _silent():
        return matrix.t().to_sparse_csr()


@contextmanager
def _silent() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
