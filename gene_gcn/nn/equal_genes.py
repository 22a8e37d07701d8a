"""Genes of a cell that have equal features, found and listed so that work is done once for all of them.

Tables of a whole batch are laid out gene after gene, (N, B, C) in memory, and shown as (B, N, C): the sparse
product with the global graph then needs no copy of them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class EqualGenes(NamedTuple):
    """Which genes of each cell have equal features.

    Group 0 of a cell is its background, for counts the genes without expression; the P genes of all other
    groups are listed, so that the work grows with the expressed genes.

    Attributes
    ----------
    cell, gene, group : Tensors of int64, shape (P,)
        The genes outside the background and their groups, from 1 to M − 1.
    first : Tensor of int64, shape (B, M)
        One gene of each group; any gene where the group is empty.
    size : Tensor of float, shape (B, M)
        Number of genes in each group; 0 where a group is empty, as the last ones are in cells with fewer
        groups than others of the batch.
    """

    cell: Tensor
    gene: Tensor
    group: Tensor
    first: Tensor
    size: Tensor

    def distinct(self, x: Tensor) -> Tensor:
        """The feature of each group, (B, N, C) -> (B, M, C); its gradient is shared evenly by the genes."""
        return _Distinct.apply(x, self) if x.requires_grad else _first_of_each(x, self)

    def spread(self, rows: Tensor, num_genes: int) -> Tensor:
        """Give every gene the row of its group, (B, M, C) -> (B, N, C)."""
        return _Spread.apply(rows, None, None, self, num_genes)

    def spread_function(self, rows: Tensor, x: Tensor, slope: Tensor) -> Tensor:
        """`spread` for rows that are a function of each gene's own feature, with its exact gradient.

        Equal genes have equal rows, but not equal gradients: those of the rows' dependence on the gene's own
        feature go to each gene, not to the group.

        Args:
            rows: The function's value for each group, (B, M, C_out).
            x: The genes' features, (B, N, C).
            slope: Derivative of the rows by the own feature, (B, M, C_out, C), or of group 0 alone, with M = 1,
                where all other groups have one gene.
        """
        return _Spread.apply(rows, x, slope, self, x.size(1))

    def is_repeated(self) -> Tensor:
        """Whether a group outside the background has several genes in any cell, a boolean."""
        return (self.size[:, 1:] > 1).any()


def _first_of_each(x: Tensor, equal: EqualGenes) -> Tensor:
    return x.gather(1, equal.first.unsqueeze(-1).expand(-1, -1, x.size(-1)))


def _spread(rows: Tensor, equal: EqualGenes, num_genes: int) -> Tensor:
    b, _, c = rows.shape
    # Not a transposed view, which autograd would copy when something is added to it in place.
    table = torch.empty_strided((b, num_genes, c), (c, b * c, 1), dtype=rows.dtype, device=rows.device)
    table.copy_(rows[:, :1].expand_as(table))
    table[equal.cell, equal.gene] = rows[equal.cell, equal.group]
    return table


def _group_sums(x: Tensor, equal: EqualGenes) -> tuple[Tensor, Tensor]:
    """Sums over each group (B, M, C), and x of the listed genes (P, C)."""
    b, m = equal.size.shape
    listed = x[equal.cell, equal.gene]
    sums = x.new_zeros(b * m, x.size(-1)).index_add_(0, equal.cell * m + equal.group, listed).view(b, m, -1)
    sums[:, 0] = x.sum(1) - sums.sum(1)
    return sums, listed


class _Distinct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, equal: EqualGenes) -> Tensor:
        ctx.save_for_backward(*equal)
        ctx.num_genes = x.size(1)
        return _first_of_each(x, equal)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        equal = EqualGenes(*ctx.saved_tensors)
        share = grad / equal.size.clamp(min=1).to(grad.dtype).unsqueeze(-1)
        return _spread(share, equal, ctx.num_genes), None


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, rows: Tensor, x: Tensor | None, slope: Tensor | None, equal: EqualGenes, num_genes: int
    ) -> Tensor:
        ctx.save_for_backward(slope, *equal)
        return _spread(rows, equal, num_genes)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        slope, *tensors = ctx.saved_tensors
        equal = EqualGenes(*tensors)
        sums, listed = _group_sums(grad, equal)
        if slope is None:
            return sums, None, None, None, None
        # The rows take the group's sum through `distinct`, evenly; here is what each gene differs from that.
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

    With one channel, equality is that of the values. With more, rows are compared by a random projection in
    double precision and the grouping is checked against the features themselves; genes whose equality is
    missed stay in groups of their own, which costs time and changes no result.

    Parameters
    ----------
    x : Tensor, shape (B, N, C)

    Returns
    -------
    EqualGenes
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
    """EqualGenes of a table (B, N) of group numbers; the largest group of each cell becomes its group 0."""
    b, n = group.shape
    m = int(group.max()) + 1
    size = torch.zeros(b, m, device=group.device).scatter_add_(1, group, torch.ones_like(group).float())
    first = torch.zeros(b, m, dtype=torch.int64, device=group.device).scatter_(
        1, group, torch.arange(n, device=group.device).expand(b, n)
    )
    largest = size.argmax(1, keepdim=True)  # (B, 1) changes places with group 0
    for table in (size, first):
        moved = table.gather(1, largest)
        table.scatter_(1, largest, table[:, :1].clone())
        table[:, :1] = moved
    group = torch.where(group == largest, 0, torch.where(group == 0, largest, group))
    cell, gene = group.nonzero(as_tuple=True)
    return EqualGenes(cell, gene, group[cell, gene], first, size)
