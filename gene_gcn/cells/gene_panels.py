"""Which genes were measured in which cells, where panels were joined and absent genes stored as zeros.

Letters: B cells, N genes, P panels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from gene_gcn.cells.matrix import with_data

__all__ = ["GenePanels", "find_gene_panels"]

COMMON_GENES = 300  # in which cells are compared
SAMPLE = 20_000  # cells in which panels are looked for; they are assigned to all
ANCHORS = 30  # genes by which groups are begun
ROUNDS = 10  # in which a group must settle
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
    detected = with_data(X, np.ones(X.nnz, np.float32))  # its sums are whole numbers, so they are exact
    in_common = detected[:, common]
    todo = [np.arange(X.shape[0])]
    while todo:
        cells = todo.pop()
        genes = panels[of_cell[cells[0]]]
        found = _find_split(detected, in_common, gene_share, genes, genes[common], cells)
        if found is None:
            continue
        inside, absent = found
        panels.append(genes & ~absent)
        of_cell[inside] = len(panels) - 1
        todo += [part for part in (inside, np.setdiff1d(cells, inside)) if len(part) >= FEWEST_CELLS]
    return GenePanels(np.array(panels), of_cell)


def _find_split(
    detected: sparse.csr_matrix,
    in_common: sparse.csr_matrix,
    gene_share: np.ndarray,
    genes: np.ndarray,
    genes_in_common: np.ndarray,
    cells: np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return cells that lack genes, and these genes (N,); None if there are none.

    Genes that the cells are known to lack have no count in them, so they need not be left out.
    """
    if len(cells) < detected.shape[0]:
        detected, in_common = detected[cells], in_common[cells]
    counts = _sum_rows(detected, np.ones(len(cells), bool))
    absent = _absent_genes(counts, gene_share, genes)
    if absent is not None:
        return cells, absent
    sample = in_common
    if len(cells) > SAMPLE:
        sample = in_common[np.sort(np.random.default_rng(0).choice(len(cells), SAMPLE, replace=False))]
    for lacking in _candidates(sample.toarray()):
        inside = in_common @ lacking.astype(np.float32) == 0
        if np.count_nonzero(inside) < FEWEST_CELLS or lacking[genes_in_common].all():
            continue  # too few cells, or none of the common genes, in which cells are compared
        counts_inside = _sum_rows(detected, inside)
        absent = _absent_genes(counts_inside, gene_share, genes, counts - counts_inside)
        if absent is not None:
            return cells[inside], absent
    return None


def _candidates(Z: np.ndarray) -> np.ndarray:
    """Return masks (candidates, common genes) of genes that a group of cells may lack.

    A group starts as the cells without one of the commonest genes. It is then the cells with few of those
    genes that it nearly lacks, again and again, until it stays the same. All groups move at once, by products
    of matrices of 0 and 1, which are exact.

    Parameters
    ----------
    Z : ndarray of float32, shape (cells, common genes)
        1 where a gene has a count, else 0.
    """
    n, total = len(Z), Z.sum(axis=0)
    anchors = np.argsort(-total, kind="stable")[:ANCHORS]
    lacking = np.zeros((len(anchors), Z.shape[1]), bool)
    moving, groups = np.arange(len(anchors)), Z[:, anchors].T == 0  # (moving, cells)
    for _ in range(ROUNDS):
        size = np.count_nonzero(groups, axis=1, keepdims=True)
        proper = ((size > 0) & (size < n))[:, 0]
        moving, groups, size = moving[proper], groups[proper], size[proper]
        within = groups.astype(np.float32) @ Z  # (moving, common genes)
        outside = total - within
        share = outside / (n - size)
        nearly = (share > 0.1) & (within / size < 0.2 * share)
        number = np.count_nonzero(nearly, axis=1, keepdims=True)
        typical = (outside * nearly).sum(axis=1, keepdims=True) / ((n - size) * np.maximum(number, 1))
        again = nearly.astype(np.float32) @ Z.T / np.maximum(number, 1) < 0.25 * typical
        stays = (number < FEWEST_GENES // 2)[:, 0] | (again == groups).all(axis=1)
        lacking[moving[stays]] = (within[stays] == 0) & (outside[stays] > 0)
        moving, groups = moving[~stays], again[~stays]
    lacking = lacking[np.count_nonzero(lacking, axis=1) >= FEWEST_GENES // 2]
    first = np.unique(lacking, axis=0, return_index=True)[1]
    return lacking[np.sort(first)]


def _sum_rows(detected: sparse.csr_matrix, cells: np.ndarray) -> np.ndarray:
    """Return in how many of some cells (mask) each gene has a count, shape (N,)."""
    return (cells.astype(np.float32) @ detected).astype(np.int64)


def _absent_genes(
    counts: np.ndarray, gene_share: np.ndarray, genes: np.ndarray, others: np.ndarray | None = None
) -> np.ndarray | None:
    """Return which genes a group lacks, if so many without a count are beyond chance.

    Parameters
    ----------
    counts, others : ndarray of int, shape (N,)
        Cells of the group, and other cells, in which each gene has a count.
    gene_share : ndarray, shape (N,)
    genes : ndarray of bool, shape (N,)
        Genes that the cells are not known to lack.
    """
    number = counts.sum()
    if not number:  # cells without expression say nothing of their genes
        return None
    without = genes & (counts == 0)
    strong = genes & _is_expected(gene_share, number, without)
    least = SMALLEST_SHARE_OF_ALL
    if others is not None:
        strong &= _is_expected(others / max(1, others.sum()), number, without)
        least = SMALLEST_SHARE
    expected = np.count_nonzero(strong)
    if expected < FEWEST_GENES or np.count_nonzero(strong & without) < least * expected:
        return None
    return without & (gene_share > 0)


def _is_expected(share: np.ndarray, counts: int, without: np.ndarray) -> np.ndarray:
    """Return which genes should have counts, given their share in other cells and the counts of the rest.

    A cell has at least as many counts as genes, whatever the scale of its values.
    """
    return share * counts >= ENOUGH_COUNTS * share[~without].sum()
