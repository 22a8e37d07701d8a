"""Products with a sparse matrix, be it the global graph or the cells; the kernel is chosen only here.

torch's own CSR product, where its math library has one, is several times faster than those of torch-sparse
and torch-scatter, which serve elsewhere (`gene-gcn benchmark kernels` measures all of them).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gene_gcn.nn.sparse import csr_tensor, transpose

Kernel: TypeAlias = Callable[[Tensor, Tensor], Tensor]

CHUNK_ENTRIES = 2**24  # gathered at a time by the kernels that gather edges (64 MB)


def csr_product(matrix: Tensor, x: Tensor) -> Tensor:
    out = x.new_empty(matrix.size(0), x.size(1))
    return torch.mm(matrix, x, out=out)  # unlike `@`, this does not fill and copy a table of zeros


def sparse_tensor_product(matrix: Tensor, x: Tensor) -> Tensor:
    from torch_sparse import SparseTensor, matmul

    adj = SparseTensor(
        rowptr=matrix.crow_indices().long(),
        col=matrix.col_indices().long(),
        value=matrix.values(),
        sparse_sizes=tuple(matrix.shape),
        is_sorted=True,
        trust_data=True,
    )
    return matmul(adj, x, reduce="sum")


def segment_product(matrix: Tensor, x: Tensor) -> Tensor:
    from torch_scatter import segment_csr

    pointer, source, weight = matrix.crow_indices().long(), matrix.col_indices(), matrix.values().unsqueeze(1)
    parts = [
        segment_csr(columns[source] * weight, pointer, reduce="sum")
        for columns in _split_columns(x, len(source))
    ]
    return torch.cat(parts, 1)


def scatter_product(matrix: Tensor, x: Tensor) -> Tensor:
    source, weight = matrix.col_indices(), matrix.values().unsqueeze(1)
    target = torch.repeat_interleave(matrix.crow_indices().diff())
    parts = [
        columns.new_zeros(matrix.size(0), columns.size(1)).index_add_(0, target, columns[source] * weight)
        for columns in _split_columns(x, len(source))
    ]
    return torch.cat(parts, 1)


def _split_columns(x: Tensor, num_edges: int) -> tuple[Tensor, ...]:
    return x.split(max(1, CHUNK_ENTRIES // max(1, num_edges)), dim=1)


@cache
def available_kernels(device: str = "cpu") -> dict[str, Kernel]:
    """Return the kernels for products of a CSR matrix (M, N) with (N, columns), the best one first.

    Args:
        device: "cpu" or "cuda".
    """
    kernels: dict[str, Kernel] = {}
    if device == "cuda" or (device == "cpu" and torch.backends.mkl.is_available()):
        kernels["torch CSR"] = csr_product
    if find_spec("torch_sparse"):
        kernels["torch-sparse SparseTensor"] = sparse_tensor_product
    if find_spec("torch_scatter"):
        kernels["gather, torch-scatter segment_csr"] = segment_product
    kernels["gather, index_add"] = scatter_product
    return kernels


def product(adj_t: Tensor, x: Tensor, adj: Tensor | None = None) -> Tensor:
    """Multiply a sparse (M, N) by a dense (N, columns) matrix with the best kernel.

    With a network, each gene gets the sum of its neighbors.

    Args:
        adj_t: CSR matrix; rows of a network are targets.
        x: Columns, such as those of all cells.
        adj: The transpose of `adj_t`, for the gradient; by default each backward pass makes it.
    """
    return _Product.apply(adj_t, x, adj)


def sampled_product(row: Tensor, column: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return chosen entries of the product of two dense matrices, (rows, H) and (H, columns).

    Args:
        row, column: Where the entries are, sorted by row and column, int64 (P,).
        a, b: The matrices. It is seven times as fast if the columns of `b` are contiguous.

    Returns:
        The entries, (P,).
    """
    crow = torch.zeros(len(a) + 1, dtype=torch.int64, device=row.device)
    torch.cumsum(torch.bincount(row, minlength=len(a)), 0, out=crow[1:])
    size = (len(a), b.size(1))
    entries = csr_tensor(crow, column, a.new_zeros(len(row)), size)
    return torch.sparse.sampled_addmm(entries, a, b, beta=0.0).values()


class _Product(torch.autograd.Function):
    """A product with a constant matrix; autograd would transpose it again in every step."""

    @staticmethod
    def forward(ctx: Any, adj_t: Tensor, x: Tensor, adj: Tensor | None) -> Tensor:
        ctx.matrices = adj_t, adj
        return _best_kernel(x)(adj_t, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, None]:
        adj_t, adj = ctx.matrices
        return None, _best_kernel(grad)(transpose(adj_t) if adj is None else adj, grad.contiguous()), None


def _best_kernel(x: Tensor) -> Kernel:
    return next(iter(available_kernels(x.device.type).values()))
