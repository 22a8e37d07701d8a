"""Cells of another species than the training cells: their genes are mapped to the model's by orthologs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from gene_gcn.cells import Expression, Normalizer
from gene_gcn.cells.matrix import with_data
from gene_gcn.cells.scale import map_values
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.organism_of_genes import organism_of_genes
from gene_gcn.genes.organisms import Organism, find_organism
from gene_gcn.orthologs.match import OrthologMatch, OrthologsLike, match_orthologs

__all__ = ["MappedCells", "OtherSpecies", "fraction_mapped", "multiplied", "row_sums"]


class MappedCells(NamedTuple):
    """What :meth:`OtherSpecies.mapped` returns.

    Attributes
    ----------
    expression : Expression
        Cells with linear values on those of the model's genes that have orthologs.
    indexer : ndarray of int
        The positions of these genes among those of the model.
    depth : ndarray, shape (B,), or None
        Estimated expression of each cell in these genes; None where values are not normalized.
    """

    expression: Expression
    indexer: np.ndarray
    depth: np.ndarray | None


@dataclass(frozen=True, eq=False)
class OtherSpecies:
    """Cells of another species, as `X` of what asks a fitted classifier about cells.

    Attributes
    ----------
    cells : object
        Cells as they were passed.
    organism : Organism or None
        None if only a table of orthologs was passed.
    model_organism : Organism or None
        None if it is not known.
    orthologs : DataFrame, path, "hcop", "string" or None
    """

    cells: Any
    organism: Organism | None
    model_organism: Organism | None
    orthologs: OrthologsLike

    @property
    def name(self) -> str:
        """The name of the species."""
        return "another species" if self.organism is None else str(self.organism)

    @classmethod
    def of(
        cls,
        cells: Any,
        organism: str | int | None,
        orthologs: OrthologsLike,
        model_organism: str | int | None,
        genes: Sequence[str] | None,
    ) -> Any:
        """Return cells of another species as such, and those of the model's own species as they are.

        Parameters
        ----------
        cells : object
        organism : str or int, optional
            Of the cells; by default that of the model, unless `orthologs` are given.
        orthologs
            As for `match_orthologs`.
        model_organism : str or int, optional
            By default inferred from `genes`.
        genes : sequence of str, optional
            Those of the model.
        """
        if organism is None and orthologs is None:
            return cells
        own = None if model_organism is None else find_organism(model_organism)
        if own is None and genes is not None:
            own = organism_of_genes(genes)
        found = None if organism is None else find_organism(organism)
        if found is not None and found == own:
            return cells
        if genes is None:
            text = "the model's genes have no names; fit it to an AnnData or a DataFrame, or leave out "
            name = "orthologs" if organism is None else "organism"
            raise ArgumentError(
                name, "Orthologs are found by the names of genes, and ", text, Argument(name), "."
            )
        return cls(cells, found, own, orthologs)

    def match(self, genes: Sequence[str] | None, normalizer: Normalizer) -> OrthologMatch:
        """Find the model's genes among those of the cells; warn of those that have none.

        Raises
        ------
        ArgumentError
            The cells' genes have no names, or as `match_orthologs`.
        """
        if genes is None:
            text = (
                "The genes of X have no names, by which orthologs are found; pass an AnnData or a DataFrame."
            )
            raise ArgumentError("X", text)
        assert normalizer.genes is not None  # or `of` had refused it
        organism = self.organism or organism_of_genes(genes)
        found = match_orthologs(self.orthologs, genes, normalizer.genes, organism, self.model_organism)
        normalizer.warn_of_missing(found.counts["none"], "have no ortholog in")
        return found

    def mapped(self, expression: Expression, normalizer: Normalizer) -> MappedCells:
        """Bring cells to those of the model's genes that have orthologs.

        Their scale and depth are those of all of their own genes.
        """
        found = self.match(expression.genes, normalizer)
        own, scale, depth = expression.X, expression.stated_scale, None
        if normalizer.method != "none":
            own = with_data(own, map_values(own, normalizer.scale_of_query(expression)))
            scale = "cp10k"
        kept = np.flatnonzero(found.present)
        X = multiplied(own, found.matrix[:, kept])
        if normalizer.method != "none":
            depth = row_sums(own) * fraction_mapped(own, X)
        assert normalizer.genes is not None
        genes = tuple(normalizer.genes[gene] for gene in kept)
        mapped = Expression(X, genes, expression.cells, None, expression.origin, scale)
        return MappedCells(mapped, kept, depth)


def multiplied(cells: sparse.csr_matrix, to_model: sparse.csr_matrix) -> sparse.csr_matrix:
    """Bring cells (B, M) with linear values to the genes of a model by a matrix (M, N)."""
    X = (cells @ to_model).tocsr()
    X.sort_indices()
    return X


def fraction_mapped(own: sparse.csr_matrix, mapped: sparse.csr_matrix) -> float:
    """Return the fraction of a cell's expression that is left once it is mapped: the median of cells.

    A single number for all cells, so that a gene that dominates the few genes of a model, such as insulin
    in a panel of pancreas, does not make other genes of the cell look silent.

    Parameters
    ----------
    own, mapped : csr_matrix, shapes (B, M) and (B, N)
        Linear values.
    """
    before, after = row_sums(own), row_sums(mapped)
    filled = after > 0
    return float(np.median(after[filled] / before[filled])) if filled.any() else 1.0


def row_sums(X: sparse.csr_matrix) -> np.ndarray:
    """Return the sum of each row (B,) in float64."""
    return X @ np.ones(X.shape[1])
