"""The individual graph: exact attention over all genes of a cell, without an N × N matrix.

Genes of one cell with equal features have equal rows and equal columns in the attention graph. Attention over
the M distinct features, each weighted by its multiplicity m (`log m` added to its score), is therefore the
same sum with its equal terms collected. In counts of 20,000 genes some 20 to 100 distinct values occur.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# exp(-1e4) is zero in every floating-point type; -inf would turn the gradient of padding into NaN.
LOG_OF_NOTHING = -1e4
LARGEST_DENSE_GRAPH = 2**28     # entries of G (1 GB in float32)


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
        """The feature of each group, (B, N, C) -> (B, M, C)."""
        return x.gather(1, self.first.unsqueeze(-1).expand(-1, -1, x.size(-1)))

    def spread(self, x: Tensor, num_genes: int) -> Tensor:
        """Give every gene the feature of its group, (B, M, C) -> (B, N, C)."""
        background = x[:, :1].expand(-1, num_genes, -1)
        return background.index_put((self.cell, self.gene), x[self.cell, self.group])


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
    value, order = key.sort(dim=1)                                      # (B, N)
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
    return (x.double() * direction.to(x.device)).sum(-1)                # (B, N)


def _list_groups(group: Tensor) -> EqualGenes:
    """EqualGenes of a table (B, N) of group numbers; the largest group of each cell becomes its group 0."""
    b, n = group.shape
    m = int(group.max()) + 1
    size = torch.zeros(b, m, device=group.device).scatter_add_(1, group, torch.ones_like(group).float())
    first = torch.zeros(b, m, dtype=torch.int64, device=group.device).scatter_(
        1, group, torch.arange(n, device=group.device).expand(b, n))
    largest = size.argmax(1, keepdim=True)                              # (B, 1) changes places with group 0
    for table in (size, first):
        moved = table.gather(1, largest)
        table.scatter_(1, largest, table[:, :1].clone())
        table[:, :1] = moved
    group = torch.where(group == largest, 0, torch.where(group == 0, largest, group))
    cell, gene = group.nonzero(as_tuple=True)
    return EqualGenes(cell, gene, group[cell, gene], first, size)


def attend(query: Tensor, key: Tensor, value: Tensor, multiplicity: Tensor | None = None) -> Tensor:
    r"""Softmax attention in memory linear in the number of genes.

    .. math:: o_i = \sum_j \frac{m_j \exp(q_i \cdot k_j / \sqrt{d_k})}
                               {\sum_l m_l \exp(q_i \cdot k_l / \sqrt{d_k})} \, v_j

    The multiplicities enter as one more channel, 1 in the queries and :math:`\log m_j` in the keys: a mask
    would have N × N entries.

    Args:
        query, key: :math:`(B, N, d_k)` and :math:`(B, M, d_k)`.
        value: :math:`(B, M, C)`.
        multiplicity: :math:`(B, M)`; 0 leaves a key out. By default all 1.

    Returns:
        :math:`(B, N, C)`.
    """
    channels = value.size(-1)
    query = query / math.sqrt(query.size(-1))
    if multiplicity is not None:
        bias = multiplicity.to(key.dtype).log().clamp(min=LOG_OF_NOTHING)
        query = torch.cat([query, torch.ones_like(query[..., :1])], dim=-1)
        key = torch.cat([key, bias.unsqueeze(-1)], dim=-1)
    # The kernels without an N × N matrix want equal widths, those of GPUs multiples of 8.
    width = -(-max(query.size(-1), channels) // 8) * 8
    query, key, value = (F.pad(t, (0, width - t.size(-1))).unsqueeze(1) for t in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, scale=1.0).squeeze(1)[..., :channels]


class EmbeddedDotAttention(nn.Module):
    r"""Mean of all genes of a cell, weighted for each gene by a learned similarity.

    .. math:: G_{ij} = \mathrm{softmax}_j \, \theta(x_i) \cdot \phi(x_j) / \sqrt{d_k}, \qquad o = G x

    with :math:`\theta(x) = W_\theta x + b_\theta` and :math:`\phi(x) = W_\phi x + b_\phi` (embedded dot
    product of `Learning Actor Relation Graphs for Group Activity Recognition
    <https://doi.org/10.1109/CVPR.2019.01020>`_, Wu et al., 2019).

    Args:
        in_channels: C, features of a gene.
        key_channels: :math:`d_k`, size of the embedding.

    Shapes:
        - **input:** :math:`(B, N, C)`
        - **output:** :math:`(B, N, C)`
    """

    def __init__(self, in_channels: int, key_channels: int = 16):
        super().__init__()
        self.theta = nn.Linear(in_channels, key_channels)
        self.phi = nn.Linear(in_channels, key_channels)

    def reset_parameters(self) -> None:
        self.theta.reset_parameters()
        self.phi.reset_parameters()

    def forward(self, x: Tensor, equal: EqualGenes | None = None,
                transform: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Average over all genes.

        Args:
            x: Features, (B, N, C).
            equal: Genes with equal features, when they are known. Gradients of parameters are exact; that of
                `x` is exact summed over each group and arrives at its first gene. Without it, equal genes
                are looked for unless `x` requires a gradient, which then is exact for every gene.
            transform: What to do with each gene's average, (…, C) -> (…, C_out): once for equal genes.
        """
        transform = transform or nn.Identity()
        if equal is None and not x.requires_grad:
            equal = find_equal_genes(x)
        if equal is None:
            return transform(attend(self.theta(x), self.phi(x), x))
        rows = equal.distinct(x)                                        # (B, N, C) -> (B, M, C)
        out = attend(self.theta(rows), self.phi(rows), rows, equal.size)
        return equal.spread(transform(out), x.size(1))

    def graph(self, x: Tensor) -> Tensor:
        """The attention graph G itself, for a few genes: (B, N, C) -> (B, N, N), rows sum to 1.

        Raises:
            ValueError: If G would have more than 2**28 entries.
        """
        b, n, _ = x.shape
        if b * n * n > LARGEST_DENSE_GRAPH:
            raise ValueError(f"G of x with shape {tuple(x.shape)} would have {b * n * n:,} entries, more than "
                             f"{LARGEST_DENSE_GRAPH:,}; pass fewer cells or genes.")
        theta, phi = self.theta(x), self.phi(x)
        return (theta @ phi.transpose(1, 2) / math.sqrt(theta.size(-1))).softmax(dim=-1)
