"""Genes of a cell with equal features, grouped so that work is done once per group.

Tables of a whole batch are stored gene by gene, (N, B, C) in memory, and viewed as (B, N, C), so the sparse
product with the global graph does not need to copy them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class EqualGenes(NamedTuple):
    """Groups of genes with equal features in each cell.

    Group 0 of a cell is its background, which for counts holds the unexpressed genes. Only the P genes of all
    other groups are listed, so the work grows with the number of expressed genes.

    Attributes:
        cell: Cell of each gene outside the background, int64 (P,).
        gene: Index of each of these genes, int64 (P,).
        group: Group of each of these genes, from 1 to M − 1, int64 (P,).
        first: One gene of each group, any gene for an empty group, int64 (B, M).
        size: Number of genes in each group, float (B, M). Cells with fewer groups than others of the batch
            have empty groups at the end.
    """

    cell: Tensor
    gene: Tensor
    group: Tensor
    first: Tensor
    size: Tensor

    def distinct(self, x: Tensor) -> Tensor:
        """Return the feature of each group, (B, N, C) -> (B, M, C); its genes share the gradient evenly."""
        return _Distinct.apply(x, self) if x.requires_grad else _first_of_each(x, self)

    def spread(self, rows: Tensor, num_genes: int) -> Tensor:
        """Give every gene the row of its group, (B, M, C) -> (B, N, C)."""
        return _Spread.apply(rows, None, None, self, num_genes)

    def spread_function(self, rows: Tensor, x: Tensor, slope: Tensor) -> Tensor:
        """Spread rows that are a function of each gene's own feature, with its exact gradient.

        Equal genes have equal rows, but not equal gradients: the gradient with respect to a gene's own
        feature goes to that gene, not to its group.

        Args:
            rows: Value of the function for each group, (B, M, C_out).
            x: Features of the genes, (B, N, C).
            slope: Derivative of the rows by the gene's own feature, (B, M, C_out, C); of group 0 alone, with
                M = 1, if all other groups have one gene.
        """
        return _Spread.apply(rows, x, slope, self, x.size(1))

    def is_repeated(self) -> Tensor:
        """Return whether any group outside the background has several genes, as a boolean tensor."""
        return (self.size[:, 1:] > 1).any()


def _first_of_each(x: Tensor, equal: EqualGenes) -> Tensor:
    return x.gather(1, equal.first.unsqueeze(-1).expand(-1, -1, x.size(-1)))


def _spread(rows: Tensor, equal: EqualGenes, num_genes: int) -> Tensor:
    b, _, c = rows.shape
    # Not a transposed view: autograd would copy it when something is added to it in place.
    table = torch.empty_strided((b, num_genes, c), (c, b * c, 1), dtype=rows.dtype, device=rows.device)
    table.copy_(rows[:, :1].expand_as(table))
    table[equal.cell, equal.gene] = rows[equal.cell, equal.group]
    return table


def _group_sums(x: Tensor, equal: EqualGenes) -> tuple[Tensor, Tensor]:
    """Return the sums over each group, (B, M, C), and x of the listed genes, (P, C)."""
    b, m = equal.size.shape
    listed = x[equal.cell, equal.gene]
    sums = x.new_zeros(b * m, x.size(-1)).index_add_(0, equal.cell * m + equal.group, listed).view(b, m, -1)
    sums[:, 0] = x.sum(1) - sums.sum(1)
    return sums, listed


class _Distinct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, equal: EqualGenes) -> Tensor:
        ctx.save_for_backward(*equal)
        ctx.num_genes = x.size(1)
        return _first_of_each(x, equal)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        equal = EqualGenes(*ctx.saved_tensors)
        share = grad / equal.size.clamp(min=1).to(grad.dtype).unsqueeze(-1)
        return _spread(share, equal, ctx.num_genes), None


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, x: Tensor | None, slope: Tensor | None, equal: EqualGenes, num_genes: int
    ) -> Tensor:
        ctx.save_for_backward(slope, *equal)
        return _spread(rows, equal, num_genes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        slope, *tensors = ctx.saved_tensors
        equal = EqualGenes(*tensors)
        sums, listed = _group_sums(grad, equal)
        if slope is None:
            return sums, None, None, None, None
        # `distinct` gives each gene the mean of its group; what remains is the gene's deviation from it.
        mean = sums / equal.size.clamp(min=1).to(sums.dtype).unsqueeze(-1)
        own = (grad - mean[:, :1]) @ slope[:, 0]  # (B, N, C)
        if slope.size(1) == 1:
            own[equal.cell, equal.gene] = 0
        else:
            deviation = listed - mean[equal.cell, equal.group]
            own[equal.cell, equal.gene] = (deviation.unsqueeze(1) @ slope[equal.cell, equal.group]).squeeze(1)
        return sums, own, None, None, None


def find_equal_genes(x: Tensor) -> EqualGenes:
    """Group the genes of each cell by their features.

    With one channel, values are compared. With more, features are compared by a random projection in double
    precision, and the groups are checked against the features themselves. If two features have the same
    projection, every gene gets a group of its own, which costs time but does not change results.

    Args:
        x: Features, (B, N, C).
    """
    x = x.detach()
    key = x.squeeze(-1) if x.size(-1) == 1 else _project(x)
    value, order = key.contiguous().sort(dim=1)  # (B, N)
    new = torch.ones_like(value, dtype=torch.bool)
    new[:, 1:] = value[:, 1:] != value[:, :-1]
    group = torch.empty_like(order).scatter_(1, order, new.cumsum(1) - 1)
    equal = _list_groups(group)
    if x.size(-1) > 1 and not torch.equal(equal.spread(equal.distinct(x), x.size(1)), x):
        return _list_groups(torch.arange(x.size(1), device=x.device).repeat(len(x), 1))
    return equal


def _project(x: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(x.size(-1), dtype=torch.float64, generator=generator)
    return (x.double() * direction.to(x.device)).sum(-1)  # (B, N)


def _list_groups(group: Tensor) -> EqualGenes:
    """List the groups of a table of group numbers (B, N); the largest of each cell becomes group 0."""
    b, n = group.shape
    if not group.numel():
        none = torch.empty(0, dtype=torch.int64, device=group.device)
        first = group.new_zeros(b, min(n, 1))
        return EqualGenes(none, none, none, first, first.float())
    m = int(group.max()) + 1
    size = torch.zeros(b, m, device=group.device).scatter_add_(1, group, torch.ones_like(group).float())
    first = torch.zeros(b, m, dtype=torch.int64, device=group.device).scatter_(
        1, group, torch.arange(n, device=group.device).expand(b, n)
    )
    largest = size.argmax(1, keepdim=True)  # (B, 1), to be swapped with group 0
    for table in (size, first):
        moved = table.gather(1, largest)
        table.scatter_(1, largest, table[:, :1].clone())
        table[:, :1] = moved
    group = torch.where(group == largest, 0, torch.where(group == 0, largest, group))
    cell, gene = group.nonzero(as_tuple=True)
    return EqualGenes(cell, gene, group[cell, gene], first, size)
