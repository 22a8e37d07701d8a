"""The individual graph: exact attention over all genes of a cell, without an N × N matrix.

Several methods give the same numbers, for any of the `attention_functions` and with H graphs in parallel:

- *merged*: genes with equal features have equal rows and columns in the graph, so attention over the distinct
  features, weighted by their multiplicities, is the same sum with equal terms collected. The counts of 20,000
  genes take only some 20 to 100 distinct values; with learned gene vectors, all unexpressed genes are equal;
- *scalar*: for one channel with distinct values, see `scalar_attention`;
- *flash*: over all genes with `scaled_dot_product_attention`, in memory linear in N;
- *dense*: the graph written out; the reference, for a few genes.

docs/guide/attention.md derives these methods and measures their cost.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.nn.equal_genes import EqualGenes, find_equal_genes
from gene_gcn.nn.graph_batch import GraphBatch, check_batch_arguments

METHODS = ("auto", "merged", "scalar", "flash", "dense")
# Stands for log 0: exp(-1e4) is zero in every floating-point type, and -inf would turn the gradient of
# padding into NaN.
LOG_ZERO = -1e4
MAX_DENSE_ENTRIES = 2**28  # of the graphs written out (1 GB in float32)
MAX_UNFUSED_KEYS = 128  # with so few keys, writing out the scores is faster than the fused kernel
BUCKET_SIZE = 4  # cells with similar numbers of groups that are attended to together
HALF_PRECISION = (torch.bfloat16, torch.half)
INITIAL_BOUND = 0.1  # of the weights of a new layer with one channel
MAX_MERGED_ROWS = 512  # with so few distinct values per cell, merging is faster than the grid


class GeneAttention(nn.Module):
    r"""Weighted means over all genes of a cell, one for each gene, in H graphs.

    .. math:: G^h_{ij} = \mathrm{softmax}_j \, f_h(x_i, x_j), \qquad
              o_i = \frac{1}{H} \sum_h \sum_j G^h_{ij} \, x_j W_h

    The functions :math:`f_h` are those of `Learning Actor Relation Graphs for Group Activity Recognition
    <https://doi.org/10.1109/CVPR.2019.01020>`_ (Wu et al., 2019): :class:`EmbeddedDotAttention`,
    :class:`DotAttention` and :class:`AdditiveAttention`. They define `scores`, `attend` and `jacobian`.

    Args:
        in_channels: C, features of a gene.
        heads: H, number of graphs.

    Shapes:
        - **x:** :math:`(B, N, C)`, or :math:`(\sum_b N_b, C)` with **batch** :math:`(\sum_b N_b)`
        - **output:** :math:`(B, N, C_{out})`, or :math:`(\sum_b N_b, C_{out})`
    """

    def __init__(self, in_channels: int, heads: int = 1):
        super().__init__()
        self.in_channels = in_channels
        self.heads = heads

    def reset_parameters(self) -> None:
        """Draw small weights, so that attention starts near the plain mean.

        Expression reaches 20; with larger weights the softmax would select only the gene with the highest
        expression.
        """
        bound = INITIAL_BOUND / math.sqrt(self.in_channels)
        for lin in self.modules():
            if isinstance(lin, nn.Linear):
                nn.init.uniform_(lin.weight, -bound, bound)
                if lin.bias is not None:
                    nn.init.zeros_(lin.bias)

    def forward(
        self,
        x: Tensor,
        weight: Tensor | None = None,
        equal: EqualGenes | None = None,
        method: str = "auto",
        return_attention: bool = False,
        batch: Tensor | None = None,
        batch_size: int | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Average over all genes.

        Args:
            x: Features, (B, N, C); or (N, C) with `batch`. One NaN makes all results of its cell NaN, and
                those of no other cell.
            weight: :math:`W_h` of each graph, (H, C, C_out); by default the identity.
            equal: Genes with equal features, if known. By default they are searched for, unless `x` requires
                a gradient: the input of a later layer does, and few of its genes are equal.
            method: "auto", "merged", "scalar", "flash" or "dense". "auto" chooses by the shape of the input;
                all methods give the same numbers and gradients.
            return_attention: Also return the graphs, (B, H, N, N); this implies the method "dense". Those of
                graphs with fewer genes than others of the batch are padded with zeros.
            batch: Graph of each gene, sorted, (N,), as in a ``torch_geometric.data.Batch``: each gene
                averages over the genes of its own graph. Graphs of the same size are computed together.
            batch_size: B; by default, `batch` tells. Only with `batch`.

        Raises:
            ArgumentError: If the method is unknown or does not support this input, or shapes do not match.
        """
        if method not in METHODS:
            raise ArgumentError(
                "method",
                Argument("method", method),
                f" is unknown; choose one of {', '.join(map(repr, METHODS))}.",
            )
        self._check(x, equal, batch, batch_size)
        if not x.is_floating_point():
            x = x.to(next((p.dtype for p in self.parameters()), torch.get_default_dtype()))
        if batch is not None:
            return self._attend_by_graph(x, weight, method, return_attention, batch, batch_size)
        dtype = x.dtype
        autocast = torch.is_autocast_enabled(x.device.type)
        if dtype in HALF_PRECISION and x.size(-1) == 1 and not autocast:
            # No kernel is faster in half precision with one channel, and its gradients would lose digits.
            weight = None if weight is None else weight.float()
            out = self(x.float(), weight, equal, method, return_attention)
            return tuple(part.to(dtype) for part in out) if return_attention else out.to(dtype)
        if return_attention or method == "dense":
            graph = self.graph(x)
            out = self._project_and_average(graph @ x.unsqueeze(1), weight)
            return (out, graph) if return_attention else out
        if not x.numel():
            return self._project_and_average(x.unsqueeze(1).expand(-1, self.heads, -1, -1), weight)
        # A compiler cannot follow choices that depend on the data.
        compiling = torch.compiler.is_compiling()
        search = method == "merged" or (method == "auto" and not x.requires_grad and not compiling)
        if equal is None and search:
            equal = find_equal_genes(x)
        rows = x.size(1) if equal is None else equal.size.size(1)
        scalar = method == "scalar" or (
            method == "auto" and x.size(-1) == 1 and rows > MAX_MERGED_ROWS and not compiling
        )
        intervals = self._grid_intervals(x, required=method == "scalar") if scalar else None
        if intervals is not None:
            return self._project_and_average(self._attend_on_grid(x, intervals), weight)
        if equal is not None and method != "flash":
            return self._attend_merged(x, equal, weight)
        return self._project_and_average(self.attend(x, x), weight)

    def graph(self, x: Tensor) -> Tensor:
        """Return the attention graphs of a few genes: (B, N, C) -> (B, H, N, N), whose rows sum to 1.

        Raises:
            ArgumentError: If they would have more than 2**28 entries.
        """
        self._check_dense(x, *x.shape[:2])
        return self.scores(x, x).softmax(dim=-1)

    def rows(self, x: Tensor, index: Tensor) -> Tensor:
        """Return rows of the attention graphs: what some genes attend to.

        The work is that of Q rows; the graphs are never computed.

        Args:
            x: Features, (B, N, C).
            index: Numbers of the genes, (Q,).

        Returns:
            Weights of all genes, (B, H, Q, N), which sum to 1 over the last dimension.
        """
        self._check(x, None, None, None)
        return self.scores(x[:, index], x).softmax(dim=-1)

    def _check_dense(self, x: Tensor, num_graphs: int, num_genes: int) -> None:
        entries = num_graphs * self.heads * num_genes**2
        if entries > MAX_DENSE_ENTRIES:
            raise ArgumentError(
                "x",
                f"The attention graphs of x with shape {tuple(x.shape)} would have {entries:,} entries, "
                f"more than the limit of {MAX_DENSE_ENTRIES:,}. Pass fewer cells or genes, or use "
                "another method than ",
                Argument("method", "dense"),
                " without ",
                Argument("return_attention", True),
                ".",
            )

    def _check(
        self, x: Tensor, equal: EqualGenes | None, batch: Tensor | None, batch_size: int | None
    ) -> None:
        c = self.in_channels
        if x.dim() != (3 if batch is None else 2) or x.size(-1) != c:
            expected = f"(B, N, {c}), or (N, {c}) with batch" if batch is None else f"(N, {c}) with batch"
            raise ArgumentError("x", f"x has shape {tuple(x.shape)}, expected {expected}.")
        if x.is_complex():
            raise ArgumentError("x", f"x has data type {x.dtype}, but attention compares real numbers.")
        check_batch_arguments(equal, batch, batch_size)

    @torch.compiler.disable
    def _attend_by_graph(
        self,
        x: Tensor,
        weight: Tensor | None,
        method: str,
        return_attention: bool,
        batch: Tensor,
        batch_size: int | None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        graphs = GraphBatch.from_batch(x, batch, batch_size)
        parts = graphs.by_size()
        if not parts:
            out = self(x.unsqueeze(0), weight).squeeze(0)
            return (out, x.new_zeros(graphs.batch_size, self.heads, 0, 0)) if return_attention else out
        if len(parts) == 1 and not return_attention:  # a view, without copies
            return self(x.unflatten(0, parts[0][1].shape), weight, method=method).flatten(0, 1)
        largest = int(graphs.size.max())
        graph = None
        if return_attention:
            self._check_dense(x, graphs.batch_size, largest)
            graph = x.new_zeros(graphs.batch_size, self.heads, largest, largest)
        outs = []
        for number, rows in parts:
            n = rows.size(1)
            out = self(x[rows], weight, method=method, return_attention=return_attention)
            if graph is not None:
                out, part = out
                graph[number, :, :n, :n] = part.to(graph.dtype)
            outs.append(out.flatten(0, 1))
        place = torch.cat([rows.flatten() for _, rows in parts]).argsort()
        out = torch.cat(outs)[place]
        return out if graph is None else (out, graph)

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        """Return f of all pairs up to a constant per row: (B, Q, C) and (B, M, C) -> (B, H, Q, M)."""
        raise NotImplementedError

    def attend(self, query: Tensor, key: Tensor, multiplicity: Tensor | None = None) -> Tensor:
        """Average the keys for each query, weighted by attention and multiplicity: (B, H, Q, C)."""
        raise NotImplementedError

    def jacobian(self, query: Tensor, key: Tensor, multiplicity: Tensor) -> Tensor:
        """Differentiate `attend` with respect to the features of the query: (B, H, Q, C, C)."""
        raise NotImplementedError

    def _attend_merged(self, x: Tensor, equal: EqualGenes, weight: Tensor | None) -> Tensor:
        rows = equal.distinct(x)  # (B, N, C) -> (B, M, C)
        out = self._average_groups(rows, equal, weight)
        if not x.requires_grad:
            return equal.spread(out, x.size(1))
        with torch.no_grad():
            repeated = rows if equal.is_repeated() else rows[:, :1]
            slope = self.jacobian(repeated, rows, equal.size).transpose(-1, -2)  # (B, H, M, C of query, C)
            slope = self._project_and_average(slope.flatten(2, 3), weight).unflatten(1, (-1, x.size(-1)))
        return equal.spread_function(out, x, slope.transpose(-1, -2))

    def attend_groups(self, x: Tensor, equal: EqualGenes, weight: Tensor | None = None) -> Tensor:
        """Average over all genes for each group of equal genes: (B, N, C) -> (B, M, C_out)."""
        return self._average_groups(equal.distinct(x), equal, weight)

    def _average_groups(self, rows: Tensor, equal: EqualGenes, weight: Tensor | None) -> Tensor:
        return self._project_and_average(self._attend_in_buckets(rows, equal.size), weight)

    def _attend_in_buckets(self, rows: Tensor, size: Tensor) -> Tensor:
        """Attend within buckets of cells that have similar numbers of groups.

        This takes a quarter of the time of attention over all cells at once, padded to the largest.
        """
        if len(rows) <= BUCKET_SIZE or rows.size(1) <= MAX_UNFUSED_KEYS or torch.compiler.is_compiling():
            return self.attend(rows, rows, size)
        groups = (size > 0).sum(1)
        order = groups.argsort()
        outs = []
        for cells in order.split(BUCKET_SIZE):
            largest = int(groups[cells].max())
            part = rows[cells, :largest]
            out = self.attend(part, part, size[cells, :largest])
            outs.append(F.pad(out, (0, 0, 0, rows.size(1) - largest)))
        return torch.cat(outs)[order.argsort()]

    def _project_and_average(self, out: Tensor, weight: Tensor | None) -> Tensor:
        """Apply W of each graph and average over the graphs: (B, H, M, C) -> (B, M, C_out)."""
        if weight is not None:
            out = out * weight.view(-1, 1, 1) if weight[0].numel() == 1 else out @ weight
        return out.squeeze(1) if self.heads == 1 else out.mean(1)

    def _grid_intervals(self, x: Tensor, required: bool) -> int | None:
        """Return the number of intervals for `_attend_on_grid`, or None where another method is better."""
        if required:
            raise ArgumentError(
                "method",
                Argument("method", "scalar"),
                " requires dot-product attention with one channel, but this is "
                f"{type(self).__name__} with x of shape {tuple(x.shape)}. Use ",
                Argument("method", "auto"),
                ".",
            )
        return None

    def _attend_on_grid(self, x: Tensor, intervals: int) -> Tensor:
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"{self.in_channels}, heads={self.heads}"


def attend(query: Tensor, key: Tensor, value: Tensor, multiplicity: Tensor | None = None) -> Tensor:
    r"""Compute softmax attention in memory linear in the number of genes.

    .. math:: o_i = \sum_j \frac{m_j \exp(q_i \cdot k_j)}{\sum_l m_l \exp(q_i \cdot k_l)} \, v_j

    Multiplicities enter as one more channel, 1 in the queries and :math:`\log m_j` in the keys, because a
    mask would have N × N entries.

    Args:
        query, key: :math:`(B, Q, d)` and :math:`(B, M, d)`.
        value: :math:`(B, M, C)`.
        multiplicity: :math:`(B, M)`, by default all 1; 0 leaves a key out.

    Returns:
        :math:`(B, Q, C)`.
    """
    bias = None
    if multiplicity is not None:  # which half precision does not count beyond 65,504
        precise = torch.promote_types(multiplicity.dtype, key.dtype)
        bias = multiplicity.to(precise).log().clamp(min=LOG_ZERO).to(key.dtype)
    if key.size(1) <= MAX_UNFUSED_KEYS:
        score = query * key.transpose(1, 2) if key.size(-1) == 1 else query @ key.transpose(1, 2)
        return (score if bias is None else score + bias.unsqueeze(1)).softmax(-1) @ value
    if bias is not None:
        query = torch.cat([query, torch.ones_like(query[..., :1])], dim=-1)
        key = torch.cat([key, bias.unsqueeze(-1)], dim=-1)
    # Kernels without an N × N matrix require equal widths; those of GPUs require multiples of 8.
    channels = value.size(-1)
    width = -(-max(query.size(-1), channels) // 8) * 8
    query, key, value = (F.pad(t, (0, width - t.size(-1))).unsqueeze(1) for t in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value, scale=1.0).squeeze(1)[..., :channels]
