r"""The interaction layer and the first linear layer of the head in one step, for expression.

With one channel, :math:`Z = (G + A) X W` is not negative where expression, network and :math:`W` are not, as
in nearly every step of training. The ReLU then changes nothing, and the input of the head is linear in few
numbers: the means of the groups of equal genes, and the weight of the network. For their gradients, that of
the input is needed only at expressed genes, where a sampled product computes it, and summed over each cell.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from gene_gcn.nn.equal_genes import EqualGenes
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.kernels import sampled_product

# The gradient of the weight of the network is the rest of a difference, divided by this weight; dividing by a
# smaller one would leave fewer digits than float32 has elsewhere.
SMALLEST_WEIGHT = 0.05
FEWEST_CELLS = 16  # with fewer, what does not grow with their number takes longer than the general way


class Expression:
    """Expression of equal genes, as it is needed here.

    Attributes:
        equal: Groups of equal genes; the genes of a cell are together, in ascending order.
        listed: Expression of the genes that `equal` lists, (P,).
        background: Expression of the others of each cell, (B,).
    """

    def __init__(self, x: Tensor, equal: EqualGenes):
        self.equal = equal
        self.listed = x[equal.cell, equal.gene]
        self.background = x.gather(1, equal.first[:, :1]).squeeze(1)

    def is_linear(self, means: Tensor, scale: Tensor, graph: GlobalGraph | None) -> bool:
        """Return whether the ReLU changes nothing, and gradients keep their digits.

        Args:
            means: Means of the attention graph for each group, times their weight, (B, M).
            scale: The weight of the global graph, one number.
            graph: The global graph, or None.
        """
        if not means.min() >= 0:  # also where one is NaN
            return False
        if graph is None:
            return True
        tensors = (self.listed, self.background, graph.adj_t.values())
        return bool(scale >= SMALLEST_WEIGHT) and all(t.numel() == 0 or bool(t.min() >= 0) for t in tensors)


def expression_layer(
    x: Expression,
    means: Tensor,
    neighbors: Tensor | None,
    scale: Tensor,
    weight: Tensor,
    bias: Tensor,
    residual: bool = True,
) -> Tensor:
    r"""Return :math:`(X + G X W + A X W) W_1^\top + b_1`, where `x.is_linear`.

    The gradient of `weight` is laid out as `weight` is. This is fastest where the weights of a gene are
    together, as in the transpose of a contiguous matrix (N, H).

    Args:
        x: Expression, without a gradient.
        means: :math:`G X W` of each group of equal genes, (B, M).
        neighbors: :math:`A X`, (N, B), without a gradient; None leaves it out.
        scale: :math:`W`, one number, of the neighbors; otherwise it is not used.
        weight: :math:`W_1`, (H, N).
        bias: :math:`b_1`, (H,).
        residual: Whether X is added.
    """
    return _ExpressionLayer.apply(means, scale, weight, bias, x, neighbors, residual)


class _ExpressionLayer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        means: Tensor,
        scale: Tensor,
        weight: Tensor,
        bias: Tensor,
        x: Expression,
        neighbors: Tensor | None,
        residual: bool,
    ) -> Tensor:
        equal = x.equal
        background = means[:, 0] + x.background if residual else means[:, 0]  # (B,)
        listed = means.flatten()[equal.cell * means.size(1) + equal.group]  # (P,)
        if residual:
            listed += x.listed
        listed -= background[equal.cell]
        table = means.new_empty(weight.size(1), len(means))  # (N, B)
        if neighbors is None:
            table.copy_(background.expand_as(table))
        else:
            torch.add(background, neighbors, alpha=float(scale), out=table)
        table.view(-1).index_add_(0, equal.gene * len(means) + equal.cell, listed)
        out = (weight @ table).t().contiguous()  # (B, H)
        ctx.x, ctx.residual, ctx.has_neighbors = x, residual, neighbors is not None
        ctx.save_for_backward(means, scale, weight, table, out)
        return out + bias

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        means, scale, weight, table, out = ctx.saved_tensors
        x, equal = ctx.x, ctx.x.equal
        grad = grad.contiguous()
        by_weight = (table @ grad).t() if weight.stride(0) == 1 else grad.t() @ table.t()
        # The gradient of the table, at listed genes and summed over all genes of each cell.
        own = sampled_product(equal.cell, equal.gene, grad, weight)  # (P,)
        total = grad @ weight.sum(1)  # (B,)
        group = equal.cell * means.size(1) + equal.group
        by_means = torch.zeros_like(means).view(-1).index_add_(0, group, own).view_as(means)
        others = total - by_means.sum(1)  # of the background
        by_means[:, 0] = others
        by_scale = None
        if ctx.has_neighbors:  # of the sum of out · grad, the part of the neighbors
            rest = torch.sum(out * grad, dtype=torch.double)
            rest -= torch.sum(by_means * means, dtype=torch.double)
            if ctx.residual:
                rest -= torch.sum(own * x.listed, dtype=torch.double)
                rest -= torch.sum(others * x.background, dtype=torch.double)
            by_scale = (rest / scale.double()).to(scale.dtype).view_as(scale)
        return by_means, by_scale, by_weight, grad.sum(0), None, None, None
