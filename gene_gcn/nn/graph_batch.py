"""Batches in which PyG joins graphs into one: their genes one after the other, their edges block-diagonal."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.nn.equal_genes import EqualGenes


class GraphBatch(NamedTuple):
    """Which genes of a block-diagonal batch belong to the same graph.

    Attributes:
        number: Numbers of the graphs that have genes, int64 (G,).
        size: Number of genes of each of them, int64 (G,).
        batch_size: B, number of graphs with those that have no genes.
    """

    number: Tensor
    size: Tensor
    batch_size: int

    @classmethod
    @torch.compiler.disable
    def from_batch(cls, x: Tensor, batch: Tensor, batch_size: int | None = None) -> GraphBatch:
        """Read the `batch` of a ``torch_geometric.data.Batch``.

        Args:
            x: Features of the genes of all graphs, (N,) or (N, C).
            batch: Number of the graph of each gene, sorted, (N,).
            batch_size: B, by default up to the last graph that has genes.

        Raises:
            ArgumentError: If `batch` does not fit `x` or is not sorted, or `batch_size` is too small.
        """
        _check_batch(x, batch)
        batch = batch.long()
        number, size = batch.unique_consecutive(return_counts=True)
        last = int(number[-1]) if len(number) else -1
        if batch_size is not None and batch_size <= last:
            raise ArgumentError(
                "batch_size",
                Argument("batch_size", batch_size),
                f" is too small, because batch contains graph {last}; graphs are numbered from 0.",
            )
        return cls(number, size, last + 1 if batch_size is None else int(batch_size))

    def by_size(self) -> list[tuple[Tensor, Tensor]]:
        """Return, for each size, the numbers of the graphs (G,) and the rows of their genes in x (G, N)."""
        start = self.size.cumsum(0) - self.size
        parts = []
        for size in self.size.unique().tolist():
            same = self.size == size
            rows = start[same].unsqueeze(1) + torch.arange(size, device=start.device)
            parts.append((self.number[same], rows))
        return parts

    def check_sizes(self, num_genes: int) -> None:
        """Check that every graph has the same number of genes.

        Raises:
            ArgumentError: If one has another number.
        """
        wrong = (self.size != num_genes).nonzero().flatten()
        if len(wrong):
            graph, size = int(self.number[wrong[0]]), int(self.size[wrong[0]])
        elif len(self.number) < self.batch_size:
            present = torch.zeros(self.batch_size, dtype=torch.bool).index_fill(0, self.number.cpu(), True)
            graph, size = int(present.int().argmin()), 0
        else:
            return
        raise ArgumentError(
            "batch",
            f"batch gives graph {graph} {size} genes, but every graph of this model must have {num_genes}, "
            "in the same order.",
        )


def check_batch_arguments(equal: EqualGenes | None, batch: Tensor | None, batch_size: int | None) -> None:
    """Check that `batch`, `batch_size` and `equal` can be used together.

    Raises:
        ArgumentError: If they cannot.
    """
    if batch is None and batch_size is not None:
        raise ArgumentError(
            "batch_size",
            Argument("batch_size", batch_size),
            " requires ",
            Argument("batch"),
            ", the graph of each gene.",
        )
    if batch is not None and equal is not None:
        raise ArgumentError(
            "equal",
            "equal lists genes of x (B, N, C) and cannot be used with ",
            Argument("batch"),
            ". Leave it out; equal genes are then searched for.",
        )


def _check_batch(x: Tensor, batch: Tensor) -> None:
    if not isinstance(batch, Tensor):
        raise ArgumentError(
            "batch", f"batch is a {type(batch).__name__}, expected a tensor with the graph of each gene."
        )
    if batch.shape != x.shape[:1]:
        raise ArgumentError(
            "batch",
            f"batch has shape {tuple(batch.shape)}, expected ({len(x)},), the graph of each gene.",
        )
    if batch.is_floating_point() or batch.is_complex() or batch.dtype == torch.bool:
        raise ArgumentError(
            "batch", f"batch has data type {batch.dtype}, expected integers, the numbers of the graphs."
        )
    if batch.device != x.device:
        raise ArgumentError(
            "batch", f"batch is on {batch.device}, but x is on {x.device}. Pass batch.to(x.device)."
        )
    descents = (batch[1:] < batch[:-1]).nonzero().flatten()
    if len(descents):
        gene = int(descents[0])
        raise ArgumentError(
            "batch",
            f"batch is not sorted: gene {gene + 1} of graph {int(batch[gene + 1])} follows gene {gene} of "
            f"graph {int(batch[gene])}. Put the genes of each graph together, as torch_geometric.data.Batch "
            "does.",
        )
    if len(batch) and int(batch[0]) < 0:
        raise ArgumentError("batch", f"batch contains graph {int(batch[0])}; graphs are numbered from 0.")


@torch.compiler.disable
def check_block_diagonal(source: Tensor, target: Tensor, batch: Tensor) -> None:
    """Check that edges stay within their graphs.

    Raises:
        ArgumentError: If one connects two graphs.
    """
    between = (batch[source] != batch[target]).nonzero().flatten()
    if len(between):
        a, b = int(source[between[0]]), int(target[between[0]])
        raise ArgumentError(
            "edge_index",
            f"edge_index connects gene {a} of graph {int(batch[a])} with gene {b} of graph {int(batch[b])}, "
            "but the graphs of a batch must not be connected. Number the genes as "
            "torch_geometric.data.Batch does.",
        )
