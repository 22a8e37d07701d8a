"""A database's network under the names that the user's genes have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.names import gene_kind, genome_of, without_genome
from gene_gcn.genes.organism_of_genes import organism_of_genes
from gene_gcn.networks.aliases import biogrid_aliases
from gene_gcn.networks.biogrid_db.network import biogrid, fetch_archive
from gene_gcn.networks.biogrid_db.tables import parse_biogrid_genes
from gene_gcn.networks.matching import GeneMatch, match_genes
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.string_db.names import fetched_aliases
from gene_gcn.networks.string_db.network import string
from gene_gcn.storage import cache


def for_genes(
    database: str, genes: Sequence[str], organism: str | int | None = None, **options: Any
) -> tuple[GeneNetwork, GeneMatch]:
    """Return the network of a database on the user's genes, whatever kind of names they have.

    Symbols, former symbols, Ensembl gene and protein ids, Entrez numbers and RefSeq ids are looked up in
    STRING's aliases of the organism or, for BioGRID, in its own columns, by the rules of :func:`match_genes`.

    Parameters
    ----------
    database : {"string", "biogrid"}
    genes : sequence of str, shape (N,)
        The user's genes, unique names.
    organism : str or int, optional
        A name or taxonomy id; by default that of the genome before the names (``GRCh38_TP53``) or, without
        one, inferred from the gene names by ``gene_gcn.genes.organism_of_genes``. Symbols in capitals are
        taken to be human.
    **options
        Parameters of :func:`string` or :func:`biogrid`: ``version``, ``min_score``, ``evidence``,
        ``base_url``, …

    Returns
    -------
    network : GeneNetwork
        On `genes`, in their order and under their names.
    match : GeneMatch
        How each gene was found; print it to see how many were matched, are connected and were dropped.

    Raises
    ------
    ArgumentError
        If the genes are named by positions (0, 1, 2, …, or some of these) or are of several genomes, the
        organism cannot be inferred, or no gene matches a connected one.
    DownloadError
        If a file cannot be downloaded.
    """
    if database not in ("string", "biogrid"):
        text = " is unknown; choose 'string' or 'biogrid'."
        raise ArgumentError("database", Argument("database", database), text)
    _refuse_positions(genes)
    _refuse_several_genomes(genes)
    organism = _infer_organism(genes) if organism is None else organism
    if database == "string":
        network = string(organism, **options)
        aliases = fetched_aliases(
            organism,
            _version_of(network),
            base_url=options.get("base_url"),
            progress=options.get("progress", False),
        )
    else:
        network = biogrid(organism, **options)
        aliases = _biogrid_aliases(organism, _version_of(network), genes, options)
    match = match_genes(genes, network, aliases)
    if not match.counts["connected"]:
        raise ArgumentError(
            "genes",
            f"None of the {len(match.genes):,} genes ({match.kind}: {', '.join(match.genes[:3])}, …) has an "
            f"edge in {network!r}. Is ",
            Argument("organism", organism),
            " right?",
        )
    return match.apply(network), match


def _refuse_positions(genes: Sequence[str]) -> None:
    """Refuse names such as 0, 1, 2, …: they are positions, which must not be taken for Entrez numbers."""
    if gene_kind(genes) == "positions" and len(genes):
        raise ArgumentError(
            "genes",
            f"The {len(genes):,} genes are named {', '.join(list(genes)[:3])}, …: these are positions, not "
            "gene names or Entrez numbers, so no database can be matched. Name the genes, or choose a column "
            "of names with ",
            Argument("gene_column"),
            ".",
        )


def _refuse_several_genomes(genes: Sequence[str]) -> None:
    """Refuse names with several genomes before them."""
    genomes = dict.fromkeys(genome for gene in genes if (genome := genome_of(gene)))
    if len(genomes) > 1:
        first = next(iter(genomes))
        raise ArgumentError(
            "genes",
            f"The genes are of {len(genomes)} genomes ({', '.join(genomes)}), but a network is of one; keep "
            f"the genes of one, for instance adata[:, adata.var_names.str.startswith('{first}')].",
        )


def _infer_organism(genes: Sequence[str]) -> str:
    found = organism_of_genes(genes)
    if found is None:
        raise ArgumentError(
            "organism",
            f"The organism of the genes {', '.join(list(genes)[:3])}, … ({gene_kind(genes)}) cannot be "
            "inferred; pass ",
            Argument("organism"),
            ".",
        )
    return found.common_names[0]


def _version_of(network: GeneNetwork) -> str | None:
    return None if network.source is None else network.source.version


def _biogrid_aliases(
    organism: str | int, release: str | None, genes: Sequence[str], options: dict[str, Any]
) -> pd.DataFrame:
    """Return BioGRID's own names or, for Ensembl ids, which it lacks, STRING's."""
    progress = options.get("progress", False)
    if "Ensembl" in gene_kind(map(without_genome, genes)):
        return fetched_aliases(organism, progress=progress)
    if (path := options.get("path")) is not None:
        return biogrid_aliases(parse_biogrid_genes(path, organism))
    archive = fetch_archive(release, base_url=options.get("base_url"), progress=progress)
    with cache.discarding(archive):
        return biogrid_aliases(parse_biogrid_genes(archive, organism))
