"""STRING's annotations of genes: pathways, Gene Ontology, domains, keywords, diseases, tissues."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.organisms import describe_taxid, find_organism
from gene_gcn.networks.categoricals import rename_categories
from gene_gcn.networks.gene_terms import GeneTerms
from gene_gcn.networks.source import NetworkSource
from gene_gcn.networks.string_db.names import fetched_aliases
from gene_gcn.networks.string_db.network import (
    CITATION,
    FILE_NAME,
    LICENSE,
    VERSION,
    check_names,
    check_organism,
    fetch_info,
    fetch_terms,
    find_info,
    without_taxon,
)
from gene_gcn.networks.string_db.tables import parse_info, parse_terms
from gene_gcn.storage import cache
from gene_gcn.storage.download import ProgressBar
from gene_gcn.storage.text_files import existing_file, sha256_of


def string_terms(
    organism: str | int | None = None,
    *,
    genes: Sequence[str] | None = None,
    version: str | None = None,
    path: str | os.PathLike[str] | None = None,
    info: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    progress: bool | ProgressBar = False,
) -> GeneTerms:
    """Return the terms that STRING annotates an organism's genes with: downloaded once, then also offline.

    Genes have the preferred names of the ``protein.info`` file, as in :func:`gene_gcn.networks.string`; a
    gene has the terms of all its proteins.

    Parameters
    ----------
    organism : str or int, optional
        A name (``"human"``, ``"Mus musculus"``) or a taxonomy id; by default human, or that of `path`.
    genes : sequence of str, optional
        The user's genes, unique names of any kind; the result has those with a term, under these names.
        They are found through STRING's aliases, as in :func:`gene_gcn.networks.for_genes`, or, with `path`,
        by preferred names only.
    version : str, optional
        STRING version; by default 12.0, or the one in the name of `path`.
    path : path, optional
        Read this file instead: ``{taxid}.protein.enrichment.terms.v{version}.txt.gz``, plain or gzip.
    info : path, optional
        The ``{taxid}.protein.info.v{version}.txt.gz`` that belongs to `path`; by default looked for beside it
        as in :func:`gene_gcn.networks.string`.
    base_url : str, optional
        A mirror of the host; by default ``GENE_GCN_STRING_URL``, or else STRING's own.
    progress : bool or ProgressBar
        Whether to show a progress bar, which needs tqdm.

    Returns
    -------
    GeneTerms

    Raises
    ------
    DownloadError
        If a file cannot be downloaded, or STRING has none for that version and organism.
    OSError
        If the cache cannot be written, or a file in it has changed.
    FileNotFoundError
        If `path` or `info` does not exist.
    ArgumentError
        If an argument is wrong, a file is damaged or not what it should be, contains another organism or
        several, or none of `genes` has a term.

    References
    ----------
    Szklarczyk et al. (2023), The STRING database in 2023, doi:10.1093/nar/gkac1000. License CC BY 4.0.
    """
    version = None if version is None else str(version)
    if path is not None:
        terms = _read(existing_file(path), info, organism, version)
        return terms if genes is None else terms.for_genes(genes)
    if info is not None:
        text = " belongs to a file of terms; pass that file with "
        raise ArgumentError("info", Argument("info"), text, Argument("path"), ".")
    taxid = find_organism("human" if organism is None else organism).taxid
    version = version or VERSION
    file = fetch_terms(taxid, version, base_url=base_url, progress=progress)
    names = fetch_info(taxid, version, base_url=base_url, progress=progress)
    with cache.discarding(file, names):
        terms = _read(file, names, taxid, version)
    if genes is None:
        return terms
    return terms.for_genes(genes, fetched_aliases(taxid, version, base_url=base_url, progress=progress))


def _read(
    path: Path, info: str | os.PathLike[str] | None, organism: str | int | None, version: str | None
) -> GeneTerms:
    """Read terms from files on disk."""
    info_path = existing_file(info, "info") if info is not None else find_info(path)
    named = FILE_NAME.search(path.name)
    table = parse_terms(path)
    ids = table["protein"].cat.categories
    taxid = check_organism(ids, path, organism)
    names = {} if info_path is None else parse_info(info_path).to_dict()
    if info_path is not None:
        check_names(names, ids, info_path, path)
    labels = [names.get(protein) or without_taxon(protein) for protein in ids]
    gene = pd.Series(rename_categories(table["protein"].array, labels), table.index)
    source = NetworkSource(
        name="STRING",
        version=version or (named["version"] if named else None),
        organism=taxid and describe_taxid(taxid),
        license=LICENSE,
        citation=CITATION,
        sha256=sha256_of(path),
    )
    return GeneTerms.from_frame(table.assign(gene=gene), source)
