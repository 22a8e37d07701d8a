"""Which genes were measured in which cells, where panels were joined and absent genes stored as zeros.

Letters: B cells, N genes, P panels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

__all__ = ["GenePanels", "find_gene_panels"]

COMMON_GENES = 300  # in which cells are compared
SAMPLE = 20_000  # cells in which panels are looked for; they are assigned to all
ANCHORS = 30
ENOUGH_COUNTS = 10.0  # expected of a gene in all cells of a panel: none is e^-10 likely by chance
FEWEST_GENES = 30  # with that many expected counts
SMALLEST_SHARE = (
    0.25  # of these, without any count; cells of one type lack up to 0.13 of those that others have
)
SMALLEST_SHARE_OF_ALL = (
    0.8  # where no other cells show that the genes were measured: another tissue lacks up to 0.7
)
FEWEST_CELLS = 3


@dataclass(frozen=True, eq=False)
class GenePanels:
    """The genes that were measured in each cell.

    Attributes
    ----------
    present : ndarray of bool, shape (P, N)
    of_cell : ndarray of int, shape (B,)
        Row of `present`; 0 is the panel of cells that nothing speaks against.
    """

    present: np.ndarray
    of_cell: np.ndarray

    @classmethod
    def single(cls, present: np.ndarray, n_cells: int) -> GenePanels:
        return cls(present[None], np.zeros(n_cells, np.int64))

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the cells (positions) and the genes (mask) of each panel that has cells."""
        for index, genes in enumerate(self.present):
            cells = np.flatnonzero(self.of_cell == index)
            if len(cells):
                yield cells, genes


def find_gene_panels(X: sparse.csr_matrix, gene_share: np.ndarray, present: np.ndarray) -> GenePanels:
    """Find groups of cells in which a large part of the genes has no count at all.

    Parameters
    ----------
    X : csr_matrix, shape (B, N)
        Any values that are zero where the expression is.
    gene_share : ndarray, shape (N,)
        Mean fraction of a cell's expression in each gene, in cells that were measured fully.
    present : ndarray of bool, shape (N,)
        Genes that X has at all.
    """
    of_cell = np.zeros(X.shape[0], np.int64)
    panels = [present]
    common = np.argsort(-np.where(present, gene_share, -1.0), kind="stable")[:COMMON_GENES]
    common = common[present[common]]
    if len(common) < FEWEST_GENES or X.shape[0] < FEWEST_CELLS:
        return GenePanels.single(present, X.shape[0])
    expressed = X[:, common].astype(bool).tocsr()
    todo = [np.arange(X.shape[0])]
    while todo:
        cells = todo.pop()
        genes = panels[of_cell[cells[0]]]
        found = _find_split(X, expressed, common, gene_share, genes, cells)
        if found is None:
            continue
        inside, absent = found
        panels.append(genes & ~absent)
        of_cell[inside] = len(panels) - 1
        todo += [part for part in (inside, np.setdiff1d(cells, inside)) if len(part) >= FEWEST_CELLS]
    return GenePanels(np.array(panels), of_cell)


def _find_split(
    X: sparse.csr_matrix,
    expressed: sparse.csr_matrix,
    common: np.ndarray,
    gene_share: np.ndarray,
    genes: np.ndarray,
    cells: np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return cells that lack genes, and these genes (N,); None if there are none."""
    sample = cells
    if len(cells) > SAMPLE:
        sample = np.sort(np.random.default_rng(0).choice(cells, SAMPLE, replace=False))
    usable = np.flatnonzero(genes[common])
    Z = expressed[sample][:, usable].toarray()  # (cells, common genes)
    for lacking in _candidates(Z):
        inside = cells
        if not lacking.all():
            inside = cells[expressed[cells][:, usable[lacking]].getnnz(axis=1) == 0]
        if len(inside) < FEWEST_CELLS:
            continue
        outside = np.setdiff1d(cells, inside)
        absent = _absent_genes(X[inside], gene_share, genes, X[outside] if len(outside) else None)
        if absent is not None:
            return inside, absent
    return None


def _candidates(Z: np.ndarray) -> Iterator[np.ndarray]:
    """Yield masks of common genes that a group of cells may lack; first that of all cells together."""
    yield np.ones(Z.shape[1], bool)  # no split: genes that no cell has
    seen = set()
    for anchor in np.argsort(-Z.mean(axis=0), kind="stable")[:ANCHORS]:
        inside = ~Z[:, anchor]
        for _ in range(10):
            if not inside.any() or inside.all():
                break
            within, outside = Z[inside].mean(axis=0), Z[~inside].mean(axis=0)
            lacking = (outside > 0.1) & (within < 0.2 * outside)
            if np.count_nonzero(lacking) < FEWEST_GENES // 2:
                break
            again = Z[:, lacking].mean(axis=1) < 0.25 * Z[~inside][:, lacking].mean()
            if (again == inside).all():
                break
            inside = again
        else:
            continue
        if not inside.any() or inside.all():
            continue
        lacking = ~Z[inside].any(axis=0) & Z[~inside].any(axis=0)
        if np.count_nonzero(lacking) >= FEWEST_GENES // 2 and lacking.tobytes() not in seen:
            seen.add(lacking.tobytes())
            yield lacking


def _absent_genes(
    X: sparse.csr_matrix, gene_share: np.ndarray, genes: np.ndarray, others: sparse.csr_matrix | None
) -> np.ndarray | None:
    """Return which genes the cells lack, if so many without a count are beyond chance."""
    without = genes & (np.bincount(X.indices, minlength=len(genes)) == 0)
    strong = genes & _is_expected(gene_share, X.nnz, without)
    least = SMALLEST_SHARE_OF_ALL
    if others is not None:
        share = np.bincount(others.indices, minlength=len(genes)) / max(1, others.nnz)
        strong &= _is_expected(share, X.nnz, without)
        least = SMALLEST_SHARE
    number = np.count_nonzero(strong)
    if number < FEWEST_GENES or np.count_nonzero(strong & without) < least * number:
        return None
    return without & (gene_share > 0)


def _is_expected(share: np.ndarray, counts: int, without: np.ndarray) -> np.ndarray:
    """Return which genes should have counts, given their share in other cells and the counts of the rest.

    A cell has at least as many counts as genes, whatever the scale of its values.
    """
    return share * counts >= ENOUGH_COUNTS * share[~without].sum()
