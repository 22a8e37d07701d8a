"""The attention functions of Wu et al. (2019): dot product, embedded dot product, and sum of projections."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.nn.attention import HALF_PRECISION, GeneAttention, attend
from gene_gcn.nn.scalar_attention import grid_intervals, scalar_attention


class BilinearAttention(GeneAttention):
    r"""Attention whose score is :math:`x_i M x_j + c \cdot x_j`, up to terms that are the same for all *j*.

    Keys and values are then the features themselves.
    """

    def bilinear_form(self) -> tuple[Tensor, Tensor]:
        """Return M (H, C, C) and c (H, C)."""
        raise NotImplementedError

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        return self._project(query) @ key.unsqueeze(1).transpose(-1, -2)

    def attend(self, query: Tensor, key: Tensor, multiplicity: Tensor | None = None) -> Tensor:
        return self._average(key, query, key, multiplicity)

    def jacobian(self, query: Tensor, key: Tensor, multiplicity: Tensor) -> Tensor:
        mean = self.attend(query, key, multiplicity)  # (B, H, Q, C)
        products = (key.unsqueeze(-1) * key.unsqueeze(-2)).flatten(-2)  # (B, M, C·C)
        second = self._average(products, query, key, multiplicity).unflatten(-1, (key.size(-1), -1))
        covariance = second - mean.unsqueeze(-1) * mean.unsqueeze(-2)
        matrix, _ = self._bilinear_form_like(query)
        return covariance @ matrix.transpose(-1, -2).unsqueeze(1)

    def _bilinear_form_like(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return M and c with the data type and device of `x`."""
        matrix, offset = self.bilinear_form()
        return matrix.to(x), offset.to(x)

    def _project(self, x: Tensor) -> Tensor:
        """Return the queries x M + c of all graphs: (B, Q, C) -> (B, H, Q, C)."""
        matrix, offset = self._bilinear_form_like(x)
        x = x.unsqueeze(1)  # (B, 1, Q, C)
        return (x * matrix if x.size(-1) == 1 else x @ matrix) + offset.unsqueeze(1)

    def _average(self, value: Tensor, query: Tensor, key: Tensor, multiplicity: Tensor | None) -> Tensor:
        """Average the values for each query; as all graphs have the same keys, their queries are stacked."""
        query = self._project(query)  # (B, H, Q, C), stacked (B, H·Q, C)
        return attend(query.flatten(1, 2), key, value, multiplicity).unflatten(1, query.shape[1:3])

    def _grid_intervals(self, x: Tensor, required: bool) -> int | None:
        if x.size(-1) > 1:
            return super()._grid_intervals(x, required)
        matrix, offset = self._bilinear_form_like(x)
        intervals = grid_intervals(x.squeeze(-1), matrix.flatten(), offset.flatten())
        if intervals is None and required:
            raise ArgumentError(
                "method",
                Argument("method", "scalar"),
                f" would need too fine a grid to be exact for x of shape {tuple(x.shape)} with values "
                f"between {x.min().item():.3g} and {x.max().item():.3g}. Use ",
                Argument("method", "auto"),
                ".",
            )
        return intervals

    def _attend_on_grid(self, x: Tensor, intervals: int) -> Tensor:
        matrix, offset = self._bilinear_form_like(x)
        return scalar_attention(x.squeeze(-1), matrix.flatten(), offset.flatten(), intervals).unsqueeze(-1)


class DotAttention(BilinearAttention):
    r"""Attention by the dot product of the features themselves.

    .. math:: f(x_i, x_j) = x_i \cdot x_j / \sqrt C

    It has no parameters. Several graphs split the channels among them.

    Args:
        in_channels: C, features of a gene.
        heads: H, a divisor of C.

    Raises:
        ArgumentError: If H does not divide C.
    """

    def __init__(self, in_channels: int, heads: int = 1):
        super().__init__(in_channels, heads)
        if in_channels % heads:
            raise ArgumentError(
                "heads",
                Argument("heads", heads),
                " does not divide ",
                Argument("in_channels", in_channels),
                ", but the graphs of dot-product attention split the channels. Use ",
                Argument("attention", "embedded_dot"),
                " for any number of graphs.",
            )

    def bilinear_form(self) -> tuple[Tensor, Tensor]:
        width = self.in_channels // self.heads
        channel = torch.arange(self.in_channels)
        own = channel // width == torch.arange(self.heads).unsqueeze(1)
        matrix = torch.diag_embed(own.double() / math.sqrt(width))
        return matrix, torch.zeros(self.heads, self.in_channels)


class EmbeddedDotAttention(BilinearAttention):
    r"""Attention by the dot product of learned embeddings, as in the paper.

    .. math:: f(x_i, x_j) = \theta(x_i) \cdot \phi(x_j) / \sqrt{d_k}, \qquad
              \theta(x) = W_\theta x + b_\theta, \quad \phi(x) = W_\phi x

    :math:`\phi` has no bias: it would add the same number to all scores of a gene, and the softmax would
    cancel it. Scores are computed with :math:`M = W_\theta^\top W_\phi / \sqrt{d_k}` and
    :math:`c = b_\theta W_\phi / \sqrt{d_k}`.

    Args:
        in_channels: C, features of a gene.
        heads: H, number of graphs.
        key_channels: :math:`d_k`, size of the embeddings.
    """

    def __init__(self, in_channels: int, heads: int = 1, key_channels: int = 16):
        super().__init__(in_channels, heads)
        self.theta = nn.Linear(in_channels, heads * key_channels)
        self.phi = nn.Linear(in_channels, heads * key_channels, bias=False)
        self.reset_parameters()

    def bilinear_form(self) -> tuple[Tensor, Tensor]:
        theta = self.theta.weight.unflatten(0, (self.heads, -1))  # (H, d, C)
        phi = self.phi.weight.unflatten(0, (self.heads, -1))
        scale = 1 / math.sqrt(theta.size(1))
        bias = self.theta.bias.unflatten(0, (self.heads, 1, -1))
        return theta.transpose(1, 2) @ phi * scale, (bias @ phi).squeeze(1) * scale


class AdditiveAttention(GeneAttention):
    r"""Attention by a sum of two projections, the relation network of the reference.

    .. math:: f(x_i, x_j) = \mathrm{ReLU}(\theta(x_i) + \phi(x_j)), \qquad
              \theta(x) = w_\theta \cdot x + b, \quad \phi(x) = w_\phi \cdot x

    The reference maps the concatenation of two embeddings to one number; here the product of these linear
    maps is learned directly. The mean is exact in :math:`O(N \log N)` for any C: with the genes sorted by
    :math:`\phi`, the ReLU is positive for the last ones and zero, a weight of 1, for the first ones. The sums
    of :math:`e^{\phi_j} x_j` over the former and of :math:`x_j` over the latter are two cumulative sums.

    Args:
        in_channels: C, features of a gene.
        heads: H, number of graphs.
    """

    def __init__(self, in_channels: int, heads: int = 1):
        super().__init__(in_channels, heads)
        self.theta = nn.Linear(in_channels, heads)
        self.phi = nn.Linear(in_channels, heads, bias=False)
        self.reset_parameters()

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        theta, phi = self._project(query, key)
        return (theta.unsqueeze(-1) + phi.unsqueeze(-2)).relu()

    def attend(self, query: Tensor, key: Tensor, multiplicity: Tensor | None = None) -> Tensor:
        inactive, active = self._sums(query, key, multiplicity)
        sums = inactive + active
        return (sums[..., 1:] / sums[..., :1]).to(query.dtype)

    def jacobian(self, query: Tensor, key: Tensor, multiplicity: Tensor) -> Tensor:
        inactive, active = self._sums(query, key, multiplicity)
        sums = inactive + active
        mean = sums[..., 1:] / sums[..., :1]
        by_theta = (active[..., 1:] - mean * active[..., :1]) / sums[..., :1]  # (B, H, Q, C)
        slope = by_theta.unsqueeze(-1) * self.theta.weight[:, None, None, :].to(by_theta)
        return slope.to(query.dtype)

    def _project(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Return θ of the queries (B, H, Q) and φ of the keys (B, H, M)."""
        weight, bias = self.theta.weight.to(query.dtype), self.theta.bias.to(query.dtype)
        theta = F.linear(query, weight, bias).transpose(1, 2).contiguous()
        phi = F.linear(key, self.phi.weight.to(key.dtype)).transpose(1, 2).contiguous()
        return theta, phi

    def _sums(self, query: Tensor, key: Tensor, multiplicity: Tensor | None) -> tuple[Tensor, Tensor]:
        """Sum weights and weighted features, (B, H, Q, 1 + C), where the ReLU is zero and where it is not."""
        if key.dtype in HALF_PRECISION:  # would lose the digits of a sum over thousands of genes
            query, key = query.float(), key.float()
        theta, phi = self._project(query, key)
        phi, order = phi.sort(dim=-1)
        last = phi[..., -1:]
        if multiplicity is None:
            count = torch.ones_like(key[..., :1])
        else:
            count = multiplicity.to(key.dtype).unsqueeze(-1)
        terms = torch.cat([count, count * key], -1).unsqueeze(1).expand(-1, self.heads, -1, -1)
        terms = terms.gather(2, order.unsqueeze(-1).expand(-1, -1, -1, terms.size(-1)))  # (B, H, M, 1 + C)
        start = torch.searchsorted(phi.detach(), -theta.detach(), right=True)  # first with f > 0
        start = start.unsqueeze(-1).expand(-1, -1, -1, terms.size(-1))
        zero = torch.zeros_like(terms[:, :, :1])
        inactive = torch.cat([zero, terms.cumsum(2)], 2).gather(2, start)
        weighted = terms * (phi - last).exp().unsqueeze(-1)
        active = torch.cat([weighted.flip(2).cumsum(2).flip(2), zero], 2).gather(2, start)
        largest = (theta + last).relu().unsqueeze(-1)  # divided out of both sums, so that nothing overflows
        return inactive * (-largest).exp(), active * ((theta + last).unsqueeze(-1) - largest).exp()


ATTENTIONS: dict[str, type[GeneAttention]] = {
    "embedded_dot": EmbeddedDotAttention,
    "dot": DotAttention,
    "additive": AdditiveAttention,
}
