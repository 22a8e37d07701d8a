"""By how much the logit of a type exceeds those of its rivals in cells, and what each gene adds to that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from gene_gcn.explain.linear_logits import LinearLogits

if TYPE_CHECKING:
    from gene_gcn.explain.explanation import CellGroup

__all__ = ["MarginGroup", "TypeMargins", "named_types"]


@dataclass(frozen=True, eq=False)
class MarginGroup:
    """Cells in which the same genes were measured.

    Attributes
    ----------
    expression : csc_matrix of float64, shape (B, N)
        Normalized expression; less `baseline`, it is the deviation from the mean training cell.
    baseline : ndarray of float64, shape (N,)
    gain : ndarray of float64, shape (N, K - 1)
        What a gene adds per unit of its own expression: through its own weight, its edges to measured genes,
        and missing genes. Zero for genes that were not measured.
    at_baseline : ndarray of float64, shape (K - 1,)
        Margins of the mean training cell.
    """

    expression: sparse.csc_matrix
    baseline: np.ndarray
    gain: np.ndarray
    at_baseline: np.ndarray


@dataclass(frozen=True, eq=False)
class TypeMargins:
    """Margins by which cells are given a type, or are not: differences of logits that must be positive.

    In cells that are given the type they are its logit less that of each of the K - 1 others, its rivals. In
    other cells they are the logit of the type that is given less that of this type, K - 1 times the same.
    With a set S of genes as they are in a cell x, and all others as in the baseline m, a margin is that of
    the baseline plus the sum over S of `(x_i - m_i) gain_i`. With all genes it is that of the model.

    Attributes
    ----------
    groups : sequence of MarginGroup
        Those of cells of the type come first.
    num_of_type : int
        Number of cells that are given the type.
    """

    groups: Sequence[MarginGroup]
    num_of_type: int

    @classmethod
    def of(
        cls,
        X: sparse.csr_matrix,
        logits: LinearLogits,
        groups: Sequence[CellGroup],
        named: np.ndarray,
        index: int,
        cells: np.ndarray,
    ) -> TypeMargins:
        """Return the margins of a type in cells.

        Parameters
        ----------
        X, logits, groups
            Of an `Explanation` of all types.
        named : ndarray of int, shape (B,)
            The type that is given to each cell (`named_types`).
        index : int
            Position of the type.
        cells : ndarray of int
            Positions of cells.
        """
        num_types = logits.weight.shape[1]
        rivals = np.flatnonzero(np.arange(num_types) != index)
        weights = [(group, source_weight(logits, group), logits.of(group.baseline)) for group in groups]
        found = []
        for given in (index, *rivals):
            less = rivals if given == index else np.full(num_types - 1, index)
            for group, weight, at_baseline in weights:
                chosen = np.intersect1d(group.cells, cells[named[cells] == given])
                if len(chosen):
                    expression = X[chosen].astype(np.float64).tocsc()
                    gain = weight[:, [given]] - weight[:, less]
                    # What differs only by rounding, which depends on the order of the genes, is equal.
                    margin = np.round(at_baseline[given] - at_baseline[less], 12)
                    found.append(MarginGroup(expression, group.baseline, gain, margin))
        return cls(found, int(np.count_nonzero(named[cells] == index)))

    def select(self, genes: np.ndarray) -> TypeMargins:
        """Return the margins with some genes (positions) only."""
        groups = [
            MarginGroup(
                group.expression[:, genes], group.baseline[genes], group.gain[genes], group.at_baseline
            )
            for group in self.groups
        ]
        return TypeMargins(groups, self.num_of_type)

    @property
    def num_cells(self) -> int:
        return sum(group.expression.shape[0] for group in self.groups)

    def at_baseline(self) -> np.ndarray:
        """Return the margins (B, K - 1) without any gene."""
        return np.concatenate(
            [np.tile(group.at_baseline, (group.expression.shape[0], 1)) for group in self.groups]
        )

    def of_gene(self, gene: int) -> np.ndarray:
        """Return what a gene adds to the margins: (B, K - 1)."""
        parts = []
        for group in self.groups:
            deviation = np.full(group.expression.shape[0], -group.baseline[gene])
            column = slice(*group.expression.indptr[gene : gene + 2])
            deviation[group.expression.indices[column]] += group.expression.data[column]
            parts.append(deviation[:, None] * group.gain[gene])
        return np.concatenate(parts)

    def of_genes(self, genes: Iterable[int]) -> np.ndarray:
        """Return the margins (B, K - 1) by these genes alone."""
        margins = self.at_baseline()
        for gene in genes:
            margins += self.of_gene(gene)
        return margins

    def of_all_genes(self) -> np.ndarray:
        """Return the margins (B, K - 1) of the model."""
        return np.concatenate(
            [
                group.expression @ group.gain + (group.at_baseline - group.baseline @ group.gain)
                for group in self.groups
            ]
        )

    def weighted(self, weight: np.ndarray) -> np.ndarray:
        """Return what each gene (N,) adds to the sum of the margins, weighted by (B, K - 1)."""
        total, start = np.zeros(len(self.groups[0].baseline)), 0
        for group in self.groups:
            stop = start + group.expression.shape[0]
            of_group = weight[start:stop]
            deviation = group.expression.T @ of_group - np.outer(group.baseline, of_group.sum(axis=0))
            total += (deviation * group.gain).sum(axis=1)
            start = stop
        return total

    def mean_of_type(self) -> np.ndarray:
        """Return what genes (N,) add to the margin against the strongest rival: mean over its cells."""
        margin = self.of_all_genes()
        weight = (np.arange(margin.shape[1]) == margin.argmin(axis=1)[:, None]).astype(np.float64)
        weight[self.num_of_type :] = 0
        return self.weighted(weight / self.num_of_type)


def named_types(X: sparse.csr_matrix, logits: LinearLogits, groups: Iterable[CellGroup]) -> np.ndarray:
    """Return the position of the type with the largest logit, for each cell: (B,)."""
    named = np.zeros(X.shape[0], np.int64)
    for group in groups:
        weight = source_weight(logits, group)
        offset = logits.of(group.baseline) - group.baseline @ weight
        named[group.cells] = (X[group.cells] @ weight + offset).argmax(axis=1)
    return named


def source_weight(logits: LinearLogits, group: CellGroup) -> np.ndarray:
    """Return what a measured gene adds to the logits (N, K) per unit of expression, wherever it adds it."""
    measured = group.measured[:, None]
    along_edges = logits.adjacency.T @ (logits.weight * measured)
    return (logits.weight + along_edges + group.missing_weight) * measured
