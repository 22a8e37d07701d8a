"""STRING: functional associations between proteins, fetched by organism or read from its files."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from gene_gcn.genes.organisms import describe_taxid, find_organism
from gene_gcn.networks.edge_arrays import rename_categories
from gene_gcn.networks.network import GeneNetwork, NetworkSource
from gene_gcn.networks.store import get_network
from gene_gcn.networks.string_db.tables import (
    check_aliases,
    check_channels,
    check_info,
    check_links,
    check_min_score,
    parse_aliases,
    parse_info,
    parse_links,
)
from gene_gcn.storage import download
from gene_gcn.storage.text_files import existing_file, sha256_of

__all__ = [
    "fetch_aliases",
    "fetch_info",
    "fetch_links",
    "parse_aliases",
    "parse_info",
    "parse_links",
    "string",
    "string_versions",
]

LICENCE = "CC BY 4.0"
CITATION = "Szklarczyk et al. 2023, doi:10.1093/nar/gkac1000"
VERSION = "12.0"
KNOWN_VERSIONS = ("12.0", "11.5", "11.0b", "11.0", "10.5")
LINKS = {"functional": "protein.links", "physical": "protein.physical.links"}

# 9606.protein.links.v12.0.txt.gz, 9606.protein.physical.links.detailed.v12.0.txt.gz,
# protein.links.full.v11.5.txt
_FILE_NAME = re.compile(
    r"(?:(?P<taxid>\d+)\.)?protein\.(?P<physical>physical\.)?links(?:\.detailed|\.full)?"
    r"\.v(?P<version>\d+(?:\.\d+)?)"
)
_TAXON = re.compile(r"(\d+)\.(.+)")


def string(
    organism: str | int | None = None,
    *,
    version: str | None = None,
    min_score: int = 400,
    network: Literal["functional", "physical"] = "functional",
    channels: Sequence[str] | None = None,
    genes: Sequence[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    info: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    progress: bool | Any = False,
) -> GeneNetwork:
    """Return the STRING network of an organism: fetched once, then from the cache and offline.

    Weights are scores divided by the largest one. Genes are those with at least one edge; genes of several
    proteins keep the largest score. Genes have the preferred names of the ``protein.info`` file; proteins
    that it does not name keep their STRING id without the taxon (``ENSP00000269305``).

    Parameters
    ----------
    organism
        A name (``"human"``, ``"Mus musculus"``) or a taxonomy id. None for human, or for what `path` holds.
    version
        STRING version; None for 12.0, or for the one that the name of `path` says.
    min_score
        Smallest score to keep, 0 to 1000. STRING calls 150 low, 400 medium, 700 high and 900 highest
        confidence.
    network
        ``"functional"`` associations of any kind, or ``"physical"``: parts of the same complex.
    channels
        Kinds of evidence to combine, of ``neighborhood, fusion, cooccurence, coexpression, experimental,
        database, textmining``, by STRING's formula (:func:`gene_gcn.networks.string_db.tables.combined_score`).
        None for STRING's own combined score of all.
    genes
        Ask STRING's service for the network of these genes only, some 2,000 at most, instead of fetching the
        file of the organism. Genes of the result have the names given here.
    path
        Read this file instead: ``{taxid}.protein.links.v{version}.txt.gz``, or its ``links.detailed``,
        ``links.full`` or ``physical.links`` layout, plain or gzip.
    info
        The ``{taxid}.protein.info.v{version}.txt.gz`` that goes with `path`. With None, the file of that name
        (with or without ``.gz``) is taken from the folder of `path`, or from ``../protein.info.v{version}/``,
        which is how the download host is laid out; without such a file genes keep their STRING ids.
    base_url
        A mirror of the host; None for the one that the environment names (``GENE_GCN_STRING_URL``; with
        `genes`, ``GENE_GCN_STRING_API``), or else STRING's own.
    progress
        Whether to show a progress bar, which needs tqdm.

    Returns
    -------
    GeneNetwork
        Its source has the version, organism, licence, citation and the SHA-256 of the file of links.

    Raises
    ------
    DownloadError
        If a file cannot be fetched, or there is none of that version and organism.
    OSError
        If the cache cannot be written, or a file in it has changed.
    FileNotFoundError
        If `path` or `info` does not exist.
    ValueError
        If an argument is wrong, a file is damaged or not what it should be, holds another organism or
        several, or no edge is left.

    References
    ----------
    Szklarczyk et al. (2023), The STRING database in 2023, doi:10.1093/nar/gkac1000. Licence CC BY 4.0.
    """
    check_min_score(min_score)
    _check_network(network)
    version = None if version is None else str(version)
    chosen = check_channels(channels)
    if genes is not None:
        return _of_genes(genes, organism, version, min_score, network, chosen, path, base_url)
    if path is not None:
        return _read(path, info, organism, version, min_score, network, chosen)
    if info is not None:
        raise ValueError("info= goes with path=; without path both files are fetched.")
    taxid = find_organism("human" if organism is None else organism).taxid
    version = version or VERSION
    options = {"base_url": base_url, "progress": progress}
    links = fetch_links(taxid, version, network=network, detailed=bool(chosen), **options)
    names = fetch_info(taxid, version, **options)
    return get_network(
        f"string/{version}/{'.'.join((taxid, network, f'{min_score:g}', *chosen))}",
        {"min_score": float(min_score), "network": network, "channels": chosen},
        [links, names],
        lambda: _read(links, names, taxid, version, min_score, network, chosen),
    )


def fetch_links(
    organism: str | int,
    version: str = VERSION,
    *,
    network: Literal["functional", "physical"] = "functional",
    detailed: bool = False,
    base_url: str | None = None,
    progress: bool | Any = False,
) -> Path:
    """Return the file of links of an organism, from the cache or fetched; arguments as for :func:`string`."""
    _check_network(network)
    kind = LINKS[network] + (".detailed" if detailed else "")
    scores = ("combined_score", "experimental") if detailed else ("combined_score",)
    return _fetch(kind, organism, version, check_links(*scores), base_url, progress)


def fetch_info(
    organism: str | int, version: str = VERSION, *, base_url: str | None = None, progress: bool | Any = False
) -> Path:
    """Return the file of proteins and their preferred names; arguments as for :func:`string`."""
    return _fetch("protein.info", organism, version, check_info, base_url, progress)


def fetch_aliases(
    organism: str | int, version: str = VERSION, *, base_url: str | None = None, progress: bool | Any = False
) -> Path:
    """Return the file of all names of an organism's proteins; arguments as for :func:`string`."""
    return _fetch("protein.aliases", organism, version, check_aliases, base_url, progress)


def string_versions(*, base_url: str | None = None) -> list[str]:
    """List the versions of STRING, newest first: the current one, asked for, and the earlier ones known here.

    Parameters
    ----------
    base_url
        A mirror of ``https://string-db.org/api``; None for ``GENE_GCN_STRING_API``, or else STRING's own.

    Raises
    ------
    DownloadError
        If STRING cannot be reached, or answers something else.
    """
    url = f"{download.base_url('GENE_GCN_STRING_API', base_url)}/json/version"
    try:
        current = json.loads(download.request_text(url))[0]["string_version"]
    except (ValueError, LookupError, TypeError) as error:
        raise download.DownloadError(f"{url} was answered with something else than a version.") from error
    return list(dict.fromkeys([str(current), *KNOWN_VERSIONS]))


def _fetch(
    kind: str,
    organism: str | int,
    version: str,
    check: Callable[[Path], Any],
    base_url: str | None,
    progress: bool | Any,
) -> Path:
    version = _checked_version(version)
    found = find_organism(organism)
    number = version.rstrip("abcdefghijklmnopqrstuvwxyz")  # 11.0b names its files 11.0
    name = f"{found.taxid}.{kind}.v{number}.txt.gz"
    url = f"{download.base_url('GENE_GCN_STRING_URL', base_url)}/{kind}.v{number}/{name}"
    metadata = {"version": version, "organism": str(found)}
    try:
        return download.fetch(url, f"string/{version}/{name}", check=check, progress=progress, **metadata)
    except download.DownloadError as error:
        if not error.missing:
            raise
        raise download.DownloadError(
            f"STRING {version} has no {kind} of {found} (taxid {found.taxid}): {url} is not there. Versions "
            f"are {', '.join(_versions())}; its organisms are listed at https://string-db.org/cgi/organisms.",
            missing=True,
        ) from error


def _versions() -> Sequence[str]:
    try:
        return string_versions()
    except download.DownloadError:
        return KNOWN_VERSIONS


def _of_genes(
    genes: Sequence[str],
    organism: str | int | None,
    version: str | None,
    min_score: int,
    network: str,
    channels: Sequence[str],
    path: Any,
    base_url: str | None,
) -> GeneNetwork:
    from gene_gcn.networks.string_db.service import ask_links

    if path is not None or channels:
        other = "path" if path is not None else "channels"
        raise ValueError(f"genes= asks STRING's service, {other}= reads a file; pass one of them.")
    if organism is None:
        raise ValueError("genes= needs organism=, for instance organism='human'.")
    found = find_organism(organism)
    version = _checked_version(version or VERSION)
    links, sha256 = ask_links(genes, found, version, math.ceil(min_score), network, base_url=base_url)
    return GeneNetwork.from_frame(links, source=_source(network, (), version, found.taxid, sha256))


def _read(
    path: str | os.PathLike[str],
    info: str | os.PathLike[str] | None,
    organism: str | int | None,
    version: str | None,
    min_score: int,
    network: str,
    channels: Sequence[str],
) -> GeneNetwork:
    """Read the network of a file on disk."""
    path = existing_file(path)
    named = _FILE_NAME.search(path.name)
    info_path = existing_file(info, "info") if info is not None else _find_info(path)
    links = parse_links(path, min_score=min_score, channels=channels or None)
    taxid = _check_organism(links, path, organism)
    names = {} if info_path is None else parse_info(info_path).to_dict()
    ids = links["source"].cat.categories
    if names and not any(protein in names for protein in ids):
        raise ValueError(
            f"{info_path} names none of the proteins of {path} ({ids[0]}, …); pass info= the file of the "
            "same organism and version."
        )
    labels = [names.get(protein) or _without_taxon(protein) for protein in ids]
    table = pd.DataFrame(
        {side: rename_categories(links[side].array, labels) for side in ("source", "target")}
    )
    if named:
        version = version or named["version"]
        network = "physical" if named["physical"] else network
    source = _source(network, channels, version, taxid, sha256_of(path))
    return GeneNetwork.from_frame(table.assign(weight=links["weight"]), source=source)


def _source(
    network: str, channels: Sequence[str], version: str | None, taxid: str | None, sha256: str
) -> NetworkSource:
    kinds = [
        "STRING",
        *(["physical"] if network == "physical" else []),
        *(["+".join(channels)] if channels else []),
    ]
    return NetworkSource(
        name=" ".join(kinds),
        version=version,
        organism=taxid and describe_taxid(taxid),
        licence=LICENCE,
        citation=CITATION,
        sha256=sha256,
    )


def _checked_version(version: str) -> str:
    """Return a version as text; it is part of addresses and paths, so it must look like one."""
    if not re.fullmatch(r"\d+(\.\d+)?[a-z]?", str(version)):
        raise ValueError(
            f"version={version!r} is no version of STRING; known are {', '.join(KNOWN_VERSIONS)}."
        )
    return str(version)


def _check_network(network: str) -> None:
    if network not in LINKS:
        raise ValueError(f"network={network!r} is unknown; choose 'functional' or 'physical'.")


def _find_info(path: Path) -> Path | None:
    named = _FILE_NAME.search(path.name)
    if not named or not named["taxid"]:
        return None
    name = f"{named['taxid']}.protein.info.v{named['version']}.txt"
    folders = (path.parent, path.parent.parent / f"protein.info.v{named['version']}")
    candidates = (folder / (name + suffix) for folder in folders for suffix in (".gz", ""))
    return next((file for file in candidates if file.is_file()), None)


def _check_organism(links: pd.DataFrame, path: Path, organism: str | int | None) -> str | None:
    """Return the taxonomy id that the ids start with; refuse several, and one that was not asked for."""
    matches = map(_TAXON.fullmatch, links["source"].cat.categories)
    found = sorted({match[1] for match in matches if match})
    if len(found) > 1:
        raise ValueError(
            f"{path} holds {len(found)} organisms (taxids {', '.join(found[:5])}); use the file of one, "
            "named {taxid}.protein.links.v{version}.txt.gz."
        )
    if organism is None:
        return found[0] if found else None
    asked = find_organism(organism).taxid
    if found and asked != found[0]:
        raise ValueError(
            f"organism={organism!r} (taxid {asked}) was asked for, but {path} holds "
            f"{describe_taxid(found[0])} (taxid {found[0]})."
        )
    return asked


def _without_taxon(protein: str) -> str:
    match = _TAXON.fullmatch(protein)
    return match[2] if match else protein
