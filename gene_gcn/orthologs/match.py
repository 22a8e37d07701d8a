"""The `orthologs` argument: from whatever it can be to a matrix that maps cells to the genes of a model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.organisms import Organism
from gene_gcn.genes.orthologs import OrthologPairs, match_pairs
from gene_gcn.networks.string_db.names import fetched_aliases
from gene_gcn.networks.string_db.vectors import string_vectors
from gene_gcn.orthologs.hcop_files import hcop
from gene_gcn.orthologs.neighbors import mutual_neighbors
from gene_gcn.orthologs.tables import WORDS, read_orthologs

__all__ = ["MIN_COSINE", "OrthologMatch", "OrthologsLike", "match_orthologs"]

OrthologsLike: TypeAlias = "pd.DataFrame | str | os.PathLike[str] | None"

# Of vectors of genes that are taken for each other: a cautious guess, as STRING's vectors were not at hand to
# measure it. Random vectors of 512 dimensions have cosines of 0.00 ± 0.04.
MIN_COSINE = 0.8


@dataclass(frozen=True, eq=False)
class OrthologMatch:
    """Which genes of cells count for which genes of a model.

    Attributes
    ----------
    pairs : OrthologPairs
        A gene of the model gets the sum of all its orthologs; a gene of the cells counts in full for each.
    n_query, n_model : int
        M genes of the cells, N of the model.
    n_by_vectors : int
        How many of the model's genes have no ortholog, but a gene of the cells with a like vector.
    """

    pairs: OrthologPairs
    n_query: int
    n_model: int
    n_by_vectors: int = 0

    @property
    def matrix(self) -> sparse.csr_matrix:
        """The matrix (M, N) of zeros and ones by which cells with linear values are multiplied."""
        ones = np.ones(len(self.pairs.query), np.float32)
        return sparse.csr_matrix((ones, self.pairs), shape=(self.n_query, self.n_model))

    @property
    def present(self) -> np.ndarray:
        """The genes of the model that cells have, a mask (N,)."""
        return np.isin(np.arange(self.n_model), self.pairs.model)

    @property
    def counts(self) -> dict[str, int]:
        """Genes of the model that get one gene of the cells, "one", the sum of "several", or "none".

        "by_vectors" are among "one".
        """
        per_gene = np.bincount(self.pairs.model, minlength=self.n_model)
        found = {"one": per_gene == 1, "several": per_gene > 1, "none": per_gene == 0}
        return {name: int(genes.sum()) for name, genes in found.items()} | {"by_vectors": self.n_by_vectors}

    def __str__(self) -> str:
        n = self.counts
        by_vectors = f" ({n['by_vectors']:,} by STRING's vectors)" if n["by_vectors"] else ""
        found = f"{self.n_model - n['none']:,} of the model's {self.n_model:,} genes have an ortholog"
        return f"{found}{by_vectors}, {n['several']:,} of them several"


def match_orthologs(
    orthologs: OrthologsLike,
    query: Sequence[str],
    model: Sequence[str],
    organism: Organism | None = None,
    model_organism: Organism | None = None,
    *,
    min_cosine: float = MIN_COSINE,
    **fetching: Any,
) -> OrthologMatch:
    """Find the orthologs of the genes of a model among those of cells of another species.

    Parameters
    ----------
    orthologs : DataFrame, path, "hcop", "string" or None
        A table, see `read_orthologs`. "hcop", or None, fetches HCOP's (`hcop`). "string" also pairs genes of
        which neither has an ortholog there, if STRING's vectors of each are nearest to those of the other
        (`gene_gcn.networks.string_vectors`).
    query, model : sequence of str
        M genes of the cells, and N of the model; unique names.
    organism, model_organism : Organism, optional
        Of the cells, and of the model; needed to fetch a table.
    min_cosine : float
        Smallest cosine of two vectors that make a pair, for "string".
    **fetching
        ``progress`` of `hcop`.

    Returns
    -------
    OrthologMatch
        Pairs of genes; ``print`` says how many were found.

    Raises
    ------
    ArgumentError
        A species is needed and not known; the table cannot be read, or has not the genes of both.
    DownloadError
        A file cannot be downloaded.
    """
    word = "hcop" if orthologs is None else orthologs
    if not (isinstance(word, str) and word in WORDS):
        return _match(read_orthologs(word), query, model)
    if organism is None or model_organism is None:
        argument, whose = ("organism", "X") if organism is None else ("orthologs", "the model")
        text = f"Orthologs are fetched by species, and that of {whose} is not known: pass "
        raise ArgumentError(argument, text, Argument(argument), ".")
    found = _match(hcop(organism.taxid, model_organism.taxid, **fetching), query, model)
    if word == "hcop":
        return found
    lone_query = np.setdiff1d(np.arange(len(query)), found.pairs.query)
    lone_model = np.flatnonzero(~found.present)
    vectors = [
        _vectors(genes, species, **fetching)
        for genes, species in ((query, organism), (model, model_organism))
    ]
    first, second = mutual_neighbors(vectors[0][lone_query], vectors[1][lone_model], min_cosine)
    pairs = OrthologPairs(
        np.append(found.pairs.query, lone_query[first]), np.append(found.pairs.model, lone_model[second])
    )
    return OrthologMatch(pairs, len(query), len(model), len(first))


def _match(table: pd.DataFrame, query: Sequence[str], model: Sequence[str]) -> OrthologMatch:
    return OrthologMatch(match_pairs(table, query, model), len(query), len(model))


def _vectors(genes: Sequence[str], organism: Organism, **fetching: Any) -> np.ndarray:
    aliases = fetched_aliases(organism.taxid, **fetching)
    return string_vectors(organism.taxid, **fetching).for_genes(genes, aliases)
