"""Products of a sparse matrix, the global graph or the cells: which code runs them is chosen here alone.

torch's own CSR product, where its math library has one, is several times faster than those of the torch-sparse
and torch-scatter packages, which serve elsewhere (`gene-gcn benchmark kernels` measures all of them).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gene_gcn.nn.sparse import transpose

CHUNK = 2**24  # gathered entries at a time (64 MB), where edges are gathered


def csr_product(matrix: Tensor, x: Tensor) -> Tensor:
    out = x.new_empty(matrix.size(0), x.size(1))
    return torch.mm(matrix, x, out=out)  # `@` fills and copies a table of zeros


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
    columns = x.split(max(1, CHUNK // max(1, len(source))), dim=1)
    return torch.cat([segment_csr(part[source] * weight, pointer, reduce="sum") for part in columns], 1)


def scatter_product(matrix: Tensor, x: Tensor) -> Tensor:
    source, weight = matrix.col_indices(), matrix.values().unsqueeze(1)
    target = torch.repeat_interleave(matrix.crow_indices().diff())
    columns = x.split(max(1, CHUNK // max(1, len(source))), dim=1)
    return torch.cat(
        [
            part.new_zeros(matrix.size(0), part.size(1)).index_add_(0, target, part[source] * weight)
            for part in columns
        ],
        1,
    )


@cache
def available_kernels(device: str = "cpu") -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Products (M, N) @ (N, columns) that work on "cpu" or "cuda", the best first; matrices are torch CSR."""
    kernels = {}
    if device == "cuda" or device == "cpu" and torch.backends.mkl.is_available():
        kernels["torch CSR"] = csr_product
    if find_spec("torch_sparse"):
        kernels["torch-sparse SparseTensor"] = sparse_tensor_product
    if find_spec("torch_scatter"):
        kernels["gather, torch-scatter segment_csr"] = segment_product
    return kernels | {"gather, index_add": scatter_product}


def product(adj_t: Tensor, x: Tensor, adj: Tensor | None = None) -> Tensor:
    """Sparse (M, N) @ dense (N, columns) by the best kernel; with a network, the neighbours' sum for each gene.

    Args:
        adj_t: CSR matrix; of a network, with targets as rows.
        x: Columns, such as those of all cells.
        adj: Its transpose, for the gradient; made at each backward pass when it is not given.
    """
    return _Product.apply(adj_t, x, adj)


class _Product(torch.autograd.Function):
    """autograd's own gradient of a CSR product makes the transpose again at every step."""

    @staticmethod
    def forward(ctx, adj_t: Tensor, x: Tensor, adj: Tensor | None) -> Tensor:
        ctx.matrices = adj_t, adj
        return _best_kernel(x)(adj_t, x)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[None, Tensor, None]:
        adj_t, adj = ctx.matrices
        return None, _best_kernel(grad)(transpose(adj_t) if adj is None else adj, grad.contiguous()), None


def _best_kernel(x: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    return next(iter(available_kernels(x.device.type).values()))
