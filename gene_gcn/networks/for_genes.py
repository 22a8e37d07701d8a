"""The network of a database under the names that the user's genes have."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd

from gene_gcn.genes.names import gene_kind
from gene_gcn.genes.organisms import find_organism
from gene_gcn.networks.aliases import biogrid_aliases, string_aliases
from gene_gcn.networks.biogrid_db.network import biogrid, fetch_archive
from gene_gcn.networks.biogrid_db.tables import parse_biogrid_genes
from gene_gcn.networks.matching import GeneMatch, match_genes
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.string_db.network import (
    VERSION,
    fetch_aliases,
    fetch_info,
    parse_aliases,
    parse_info,
    string,
)
from gene_gcn.storage.download import DownloadError

# Symbols in capitals are taken for human ones: so are those of most mammals and birds.
_ORGANISM_OF_KIND = {
    "human symbols": "human",
    "human Ensembl gene ids": "human",
    "mouse symbols": "mouse",
    "mouse Ensembl gene ids": "mouse",
    "FlyBase ids": "fly",
    "WormBase ids": "worm",
    "Arabidopsis loci": "Arabidopsis",
    "yeast systematic names": "yeast",
}


def for_genes(
    database: Literal["string", "biogrid"],
    genes: Sequence[str],
    organism: str | int | None = None,
    **options: Any,
) -> tuple[GeneNetwork, GeneMatch]:
    """Return the network of a database on the user's genes, whatever kind of names they have.

    Symbols, former symbols, Ensembl gene and protein ids, Entrez numbers and RefSeq ids are looked up in
    STRING's aliases of the organism and, for BioGRID, in its own columns, by the rules of :func:`match_genes`.

    Parameters
    ----------
    database
        ``"string"`` or ``"biogrid"``.
    genes
        The user's genes, N unique names.
    organism
        A name or taxonomy id; None to tell human, mouse, fly, worm, Arabidopsis and yeast by the names of the
        genes. Symbols in capitals count as human.
    **options
        What :func:`string` or :func:`biogrid` take: ``version``, ``min_score``, ``evidence``, ``base_url``, …

    Returns
    -------
    network : GeneNetwork
        On `genes`, in their order and under their names.
    match : GeneMatch
        How each gene was found; print it to see how many were matched, are connected and were dropped.

    Raises
    ------
    ValueError
        If the organism cannot be told or no gene is matched by a connected one.
    DownloadError
        If a file cannot be fetched.
    """
    organism = _organism_of(genes) if organism is None else organism
    if database == "string":
        network = string(organism, **options)
        fetching = {name: options.get(name) for name in ("base_url", "progress")}
        aliases = _string_aliases(organism, network.source.version, **fetching)
    elif database == "biogrid":
        network = biogrid(organism, **options)
        aliases = _biogrid_aliases(organism, network.source.version, genes, options)
    else:
        raise ValueError(f"database={database!r} is unknown; choose 'string' or 'biogrid'.")
    match = match_genes(genes, network, aliases)
    if not match.counts["connected"]:
        raise ValueError(
            f"None of the {len(match.genes):,} genes ({match.kind}: {', '.join(match.genes[:3])}, …) has an edge "
            f"in {network!r}. Is organism={organism!r} right?"
        )
    return match.apply(network), match


def _organism_of(genes: Sequence[str]) -> str:
    kind = gene_kind(genes)
    if kind not in _ORGANISM_OF_KIND:
        raise ValueError(
            f"The organism of the genes {', '.join(list(genes)[:3])}, … ({kind}) cannot be told; pass organism=."
        )
    return _ORGANISM_OF_KIND[kind]


def _string_aliases(organism: str | int, version: str, **fetching: Any) -> pd.DataFrame:
    taxid = find_organism(organism).taxid
    names = parse_info(fetch_info(taxid, version, **fetching))
    try:
        table = parse_aliases(fetch_aliases(taxid, version, **fetching))
    except DownloadError as error:
        if not error.missing:
            raise
        warnings.warn(f"{error} Genes are matched by STRING's preferred names and ids only.", stacklevel=4)
        table = pd.DataFrame(columns=["protein", "alias", "source"], dtype=str)
    return string_aliases(table, names)


def _biogrid_aliases(
    organism: str | int, release: str, genes: Sequence[str], options: dict[str, Any]
) -> pd.DataFrame:
    """BioGRID's own names; it has no Ensembl ids, for these STRING is asked."""
    if "Ensembl" in gene_kind(genes):
        return _string_aliases(organism, VERSION, progress=options.get("progress"))
    if options.get("path") is not None:
        archive = options["path"]
    else:
        archive = fetch_archive(release, base_url=options.get("base_url"), progress=options.get("progress"))
    return biogrid_aliases(parse_biogrid_genes(archive, organism))
