"""Cells for gradient training: kept sparse, made dense a batch at a time on the device that trains."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from gene_gcn.nn.equal_genes import EqualGenes
from gene_gcn.training.distributed import num_processes, process_rank
from gene_gcn.training.reproducibility import epoch_seed


class Cells(NamedTuple):
    """A batch of cells.

    Attributes
    ----------
    x : Tensor of float32, shape (B, N)
    equal : EqualGenes, or None where the model does not use it
    y : Tensor of int64, shape (B,), or None
    """

    x: Tensor
    equal: EqualGenes | None
    y: Tensor | None


class CellDataset(Dataset):
    """Rows of a CSR matrix as batches of dense cells.

    Batches are made where the matrix is: on the CPU, or on a GPU after `to`.

    Parameters
    ----------
    X : csr_matrix of float32, shape (cells, N)
        With sorted indices and no stored zeros.
    y : ndarray of int64, shape (cells,), optional
    channels : int
        Channels of the model. With one, genes of equal value are grouped, with more those without expression.
    group : bool
        Whether to group equal genes, which only an individual graph needs.

    Attributes
    ----------
    y : Tensor of int64, shape (cells,), or None
    """

    def __init__(
        self, X: sparse.csr_matrix, y: np.ndarray | None = None, channels: int = 1, group: bool = True
    ):
        self.num_genes = X.shape[1]
        self.y = None if y is None else torch.from_numpy(y)
        self._start = torch.from_numpy(X.indptr.astype(np.int64))
        self._gene = torch.from_numpy(X.indices)
        self._value = torch.from_numpy(X.data)
        self._groups = _Groups.of_rows(X, channels) if group else None

    def __len__(self) -> int:
        return len(self._start) - 1

    def to(self, device: torch.device) -> CellDataset:
        """Return the same cells on a device, still sparse."""
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, (Tensor, _Groups)):
                setattr(moved, name, value.to(device))
        return moved

    def tensors(self) -> list[Tensor]:
        """Return what tells these cells from others: their expression and types."""
        expression = [self._start, self._gene, self._value]
        return expression if self.y is None else [*expression, self.y]

    def __getitems__(self, indices: Sequence[int]) -> Cells:
        """Return the batch of these cells; the loader calls this once per batch."""
        cells = torch.as_tensor(indices, dtype=torch.int64, device=self._value.device)
        start = self._start[cells]
        length = self._start[cells + 1] - start
        cell = torch.repeat_interleave(length)  # (P,) expressed genes of all cells
        at = torch.arange(len(cell), device=cell.device) + (start + length - length.cumsum(0))[cell]
        gene = self._gene[at].long()
        x = self._value.new_zeros(self.num_genes, len(cells))
        x[gene, cell] = self._value[at]
        equal = None
        if self._groups is not None and len(cells):
            equal = self._equal_genes(self._groups, cells, length, cell, gene, self._groups.number[at].long())
        return Cells(x.t(), equal, None if self.y is None else self.y[cells])  # gene after gene in memory

    def _equal_genes(
        self, groups: _Groups, cells: Tensor, length: Tensor, cell: Tensor, gene: Tensor, group: Tensor
    ) -> EqualGenes:
        m = int(groups.num_groups[cells].max())
        flat = cell * m + group  # (P,) into (B, M)
        size = torch.bincount(flat, minlength=len(cells) * m).float().view(-1, m)
        size[:, 0] = self.num_genes - length
        first = torch.zeros(len(cells) * m, dtype=torch.int64, device=gene.device).scatter_(0, flat, gene)
        first = first.view(-1, m)
        first[:, 0] = groups.background[cells]
        return EqualGenes(cell, gene, group, first, size)


class _Groups(NamedTuple):
    """Which expressed genes of a cell are equal.

    Attributes
    ----------
    number : Tensor of int32, shape (stored values,)
        Number of the group of each, from 1.
    background : Tensor of int64, shape (cells,)
        An unexpressed gene of each cell.
    num_groups : Tensor of int64, shape (cells,)
        Groups of each cell, the unexpressed genes included.
    """

    number: Tensor
    background: Tensor
    num_groups: Tensor

    @classmethod
    def of_rows(cls, X: sparse.csr_matrix, channels: int) -> _Groups:
        number = np.empty(X.nnz, np.int32)
        background = np.zeros(X.shape[0], np.int64)
        num_groups = np.ones(X.shape[0], np.int64)
        for cell, (start, stop) in enumerate(pairwise(X.indptr)):
            values, genes = X.data[start:stop], X.indices[start:stop]
            group = np.unique(values, return_inverse=True)[1] if channels == 1 else np.arange(len(values))
            number[start:stop] = group + 1
            num_groups[cell] += group.max(initial=-1) + 1
            missing = np.flatnonzero(genes != np.arange(len(genes)))  # indices are sorted
            background[cell] = (missing[0] if len(missing) else len(genes)) % X.shape[1]
        return cls(*map(torch.from_numpy, (number, background, num_groups)))

    def to(self, device: torch.device) -> _Groups:
        return _Groups(*(tensor.to(device) for tensor in self))


class ShuffledBatches(Sampler):
    """Batches in an order that the seed and the epoch decide; of several processes, each gets its part.

    Together, the parts are the batch of one process with the joint batch size. The last batch may be smaller,
    and the part of a process empty.
    """

    def __init__(self, num_cells: int, batch_size: int, seed: int):
        self.num_cells = num_cells
        self.batch_size = batch_size * num_processes()
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch; lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.num_cells // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(epoch_seed(self.seed, self.epoch))
        for cells in torch.randperm(self.num_cells, generator=generator).split(self.batch_size):
            yield cells[process_rank() :: num_processes()].tolist()


def batches(cells: CellDataset, batch_size: int) -> DataLoader:
    """Return a loader of batches of cells in their order."""
    return _loader(cells, batch_size=batch_size)


def shuffled_batches(cells: CellDataset, batch_size: int, seed: int) -> DataLoader:
    """Return a loader of batches of cells in random order, of which each process gets its part."""
    sampler = ShuffledBatches(len(cells), batch_size, seed)
    return _loader(cells, batch_sampler=sampler)


def _loader(cells: CellDataset, **batching: Any) -> DataLoader:
    # Without a generator of its own the loader would draw a number from the global one.
    return DataLoader(cells, generator=torch.Generator(), collate_fn=lambda batch: batch, **batching)
