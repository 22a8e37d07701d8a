"""Features of cells as linear operators, for what is solved by products alone.

`matmat` and `rmatmat` are named as in SciPy's `LinearOperator`. Products go through cells part by part, so
that cells may be in memory or on disk, all of them or the part of one of several processes. Parts are summed
in float64: their order, which differs between one process and several, then hardly matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.kernels import product
from gene_gcn.nn.sparse import csr_from_scipy, transpose
from gene_gcn.training.distributed import sum_over_processes
from gene_gcn.training.reproducibility import torch_threads

LARGEST_TRANSPOSED = 2**24  # stored values of which a transposed copy is kept, which makes products faster
PART_CELLS = 4096  # as many as are read from a file at a time, so that sums are the same to the last bit
PART_ROWS = 2**16  # of a dense matrix

# From the rows of a part (a slice) and what a product gave for them to what the transpose is multiplied by.
Between: TypeAlias = Callable[[slice, Tensor], Tensor]


class CellSource(Protocol):
    """Normalized cells that can be read again and again.

    Attributes
    ----------
    shape : tuple of int
        Cells that this process reads, and N.
    rows : slice or ndarray of int
        Their positions among those of all processes.
    is_divided : bool
        Whether other processes read other cells, so that sums go over all of them.
    """

    @property
    def shape(self) -> tuple[int, int]: ...

    @property
    def rows(self) -> slice | np.ndarray: ...

    @property
    def is_divided(self) -> bool: ...

    def blocks(self) -> Iterator[sparse.csr_matrix]:
        """Yield the cells of this process in their order, (some cells, N) float32."""

    def take(self, rows: np.ndarray) -> sparse.csr_matrix:
        """Return some of the cells of all processes, by their positions, which are sorted."""


class CellsInMemory:
    """The `CellSource` of a matrix, which may be dense, as drawn cells are."""

    rows = slice(None)
    is_divided = False

    def __init__(self, X: sparse.csr_matrix | np.ndarray):
        self.X = X
        self.shape: tuple[int, int] = X.shape

    def blocks(self) -> Iterator[sparse.csr_matrix]:
        X: sparse.csr_matrix = sparse.csr_matrix(self.X)  # shares the arrays of one that is CSR
        for first in range(0, X.shape[0], PART_CELLS):
            pointers = X.indptr[first : first + PART_CELLS + 1]
            part = sparse.csr_matrix((len(pointers) - 1, X.shape[1]), dtype=X.dtype)
            stored = slice(pointers[0], pointers[-1])  # views: slices of the matrix would be copies
            part.data, part.indices, part.indptr = X.data[stored], X.indices[stored], pointers - pointers[0]
            yield part

    def take(self, rows: np.ndarray) -> sparse.csr_matrix:
        return sparse.csr_matrix(self.X[rows])


def as_source(X: sparse.csr_matrix | np.ndarray | CellSource) -> CellSource:
    """Return what reads cells, given these or their matrix."""
    return CellsInMemory(X) if isinstance(X, np.ndarray) or sparse.issparse(X) else X


@dataclass(frozen=True, eq=False)
class _Part:
    """Some cells, (b, N), and their transpose, unless products with that are made from the matrix itself."""

    rows: slice
    matrix: Tensor
    transposed: Tensor | None
    scipy: sparse.csr_matrix | np.ndarray


class SmoothedCells:
    """`h = x + λ A x` of cells, (cells, N): never written out, as A fills a sparse matrix.

    Parameters
    ----------
    X : csr_matrix, ndarray of float32 or CellSource, shape (cells, N)
    device : torch.device
    graph : GlobalGraph, optional
        A.
    network_weight : float
        λ.
    threads : int
        Of the products; results do not depend on it.
    """

    def __init__(
        self,
        X: sparse.csr_matrix | np.ndarray | CellSource,
        device: torch.device,
        graph: GlobalGraph | None = None,
        network_weight: float = 0.0,
        threads: int = 1,
    ):
        self.source = as_source(X)
        self.shape = self.source.shape
        self.device = device
        self.graph = graph if network_weight else None
        self.network_weight = network_weight
        self.threads = threads

    @cached_property
    def _kept(self) -> list[_Part] | None:
        """The only part, if its transpose is kept: on other devices than the CPU, or where it is small."""
        if not isinstance(self.source, CellsInMemory):
            return None
        X: Any = self.source.X
        if isinstance(X, np.ndarray):
            matrix = torch.from_numpy(X).to(self.device)
            return [_Part(slice(0, X.shape[0]), matrix, matrix.T, X)]
        if self.device.type == "cpu" and X.nnz > LARGEST_TRANSPOSED:
            return None
        transposed = csr_from_scipy(sparse.csr_matrix(X.T)).to(self.device)
        return [_Part(slice(0, X.shape[0]), csr_from_scipy(X).to(self.device), transposed, X)]

    def _parts(self) -> Iterator[_Part]:
        if self._kept is not None:
            yield from self._kept
            return
        first = 0
        for block in self.source.blocks():
            rows = slice(first, first + block.shape[0])
            matrix = csr_from_scipy(block).to(self.device)
            yield _Part(rows, matrix, None if self.device.type == "cpu" else transpose(matrix), block)
            first = rows.stop

    def matmat(self, columns: Tensor) -> Tensor:
        """Multiply (cells, N) @ (N, columns)."""
        columns = self._smooth_columns(columns)
        out = columns.new_empty(self.shape[0], columns.size(1))
        for part in self._parts():
            out[part.rows] = self._product(part.matrix, columns)
        return out

    def rmatmat(self, rows: Tensor) -> Tensor:
        """Multiply (N, cells) @ (cells, columns)."""
        return self._sum(lambda part: rows[part.rows], lambda: rows[:0])

    def round_trip(self, columns: Tensor, between: Between) -> Tensor:
        """Multiply by the matrix, change the products, and multiply by its transpose: one pass over cells.

        Parameters
        ----------
        columns : Tensor, shape (N, any number)
        between : callable
            From products (some cells, any number) to other columns.

        Returns
        -------
        Tensor, shape (N, other columns)
        """
        columns = self._smooth_columns(columns)
        return self._sum(
            lambda part: between(part.rows, self._product(part.matrix, columns)),
            lambda: between(slice(0, 0), columns[:0]),
        )

    def gene_sums(self, target: Tensor | OneHot) -> tuple[Tensor, Tensor]:
        """Sum the expression x of genes, not the smoothed h: by type, (N, K), and squared, (N,)."""
        sums = torch.zeros(self.shape[1], target.shape[1] + 1, dtype=torch.float64, device=self.device)
        for part in self._parts():
            sums[:, :-1] += self._transposed_product(part, target[part.rows])
            if part.matrix.layout == torch.strided:
                sums[:, -1] += part.matrix.square().sum(0, dtype=torch.float64)
                continue
            genes = part.matrix.col_indices().long()
            sums[:, -1].index_add_(0, genes, part.matrix.values().double().square())
        sums = self.over_processes(sums).float()
        return sums[:, :-1], sums[:, -1]

    def over_processes(self, sums: Tensor) -> Tensor:
        """Return the sum over all processes, if cells are divided among them."""
        return sum_over_processes(sums) if self.source.is_divided else sums

    def smooth(self, columns: Tensor) -> Tensor:
        """Return `(1 + λ Aᵀ) columns`: what the sums (N, columns) of x over cells are for h."""
        if self.graph is None:
            return columns
        return columns + self.network_weight * self._product(self.graph.adj_t, columns)

    def _smooth_columns(self, columns: Tensor) -> Tensor:
        if self.graph is None:
            return columns
        return columns + self.network_weight * self._product(adjacency(self.graph), columns)

    def _sum(self, rows_of: Callable[[_Part], Tensor], no_rows: Callable[[], Tensor]) -> Tensor:
        """Return the sum over cells of expression times rows, smoothed; `no_rows` are those of no cells."""
        total: Tensor | None = None
        for part in self._parts():
            found = self._transposed_product(part, rows_of(part)).double()
            total = found if total is None else total.add_(found)
        if total is None:  # a process without cells
            width = no_rows().size(1)
            total = torch.zeros(self.shape[1], width, dtype=torch.float64, device=self.device)
        return self.smooth(self.over_processes(total).float())

    def _transposed_product(self, part: _Part, rows: Tensor) -> Tensor:
        if part.transposed is None:  # SciPy multiplies by the transpose as it is, where torch would make it
            return torch.from_numpy(part.scipy.T @ rows.numpy())
        return self._product(part.transposed, rows)

    def _product(self, matrix: Tensor, columns: Tensor) -> Tensor:
        # Each row is summed by one thread, so that the result does not depend on how many there are.
        with torch_threads(self.threads):
            return matrix @ columns if matrix.layout == torch.strided else product(matrix, columns)


def adjacency(graph: GlobalGraph) -> Tensor:
    """Return the matrix with sources as rows, the transpose of `adj_t`."""
    return transpose(graph.adj_t) if graph.adj is None else graph.adj


class OneHot:
    """Types of cells as a matrix (cells, K) of 0 and 1, of which rows are made when they are asked for."""

    def __init__(self, y: Tensor, num_classes: int):
        self.y = y
        self.shape = (len(y), num_classes)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        return torch.nn.functional.one_hot(self.y[rows], self.shape[1]).float()

    def counts(self) -> Tensor:
        """Return the cells of each type, (K,) float32."""
        return torch.bincount(self.y, minlength=self.shape[1]).float()


class Features:
    """`(h − m) ∘ s` of cells: centered, genes weighted, and those without weight left out.

    With several weightings all products are of each: shapes (...) are then (weightings,).

    Attributes
    ----------
    genes : Tensor of int64, shape (G,)
        Positions of the genes with a weight.
    scale : Tensor, shape (..., G)
        s, the weight of each; 1 by default.
    center : Tensor, shape (..., G)
        m ∘ s, where m is the mean cell.
    """

    def __init__(self, cells: SmoothedCells, scale: Tensor | None = None, mean: Tensor | None = None):
        self.cells = cells
        n, width = cells.shape
        scale = torch.ones(width, device=cells.device) if scale is None else scale
        self.genes = torch.nonzero(scale.reshape(-1, width).any(0))[:, 0]
        self.scale = scale[..., self.genes]
        self.shape = (*scale.shape[:-1], n, len(self.genes))
        if mean is None:
            mean = cells.rmatmat(torch.full((n, 1), 1 / n, device=cells.device))[:, 0]
        self.center = self.scale * mean[self.genes]

    def matmat(self, columns: Tensor) -> Tensor:
        """Multiply (..., cells, G) @ (..., G, columns)."""
        return self._centered(self.cells.matmat(self._of_cells(columns)), columns)

    def rmatmat(self, rows: Tensor) -> Tensor:
        """Multiply (..., G, cells) @ (..., cells, columns)."""
        return self._weighted(self.cells.rmatmat(_side_by_side(rows)), rows.sum(-2, keepdim=True))

    def round_trip(self, columns: Tensor, between: Between) -> Tensor:
        """As `SmoothedCells.round_trip`, with shapes (..., cells, columns)."""
        totals: list[Tensor] = []

        def of_cells(rows: slice, products: Tensor) -> Tensor:
            found = between(rows, self._centered(products, columns))
            totals.append(found.sum(-2, keepdim=True, dtype=torch.float64))
            return _side_by_side(found)

        sums = self.cells.round_trip(self._of_cells(columns), of_cells)
        return self._weighted(sums, self.over_processes(torch.stack(totals).sum(0)).float())

    def over_processes(self, sums: Tensor) -> Tensor:
        return self.cells.over_processes(sums)

    def to_all_genes(self, columns: Tensor) -> Tensor:
        """Return the weight (..., N, columns) of h itself, given that of the features (..., G, columns)."""
        weight = columns.new_zeros(*columns.shape[:-2], self.cells.shape[1], columns.size(-1))
        weight[..., self.genes, :] = self.scale[..., None] * columns
        return weight

    def _of_cells(self, columns: Tensor) -> Tensor:
        return _side_by_side(self.to_all_genes(columns))

    def _centered(self, products: Tensor, columns: Tensor) -> Tensor:
        return _apart(products, columns.shape) - self.center[..., None, :] @ columns

    def _weighted(self, sums: Tensor, totals: Tensor) -> Tensor:
        """Return the sums over cells of features, given those of h (N, columns) and of the rows."""
        columns = _apart(sums[self.genes], totals.shape)
        return self.scale[..., None] * columns - self.center[..., None] * totals


def _side_by_side(columns: Tensor) -> Tensor:
    """Move columns (..., rows, columns) of all weightings into one matrix."""
    return columns if columns.dim() == 2 else columns.movedim(-2, 0).flatten(1)


def _apart(columns: Tensor, shape: torch.Size) -> Tensor:
    """Undo `_side_by_side`; `shape` is that of the result, whatever its number of rows."""
    if len(shape) == 2:
        return columns
    return columns.unflatten(1, (*shape[:-2], shape[-1])).movedim(0, -2)


class Dense:
    """A matrix (..., cells, width) with the interface of `Features`, or several of the same shape.

    Parameters
    ----------
    matrix : Tensor, shape (..., cells, width)
    cells : SmoothedCells, optional
        Those that it describes, which may be divided among processes.
    """

    def __init__(self, matrix: Tensor, cells: SmoothedCells | None = None):
        self.matrix = matrix
        self.cells = cells
        self.shape = tuple(matrix.shape)

    def matmat(self, columns: Tensor) -> Tensor:
        return self.matrix @ columns

    def rmatmat(self, rows: Tensor) -> Tensor:
        return self.over_processes(self.matrix.mT @ rows)

    def round_trip(self, columns: Tensor, between: Between) -> Tensor:
        if self.cells is None:
            return self.matrix.mT @ between(slice(0, self.shape[-2]), self.matrix @ columns)
        total: Tensor | None = None
        for first in range(0, max(1, self.shape[-2]), PART_ROWS):
            rows = slice(first, min(first + PART_ROWS, self.shape[-2]))
            part = self.matrix[..., rows, :].double()
            found = part.mT @ between(rows, part @ columns.double())
            total = found if total is None else total + found
        assert total is not None  # of one part at least
        return self.over_processes(total).to(columns.dtype)

    def over_processes(self, sums: Tensor) -> Tensor:
        return sums if self.cells is None else self.cells.over_processes(sums)
