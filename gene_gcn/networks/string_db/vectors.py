"""STRING's vectors of genes, which lie in one space for all eukaryotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gene_gcn.genes.organisms import find_organism
from gene_gcn.networks.matching import match_genes
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.string_db.network import VERSION, fetch_info, fetch_vectors, without_taxon
from gene_gcn.networks.string_db.tables import parse_info
from gene_gcn.networks.string_db.vector_files import parse_vectors
from gene_gcn.storage import cache
from gene_gcn.storage.download import ProgressBar


@dataclass(frozen=True, eq=False)
class GeneVectors:
    """A vector for each gene.

    Attributes
    ----------
    genes : tuple of str, shape (n,)
    vectors : ndarray of float32, shape (n, dimensions)
        Of length 1, or 0 where nothing is known.
    """

    genes: tuple[str, ...]
    vectors: np.ndarray

    def for_genes(self, genes: Sequence[str], aliases: pd.DataFrame | None = None) -> np.ndarray:
        """Return the vectors of the user's genes (N, dimensions), found by the rules of `match_genes`.

        Parameters
        ----------
        genes : sequence of str
            N unique names. Those without a vector get zeros.
        aliases : DataFrame, optional
            Other names of genes, as for `match_genes`.
        """
        match = match_genes(genes, GeneNetwork(self.genes, np.empty((2, 0), np.int64)), aliases)
        position = pd.Index(self.genes, dtype=object).get_indexer(pd.Index(match.matched, dtype=object))
        return np.where(position[:, None] >= 0, self.vectors[position], np.float32(0))


def string_vectors(
    organism: str | int,
    *,
    version: str | None = None,
    base_url: str | None = None,
    progress: bool | ProgressBar = False,
) -> GeneVectors:
    """Return a vector of each gene of an organism, by its place in STRING's network.

    The vectors of all eukaryotes are aligned: genes with like places in the networks of two species have
    like vectors. Of several proteins of a gene the mean is taken. Files are downloaded once.

    Parameters
    ----------
    organism : str or int
        A name or a taxonomy id.
    version : str, optional
        By default 12.0, the first that has them.
    base_url, progress
        As for :func:`gene_gcn.networks.string`.

    Returns
    -------
    GeneVectors
        Under STRING's preferred names.

    Raises
    ------
    DownloadError
        If a file cannot be downloaded, or STRING has none for that version and organism.

    References
    ----------
    Hu et al. (2025), SPACE: STRING proteins as complementary embeddings, doi:10.1093/bioinformatics/btaf496.
    License CC BY 4.0.
    """
    version, taxid = version or VERSION, find_organism(organism).taxid
    file = fetch_vectors(taxid, version, base_url=base_url, progress=progress)
    info = fetch_info(taxid, version, base_url=base_url, progress=progress)
    with cache.discarding(file, info):
        proteins, vectors = parse_vectors(file, taxid)
        names = parse_info(info)
    labels = [names.get(protein) or without_taxon(protein) for protein in proteins]
    codes, genes = pd.factorize(np.array(labels, dtype=object))
    total = np.zeros((len(genes), vectors.shape[1]), np.float32)
    np.add.at(total, codes, _unit(vectors))
    return GeneVectors(tuple(genes), _unit(total))


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length == 0, 1.0, length)
