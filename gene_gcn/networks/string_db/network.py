"""STRING: functional associations between proteins, downloaded by organism or read from STRING's files."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from gene_gcn.errors import Argument, ArgumentError, NetworkWarning, warn
from gene_gcn.genes.organisms import describe_taxid, find_organism
from gene_gcn.networks.categoricals import rename_categories
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.source import NetworkSource
from gene_gcn.networks.store import get_network
from gene_gcn.networks.string_db.service import request_links
from gene_gcn.networks.string_db.tables import (
    LinkFilter,
    check_aliases,
    check_channels,
    check_info,
    check_links,
    check_network,
    check_terms,
    parse_info,
    parse_links,
)
from gene_gcn.networks.string_db.vector_files import check_vectors
from gene_gcn.storage import download
from gene_gcn.storage.download import ProgressBar
from gene_gcn.storage.text_files import existing_file, sha256_of

LICENSE = "CC BY 4.0"
CITATION = "Szklarczyk et al. 2023, doi:10.1093/nar/gkac1000"
VERSION = "12.0"
KNOWN_VERSIONS = ("12.0", "11.5", "11.0b", "11.0", "10.5")
LINKS = {"functional": "protein.links", "physical": "protein.physical.links"}

# 9606.protein.links.v12.0.txt.gz, 9606.protein.physical.links.detailed.v12.0.txt.gz,
# protein.links.full.v11.5.txt, 9606.protein.enrichment.terms.v12.0.txt.gz
FILE_NAME = re.compile(
    r"(?:(?P<taxid>\d+)\.)?protein\."
    r"(?:(?P<physical>physical\.)?links(?:\.detailed|\.full)?|enrichment\.terms)"
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
    progress: bool | ProgressBar = False,
) -> GeneNetwork:
    """Return the STRING network of an organism: downloaded once, then read from the cache, also offline.

    Weights are scores divided by the largest one. The network has the genes with at least one edge, under the
    preferred names of the ``protein.info`` file; proteins without one keep their STRING id without the taxon
    (``ENSP00000269305``). Of several proteins of a gene, the largest score is kept.

    Parameters
    ----------
    organism : str or int, optional
        A name (``"human"``, ``"Mus musculus"``) or a taxonomy id; by default human, or that of `path`.
    version : str, optional
        STRING version; by default 12.0, or the one in the name of `path`.
    min_score : int
        Smallest score to keep, 0 to 1000. STRING calls 150 low, 400 medium, 700 high and 900 highest
        confidence.
    network : {"functional", "physical"}
        "functional" associations of any kind, or "physical" ones: parts of the same complex.
    channels : sequence of str, optional
        Kinds of evidence to combine, of ``neighborhood, fusion, cooccurence, coexpression, experimental,
        database, textmining``, by STRING's formula. By default STRING's own combined score of all kinds is
        used.
    genes : sequence of str, optional
        Request only the network of these genes, at most 2,000, from STRING's service, instead of downloading
        the file of the organism. Genes of the result have the names given here.
    path : path, optional
        Read this file instead: ``{taxid}.protein.links.v{version}.txt.gz``, or its ``links.detailed``,
        ``links.full`` or ``physical.links`` layout, plain or gzip.
    info : path, optional
        The ``{taxid}.protein.info.v{version}.txt.gz`` that belongs to `path`. By default the file of that
        name (with or without ``.gz``) in the folder of `path`, or in ``../protein.info.v{version}/``, which
        is the layout of the download host; without such a file, genes keep their STRING ids.
    base_url : str, optional
        A mirror of the host; by default the one that the environment names (``GENE_GCN_STRING_URL``; with
        `genes`, ``GENE_GCN_STRING_API``), or else STRING's own.
    progress : bool or ProgressBar
        Whether to show a progress bar, which needs tqdm.

    Returns
    -------
    GeneNetwork
        Its source has the version, organism, license, citation and the SHA-256 of the file of links.

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
        several, or no edge is left.

    References
    ----------
    Szklarczyk et al. (2023), The STRING database in 2023, doi:10.1093/nar/gkac1000. License CC BY 4.0.
    """
    links_filter = LinkFilter(min_score, network, check_channels(channels))
    version = None if version is None else str(version)
    if genes is not None:
        if path is not None or links_filter.channels:
            other = "path" if path is not None else "channels"
            text = " requests the network from STRING's service, but "
            also = (Argument(other), " reads a file; pass only one of them.")
            raise ArgumentError("genes", Argument("genes"), text, *also)
        return _of_genes(genes, organism, version, links_filter, base_url)
    if path is not None:
        return _read(path, info, organism, version, links_filter)
    if info is not None:
        text = " belongs to a file of links; pass that file with "
        raise ArgumentError("info", Argument("info"), text, Argument("path"), ".")
    taxid = find_organism("human" if organism is None else organism).taxid
    version = version or VERSION
    detailed = bool(links_filter.channels)
    links = fetch_links(
        taxid, version, network=network, detailed=detailed, base_url=base_url, progress=progress
    )
    names = fetch_info(taxid, version, base_url=base_url, progress=progress)
    return get_network(
        f"string/{version}/{'.'.join((taxid, network, f'{min_score:g}', *links_filter.channels))}",
        {"min_score": float(min_score), "network": network, "channels": links_filter.channels},
        [links, names],
        lambda: _read(links, names, taxid, version, links_filter),
    )


def fetch_links(
    organism: str | int,
    version: str = VERSION,
    *,
    network: Literal["functional", "physical"] = "functional",
    detailed: bool = False,
    base_url: str | None = None,
    progress: bool | ProgressBar = False,
) -> Path:
    """Return the file of links of an organism, downloading it first if needed; see :func:`string`."""
    check_network(network)
    kind = LINKS[network] + (".detailed" if detailed else "")
    check = check_links(find_organism(organism).taxid, *(["experimental"] if detailed else []))
    return _fetch(kind, organism, version, check, base_url, progress)


def fetch_info(
    organism: str | int,
    version: str = VERSION,
    *,
    base_url: str | None = None,
    progress: bool | ProgressBar = False,
) -> Path:
    """Return the file of preferred names of an organism's proteins; see :func:`string`."""
    check = check_info(find_organism(organism).taxid)
    return _fetch("protein.info", organism, version, check, base_url, progress)


def fetch_aliases(
    organism: str | int,
    version: str = VERSION,
    *,
    base_url: str | None = None,
    progress: bool | ProgressBar = False,
) -> Path:
    """Return the file of all names of an organism's proteins; see :func:`string`."""
    check = check_aliases(find_organism(organism).taxid)
    return _fetch("protein.aliases", organism, version, check, base_url, progress)


def fetch_terms(
    organism: str | int,
    version: str = VERSION,
    *,
    base_url: str | None = None,
    progress: bool | ProgressBar = False,
) -> Path:
    """Return the file of annotations of an organism's proteins; see ``string_terms``."""
    check = check_terms(find_organism(organism).taxid)
    return _fetch("protein.enrichment.terms", organism, version, check, base_url, progress)


def fetch_vectors(
    organism: str | int,
    version: str = VERSION,
    *,
    base_url: str | None = None,
    progress: bool | ProgressBar = False,
) -> Path:
    """Return the file of an organism's protein vectors; see ``string_vectors``."""
    taxid = find_organism(organism).taxid
    return _fetch(
        "protein.network.embeddings", organism, version, check_vectors(taxid), base_url, progress, "h5"
    )


def string_versions(*, base_url: str | None = None) -> list[str]:
    """List the versions of STRING, newest first: the current one, requested from STRING, and earlier ones.

    Parameters
    ----------
    base_url : str, optional
        A mirror of ``https://string-db.org/api``; by default ``GENE_GCN_STRING_API``, or else STRING's own.

    Returns
    -------
    list of str

    Raises
    ------
    DownloadError
        If STRING cannot be reached or returns something else.
    """
    url = f"{download.base_url('GENE_GCN_STRING_API', base_url)}/json/version"
    try:
        current = json.loads(download.request_text(url))[0]["string_version"]
    except (ValueError, LookupError, TypeError) as error:
        raise download.DownloadError(f"{url} did not return a version.") from error
    return list(dict.fromkeys([str(current), *KNOWN_VERSIONS]))


def _fetch(
    kind: str,
    organism: str | int,
    version: str,
    check: Callable[[Path], Any],
    base_url: str | None,
    progress: bool | ProgressBar,
    ending: str = "txt.gz",
) -> Path:
    version = _checked_version(version)
    found = find_organism(organism)
    number = version.rstrip("abcdefghijklmnopqrstuvwxyz")  # files of 11.0b are named 11.0
    name = f"{found.taxid}.{kind}.v{number}.{ending}"
    url = f"{download.base_url('GENE_GCN_STRING_URL', base_url)}/{kind}.v{number}/{name}"
    metadata = {"version": version, "organism": str(found)}
    try:
        return download.fetch(
            url,
            f"string/{version}/{name}",
            check=check,
            progress=progress,
            largest_unannounced=None,
            **metadata,
        )
    except download.DownloadError as error:
        if not error.missing:
            raise
        raise download.DownloadError(
            f"STRING {version} has no {kind} of {found} (taxid {found.taxid}): {url} does not exist. "
            f"Versions are {', '.join(_versions())}; organisms are listed at https://string-db.org/cgi/organisms.",
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
    links_filter: LinkFilter,
    base_url: str | None,
) -> GeneNetwork:
    if organism is None:
        example = Argument("organism", "human")
        raise ArgumentError("organism", Argument("genes"), " needs an organism, for instance ", example, ".")
    found = find_organism(organism)
    version = _checked_version(version or VERSION)
    min_score = math.ceil(links_filter.min_score)
    links, sha256 = request_links(genes, found, version, min_score, links_filter.network, base_url=base_url)
    return GeneNetwork.from_frame(links, source=_source(links_filter, version, found.taxid, sha256))


def _read(
    path: str | os.PathLike[str],
    info: str | os.PathLike[str] | None,
    organism: str | int | None,
    version: str | None,
    links_filter: LinkFilter,
) -> GeneNetwork:
    """Read a network from files on disk."""
    path = existing_file(path)
    named = FILE_NAME.search(path.name)
    info_path = existing_file(info, "info") if info is not None else find_info(path)
    version = version or (named["version"] if named else None)
    links = parse_links(
        path,
        min_score=links_filter.min_score,
        channels=links_filter.channels or None,
        corrects_homology=version is not None and _is_before_12(version),
    )
    ids = links["source"].cat.categories
    taxid = check_organism(ids, path, organism)
    names = {} if info_path is None else parse_info(info_path).to_dict()
    if info_path is not None:
        check_names(names, ids, info_path, path)
    labels = [names.get(protein) or without_taxon(protein) for protein in ids]
    table = pd.DataFrame(
        {side: rename_categories(links[side].array, labels) for side in ("source", "target")}
    )
    if named and named["physical"]:
        links_filter = replace(links_filter, network="physical")
    source = _source(links_filter, version, taxid, sha256_of(path))
    return GeneNetwork.from_frame(table.assign(weight=links["weight"]), source=source)


def _is_before_12(version: str) -> bool:
    number = re.match(r"\d+", version)
    return number is not None and int(number[0]) < 12


def check_names(names: dict[str, str], ids: pd.Index, info: Path, path: Path) -> None:
    """Refuse a file that names none of the proteins of another one, and warn of one that names only some."""
    unnamed = [protein for protein in ids if not names.get(protein)]
    if not unnamed:
        return
    same = "the file of the same organism and version with "
    if len(unnamed) == len(ids):
        text = f"{info} contains none of the proteins of {path} ({ids[0]}, …); pass {same}"
        raise ArgumentError("info", text, Argument("info"), ".")
    text = (
        f"{info} names only {len(ids) - len(unnamed):,} of {len(ids):,} proteins of {path}; the others, "
        f"{without_taxon(unnamed[0])} for instance, keep their ids, which are not names of genes. "
        f"Is it of another version? Pass {same}"
    )
    warn(NetworkWarning(text, Argument("info"), "."))


def _source(links_filter: LinkFilter, version: str | None, taxid: str | None, sha256: str) -> NetworkSource:
    kinds = ["physical"] if links_filter.network == "physical" else []
    kinds += ["+".join(links_filter.channels)] if links_filter.channels else []
    return NetworkSource(
        name=" ".join(["STRING", *kinds]),
        version=version,
        organism=taxid and describe_taxid(taxid),
        license=LICENSE,
        citation=CITATION,
        sha256=sha256,
    )


def _checked_version(version: str) -> str:
    """Return a version as text; it must look like one, because it becomes part of addresses and paths."""
    if not re.fullmatch(r"\d+(\.\d+)?[a-z]?", str(version)):
        text = f" is not a version of STRING; known versions are {', '.join(KNOWN_VERSIONS)}."
        raise ArgumentError("version", Argument("version", version), text)
    return str(version)


def find_info(path: Path) -> Path | None:
    """Return the file of preferred names that belongs to another file of STRING, if it is beside it."""
    named = FILE_NAME.search(path.name)
    if not named or not named["taxid"]:
        return None
    name = f"{named['taxid']}.protein.info.v{named['version']}.txt"
    folders = (path.parent, path.parent.parent / f"protein.info.v{named['version']}")
    candidates = (folder / (name + suffix) for folder in folders for suffix in (".gz", ""))
    return next((file for file in candidates if file.is_file()), None)


def check_organism(ids: pd.Index, path: Path, organism: str | int | None) -> str | None:
    """Return the taxonomy id in STRING ids; refuse several of them, and another one than requested."""
    found = sorted({match[1] for match in map(_TAXON.fullmatch, ids) if match})
    if len(found) > 1:
        raise ArgumentError(
            "path",
            f"{path} contains {len(found)} organisms (taxids {', '.join(found[:5])}); use the file of a "
            "single one, whose name starts with its taxid.",
        )
    if organism is None:
        return found[0] if found else None
    taxid = find_organism(organism).taxid
    if found and taxid != found[0]:
        text = f" has taxid {taxid}, but {path} contains {describe_taxid(found[0])} (taxid {found[0]})."
        raise ArgumentError("organism", Argument("organism", organism), text)
    return taxid


def without_taxon(protein: str) -> str:
    """Return a STRING id without the taxonomy id before it: ``ENSP00000269305``."""
    match = _TAXON.fullmatch(protein)
    return match[2] if match else protein
