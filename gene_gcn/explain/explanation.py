"""`Explanation`: how much each gene, and each edge of the network, adds to the logits of cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.explain.base import BaseExplanation
from gene_gcn.explain.linear_logits import LinearLogits

if TYPE_CHECKING:
    from gene_gcn.explain.base import CellIndex

__all__ = ["CellGroup", "Explanation"]


@dataclass(frozen=True, eq=False)
class CellGroup:
    """Cells in which the same genes were measured.

    Attributes
    ----------
    cells : ndarray of int, shape (cells,)
        Their positions.
    measured : ndarray of bool, shape (N,)
        Their genes.
    baseline : ndarray of float64, shape (N,)
        The mean training cell, as the model sees it with these genes.
    missing_weight : ndarray of float64, shape (N, K)
        What a measured gene adds to the logits per unit of expression through genes that were not measured.
    """

    cells: np.ndarray
    measured: np.ndarray
    baseline: np.ndarray
    missing_weight: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(BaseExplanation):
    r"""What each gene, and each edge of the network, adds to the logits of cells: exact, for a linear model.

    The logits of a cell x are compared with those of a baseline m, the mean training cell. What gene i adds
    to the logit of type k has three parts,

    .. math::
        (x_i - m_i) W_{ik}
        + \sum_j \lambda A_{ij} (x_j - m_j) W_{ik}
        + (x_i - m_i) M_{ik} ,

    its own expression ("own"), what reaches it along the edges from genes j ("from_network"), and what it
    adds through genes that the cell lacks ("through_missing"): those that are imputed from it, and those that
    it has edges to. Summed over all genes and added to the logit of the baseline, they give the logit of the
    cell. Genes that were not measured get no contribution.

    Contributions are linear in x, so those of several cells are averaged before they are multiplied: no
    matrix of (cells, genes, types) is made.

    Parameters
    ----------
    X : csr_matrix of float32, shape (B, N)
        Normalized expression.
    logits : LinearLogits
        Of the K explained types, less that of `against` if there is one.
    groups : sequence of CellGroup
    gene_names : sequence of str, shape (N,)
    types : sequence, shape (K,)
        The explained types.
    against : object
        Another type, whose logit is subtracted; None for none.
    gene_column : str, optional
        The column of an AnnData's `var` with the names of its genes.

    References
    ----------
    With all genes measured, the first two parts are the Shapley value of `h_i = x_i + Σ_j λ A_ij x_j` in a
    linear model with the baseline of m (Lundberg & Lee 2017, arXiv:1705.07874), divided among the edges.
    """

    X: sparse.csr_matrix
    logits: LinearLogits
    groups: Sequence[CellGroup]
    gene_names: Sequence[str]
    types: Sequence[Any]
    against: Any = None
    gene_column: str | None = None

    @property
    def edge_index(self) -> np.ndarray:
        adjacency = self.logits.adjacency.tocoo()
        return np.stack([adjacency.col, adjacency.row])

    def edge_mask(self, type: Any = None, *, cells: CellIndex = None) -> np.ndarray:
        index = self._index(type)
        (source, target), value = self.edge_index, self.logits.adjacency.tocoo().data
        mask = np.zeros(len(value))
        for group, _, deviation in self._mean_deviations(cells):
            mask += group.measured[target] * value * deviation[source] * self.logits.weight[target, index]
        return mask

    def _summary(self, indices: Sequence[int], cells: CellIndex) -> pd.DataFrame:
        logits, columns = self.logits.select(list(indices), None), list(indices)
        totals = np.zeros((4, len(columns)))
        for group, share, deviation in self._mean_deviations(cells):
            received = group.measured * (logits.adjacency @ deviation)
            totals += [
                share * logits.of(group.baseline),
                deviation @ logits.weight,
                received @ logits.weight,
                deviation @ group.missing_weight[:, columns],
            ]
        types = pd.Index([self.types[index] for index in columns], name="type")
        table = pd.DataFrame(totals.T, types, ["baseline", *self.parts])
        return table.assign(logit=totals.sum(axis=0))

    def _gene_parts(self, index: int, cells: CellIndex) -> np.ndarray:
        weight = self.logits.weight[:, index]
        parts = np.zeros((3, len(weight)))
        for group, _, deviation in self._mean_deviations(cells):
            parts += [
                deviation * weight,
                group.measured * (self.logits.adjacency @ deviation) * weight,
                deviation * group.missing_weight[:, index],
            ]
        return parts

    def _mean_deviations(self, cells: CellIndex) -> Iterator[tuple[CellGroup, float, np.ndarray]]:
        """Yield groups with their share of the cells and the sum of x − m (N,) over them, divided by all."""
        share = self._shares(cells)
        for group in self.groups:
            of_group = np.zeros_like(share)
            of_group[group.cells] = share[group.cells]
            total = float(of_group.sum())
            if total:
                # As a sparse row, the product costs what the chosen cells cost, not what all cells do.
                expression = (sparse.csr_matrix(of_group) @ self.X).toarray()[0]
                yield group, total, group.measured * (expression - total * group.baseline)
