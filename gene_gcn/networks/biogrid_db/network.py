"""BioGRID: interactions curated from publications, fetched by release or read from its files."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from gene_gcn.genes.organisms import describe_taxid, find_organism, find_taxid
from gene_gcn.networks.biogrid_db.tables import (
    Choice,
    check_archive,
    parse_biogrid,
    parse_biogrid_genes,
    read_pairs,
)
from gene_gcn.networks.network import GeneNetwork, NetworkSource
from gene_gcn.networks.store import get_network
from gene_gcn.storage import cache, download
from gene_gcn.storage.text_files import existing_file, sha256_of

__all__ = [
    "biogrid",
    "biogrid_versions",
    "fetch_archive",
    "latest_release",
    "parse_biogrid",
    "parse_biogrid_genes",
]

LICENCE = "MIT"
CITATION = "Oughtred et al. 2021, doi:10.1002/pro.3978"

LATEST = "BioGRID/Latest-Release/"
RELEASES = "BioGRID/Release-Archive/"
ARCHIVE = "Download/BioGRID/Release-Archive/BIOGRID-{release}/BIOGRID-ORGANISM-{release}.{layout}.zip"
FIRST_TAB3 = (3, 5, 183)  # older releases come as tab2
REMEMBERED = datetime.timedelta(days=30)  # BioGRID is released every month

_VERSION = re.compile(r"-(\d+\.\d+\.\d+)\.tab")
_RELEASE = re.compile(r"BIOGRID-(?:[A-Z]+-)?(\d+\.\d+\.\d+)")


def biogrid(
    organism: str | int | None = None,
    *,
    version: str | None = None,
    evidence: Literal["physical", "genetic", "all"] = "physical",
    throughput: Literal["low", "high"] | None = None,
    min_publications: int = 1,
    genes: Sequence[str] | None = None,
    access_key: str | None = None,
    path: str | os.PathLike[str] | None = None,
    base_url: str | None = None,
    progress: bool | Any = False,
) -> GeneNetwork:
    r"""Return the BioGRID network of an organism: fetched once, then from the cache and offline.

    The weight of a pair comes from the number n of distinct publications that report it,

    .. math:: s = \log(1 + n), \quad A = s / \max s \in (0, 1],

    so that a few heavily studied pairs do not flatten all others. BioGRID's own Score column is not used: it
    holds whatever each paper reports. Genes have their official symbols; both interactors must be of the
    organism.

    Parameters
    ----------
    organism
        A name (``"human"``, ``"Mus musculus"``), a taxonomy id or BioGRID's own name of it
        (``"Saccharomyces_cerevisiae_S288c"``). None for human, or for the only one that `path` holds.
    version
        Release, for instance ``"4.4.232"``; None for the latest, which is looked up once a month.
    evidence
        ``"physical"``, ``"genetic"`` or ``"all"`` interactions.
    throughput
        Only interactions of ``"low"`` or ``"high"`` throughput experiments; None for any.
    min_publications
        Smallest number of distinct publications, of those that the above leaves.
    genes
        Ask BioGRID's service for the interactions between these genes (official symbols) only, instead of
        fetching the archive of all organisms, some 150 MB. It answers for the latest release.
    access_key
        The key that the service asks for, free at https://webservice.thebiogrid.org; None for the
        environment's ``BIOGRID_ACCESS_KEY``. It is sent to the service and goes nowhere else.
    path
        Read this file instead: ``.tab2.txt`` or ``.tab3.txt``, plain or gzip, or a zip archive with one
        member per organism, ``BIOGRID-ORGANISM-{release}.tab3.zip``. Of an archive only the member asked for
        is unpacked, while it is read.
    base_url
        A mirror of the host; None for the one that the environment names (``GENE_GCN_BIOGRID_URL``; with
        `genes`, ``GENE_GCN_BIOGRID_API``), or else BioGRID's own.
    progress
        Whether to show a progress bar, which needs tqdm.

    Returns
    -------
    GeneNetwork
        Its source has the version, organism, licence, citation and the SHA-256 of the file.

    Raises
    ------
    DownloadError
        If a file cannot be fetched, or there is no such release.
    OSError
        If the cache cannot be written, or a file in it has changed.
    FileNotFoundError
        If `path` does not exist.
    ValueError
        If an argument is wrong, a file is damaged or no BioGRID table, the organism is missing, unknown or
        one of several, or no interaction is left.

    References
    ----------
    Oughtred et al. (2021), The BioGRID database, doi:10.1002/pro.3978. Licence MIT.
    """
    choice = Choice(evidence, throughput, min_publications)
    if genes is not None:
        return _of_genes(genes, organism, version, choice, access_key, path, base_url)
    if path is not None:
        return _read(path, organism, choice, version)
    label = _label("human" if organism is None else organism)
    archive = fetch_archive(version, base_url=base_url, progress=progress)
    release = _VERSION.search(archive.name)[1]
    return get_network(
        f"biogrid/{release}/{re.sub(r'[^A-Za-z0-9_-]+', '_', label)}.{choice.evidence}",
        {"organism": label, **asdict(choice)},
        [archive],
        lambda: _read(archive, label, choice, release),
    )


def fetch_archive(
    version: str | None = None, *, base_url: str | None = None, progress: bool | Any = False
) -> Path:
    """Return the archive of all organisms of a release, from the cache or fetched; see :func:`biogrid`."""
    release = latest_release(base_url=base_url) if version is None else str(version)
    if not re.fullmatch(r"\d+\.\d+\.\d+", release):
        raise ValueError(f"version={version!r} is no release of BioGRID, which are like '4.4.232'.")
    layout = "tab3" if _number(release) >= FIRST_TAB3 else "tab2"
    base = download.base_url("GENE_GCN_BIOGRID_URL", base_url)
    url = f"{base}/{ARCHIVE.format(release=release, layout=layout)}"
    name = f"biogrid/{release}/{url.rsplit('/', 1)[1]}"
    try:
        return download.fetch(
            url, name, check=check_archive, progress=progress, version=release, organism="all"
        )
    except download.DownloadError as error:
        if not error.missing:
            raise
        raise download.DownloadError(
            f"BioGRID has no release {release} at {url}. {_known_releases(base_url)}", missing=True
        ) from error


def latest_release(*, base_url: str | None = None) -> str:
    """Return the latest release of BioGRID, as its page said at most 30 days ago.

    Where that page cannot be reached, an older answer will do.

    Raises
    ------
    DownloadError
        If there is no earlier answer, and the page cannot be reached or names no release.
    """
    note = cache.cache_folder() / "biogrid" / "latest.json"
    known = cache.read_json(note)
    if known is not None:
        age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(known["date"])
        if age < REMEMBERED:
            return known["version"]
    try:
        release = (_releases(LATEST, base_url) or biogrid_versions(base_url=base_url))[0]
    except download.DownloadError:
        if known is None:
            raise
        return known["version"]
    cache.write_json(note, {"version": release, "date": cache.now()})
    return release


def biogrid_versions(*, base_url: str | None = None) -> list[str]:
    """List the releases of BioGRID, newest first, as its page of archives names them.

    Raises
    ------
    DownloadError
        If that page cannot be reached or names none.
    """
    if not (releases := _releases(RELEASES, base_url)):
        raise download.DownloadError(
            f"The page {RELEASES} names no release of BioGRID; pass version=, for instance version='4.4.232'."
        )
    return releases


def _releases(page: str, base_url: str | None) -> list[str]:
    text = download.request_text(f"{download.base_url('GENE_GCN_BIOGRID_URL', base_url)}/{page}")
    return sorted(set(_RELEASE.findall(text)), key=_number, reverse=True)


def _known_releases(base_url: str | None) -> str:
    try:
        return f"Releases are {', '.join(biogrid_versions(base_url=base_url)[:10])}, …"
    except download.DownloadError:
        return f"Releases are listed at {download.HOSTS['GENE_GCN_BIOGRID_URL']}/{RELEASES}."


def _label(organism: str | int) -> str:
    """Return BioGRID's taxonomy id, or the name of an archive's member as it is; ValueError for neither."""
    if find_taxid(organism) is None and "_" in str(organism):
        return str(organism)
    return find_organism(organism).biogrid_taxid


def _number(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


def _of_genes(
    genes: Sequence[str],
    organism: str | int | None,
    version: str | None,
    choice: Choice,
    access_key: str | None,
    path: Any,
    base_url: str | None,
) -> GeneNetwork:
    from gene_gcn.networks.biogrid_db.service import fetch_interactions

    for name, value in {"path": path, "version": version}.items():
        if value is not None:
            raise ValueError(
                f"genes= asks BioGRID's service for its latest release; {name}= does not go with it."
            )
    if organism is None:
        raise ValueError("genes= needs organism=, for instance organism='human'.")
    found = find_organism(organism)
    table = fetch_interactions(genes, found, access_key, base_url=base_url)
    return _read(table, found.biogrid_taxid, choice, cache.get_record(table)["version"])


def _read(
    path: str | os.PathLike[str], organism: str | int | None, choice: Choice, version: str | None
) -> GeneNetwork:
    """Read the network of a file on disk."""
    path = existing_file(path)
    table, taxid, name = read_pairs(path, organism, choice)
    named = _VERSION.search(name) or _VERSION.search(path.name)
    kinds = [
        choice.evidence if choice.evidence != "all" else "",
        choice.throughput and f"{choice.throughput} throughput",
    ]
    source = NetworkSource(
        name=" ".join(filter(None, ["BioGRID", *kinds])),
        version=version or (named and named[1]),
        organism=describe_taxid(taxid),
        licence=LICENCE,
        citation=CITATION,
        sha256=sha256_of(path),
    )
    return GeneNetwork.from_frame(table, source=source)
