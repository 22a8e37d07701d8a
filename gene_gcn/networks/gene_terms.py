"""GeneTerms: what genes are annotated with, such as pathways, as an immutable value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.errors import ArgumentError
from gene_gcn.genes.names import check_gene_names
from gene_gcn.networks.categoricals import as_categorical, categories
from gene_gcn.networks.matching import match_genes
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.source import NetworkSource


@dataclass(frozen=True, eq=False, repr=False)
class GeneTerms:
    """Terms that genes are annotated with: pathways, processes, domains.

    :func:`gene_gcn.networks.string_terms` returns those of STRING, :meth:`from_frame` makes others.

    Parameters
    ----------
    genes : tuple of str, shape (N,)
        Genes with one term or more, unique names.
    terms : DataFrame
        "category", "term" and "description", a row for each of T terms.
    membership : csr_matrix of bool, shape (N, T)
        Which gene is annotated with which term.
    source : NetworkSource, optional
        Where they come from.
    """

    genes: tuple[str, ...]
    terms: pd.DataFrame
    membership: sparse.csr_matrix
    source: NetworkSource | None = None

    def __repr__(self) -> str:
        parts = [f"{len(self.genes):,} genes", f"{len(self.terms):,} terms"]
        parts += [str(self.source)] if self.source is not None and str(self.source) else []
        return f"GeneTerms({', '.join(parts)})"

    @classmethod
    def from_frame(cls, table: pd.DataFrame, source: NetworkSource | None = None) -> GeneTerms:
        """Make a value of a table with a row for each annotation.

        Parameters
        ----------
        table : DataFrame
            Text columns "gene", "category" and "term" and, optionally, "description". Repeated rows count
            once; of several descriptions of a term, the first is kept.
        source : NetworkSource, optional

        Returns
        -------
        GeneTerms
            Genes and terms are sorted.

        Raises
        ------
        ArgumentError
            If the table lacks a column, has no rows, or a value is missing.
        """
        if lacking := [name for name in ("gene", "category", "term") if name not in table]:
            text = f"table lacks the columns {lacking}; it has {list(table.columns)}."
            raise ArgumentError("table", text)
        if table.empty or table[["gene", "category", "term"]].isna().to_numpy().any():
            problem = "has missing values" if len(table) else "has no rows"
            raise ArgumentError(
                "table", f"table {problem}; every row must have a gene, a category and a term."
            )
        gene, category, term = (_sorted(table[name]) for name in ("gene", "category", "term"))
        key = category.codes.astype(np.int64) * len(term.categories) + term.codes
        _, first, column = np.unique(key, return_index=True, return_inverse=True)
        genes = check_gene_names(gene.categories)
        members = sparse.coo_matrix(
            (np.ones(len(table), bool), (gene.codes, column)), (len(genes), len(first))
        )
        description = table["description"] if "description" in table else pd.Series("", table.index)
        parts = {"category": category, "term": term, "description": description}
        terms = {name: np.asarray(values, dtype=object)[first] for name, values in parts.items()}
        return cls(genes, pd.DataFrame(terms), members.tocsr(), source)

    def to_frame(self) -> pd.DataFrame:
        """Return a table "gene", "category", "term", "description" with a row for each annotation."""
        gene, term = self.membership.nonzero()
        table = self.terms.iloc[term].reset_index(drop=True)
        table.insert(0, "gene", np.array(self.genes, dtype=object)[gene])
        return table

    @property
    def categories(self) -> pd.Series:
        """Number of terms of each category, largest first."""
        return self.terms["category"].value_counts()

    def for_genes(self, genes: Sequence[str], aliases: pd.DataFrame | None = None) -> GeneTerms:
        """Return the terms of the user's genes, under their names.

        Parameters
        ----------
        genes : sequence of str
            The user's genes, unique names.
        aliases : DataFrame, optional
            Other names of genes, as for :func:`match_genes`, by whose rules genes are found.

        Returns
        -------
        GeneTerms
            With those of the user's genes that have a term, in their order; terms of none of them are left
            out.

        Raises
        ------
        ArgumentError
            If none of the genes has a term.
        """
        match = match_genes(genes, GeneNetwork(self.genes, np.empty((2, 0), np.int64)), aliases)
        position = pd.Index(self.genes, dtype=object).get_indexer(pd.Index(match.matched, dtype=object))
        found = position >= 0
        if not found.any():
            shown = ", ".join(match.genes[:3])
            raise ArgumentError(
                "genes",
                f"None of the {len(match.genes):,} genes ({match.kind}: {shown}, …) has a term in {self!r} "
                f"({', '.join(self.genes[:3])}, …). Are they of another organism, or named in another way?",
            )
        membership = self.membership[position[found]]
        used = np.flatnonzero(membership.getnnz(axis=0))
        names = tuple(gene for gene, is_found in zip(match.genes, found, strict=True) if is_found)
        terms = self.terms.iloc[used].reset_index(drop=True)
        return GeneTerms(names, terms, membership[:, used].tocsr(), self.source)


def _sorted(column: pd.Series) -> pd.Categorical:
    """Return a column as a categorical whose categories are sorted text."""
    values = as_categorical(column)
    return values.cat.set_categories(sorted(categories(values.cat.remove_unused_categories()))).array
