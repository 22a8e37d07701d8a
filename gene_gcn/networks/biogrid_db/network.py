"""BioGRID: interactions curated from publications, downloaded by release or read from BioGRID's files."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.organisms import describe_taxid, find_organism, find_taxid
from gene_gcn.networks.biogrid_db.service import request_interactions
from gene_gcn.networks.biogrid_db.tables import InteractionFilter, check_archive, read_pairs
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.networks.source import NetworkSource
from gene_gcn.networks.store import get_network
from gene_gcn.storage import cache, download
from gene_gcn.storage.download import ProgressBar
from gene_gcn.storage.text_files import existing_file, sha256_of

LICENSE = "MIT"
CITATION = "Oughtred et al. 2021, doi:10.1002/pro.3978"

LATEST = "BioGRID/Latest-Release/"
RELEASES = "BioGRID/Release-Archive/"
ARCHIVE = "Download/BioGRID/Release-Archive/BIOGRID-{release}/BIOGRID-ORGANISM-{release}.{layout}.zip"
LARGEST_ARCHIVE = 1_000_000_000  # bytes, should the host not announce the length; 150 MB in 2024
FIRST_TAB3 = (3, 5, 183)  # older releases are in the tab2 layout
LATEST_EXPIRES = dt.timedelta(days=30)  # BioGRID is released monthly

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
    progress: bool | ProgressBar = False,
) -> GeneNetwork:
    r"""Return the BioGRID network of an organism: downloaded once, then read from the cache, also offline.

    The weight of a pair comes from the number n of distinct publications that report it,

    .. math:: s = \log(1 + n), \quad A = s / \max s \in (0, 1],

    so that a few heavily studied pairs do not flatten all others. BioGRID's own Score column is not used,
    because each publication defines it differently. Genes have their official symbols; both interactors must
    be of the organism.

    Parameters
    ----------
    organism : str or int, optional
        A name (``"human"``, ``"Mus musculus"``), a taxonomy id or BioGRID's own name for it
        (``"Saccharomyces_cerevisiae_S288c"``); by default human, or the only organism of `path`.
    version : str, optional
        Release, for instance ``"4.4.232"``; by default the latest, which is looked up once a month.
    evidence : {"physical", "genetic", "all"}
        Which interactions to use.
    throughput : {"low", "high"}, optional
        Use only interactions from low or high throughput experiments; by default any.
    min_publications : int
        Smallest number of distinct publications, of those that satisfy the above.
    genes : sequence of str, optional
        Request only the interactions between these genes (official symbols) from BioGRID's service, instead
        of downloading the archive of all organisms, some 150 MB. The service has the latest release.
    access_key : str, optional
        The key that the service requires, free at https://webservice.thebiogrid.org; by default the
        environment variable ``BIOGRID_ACCESS_KEY``. It is sent to the service and nowhere else.
    path : path, optional
        Read this file instead: ``.tab2.txt`` or ``.tab3.txt``, plain or gzip, or a zip archive with one
        member per organism, ``BIOGRID-ORGANISM-{release}.tab3.zip``. Only the requested member of an archive
        is decompressed, while it is read.
    base_url : str, optional
        A mirror of the host; by default the one that the environment names (``GENE_GCN_BIOGRID_URL``; with
        `genes`, ``GENE_GCN_BIOGRID_API``), or else BioGRID's own.
    progress : bool or ProgressBar
        Whether to show a progress bar, which needs tqdm.

    Returns
    -------
    GeneNetwork
        Its source has the version, organism, license, citation and the SHA-256 of the file.

    Raises
    ------
    DownloadError
        If a file cannot be downloaded, or there is no such release.
    OSError
        If the cache cannot be written, or a file in it has changed.
    FileNotFoundError
        If `path` does not exist.
    ArgumentError
        If an argument is wrong, a file is damaged or not a BioGRID table, the organism is absent, unknown or
        one of several, or no interaction is left.

    References
    ----------
    Oughtred et al. (2021), The BioGRID database, doi:10.1002/pro.3978. License MIT.
    """
    interactions = InteractionFilter(evidence, throughput, min_publications)
    if genes is not None:
        for name, value in {"path": path, "version": version}.items():
            if value is not None:
                text = " requests the latest release from BioGRID's service; leave out "
                raise ArgumentError(name, Argument("genes"), text, Argument(name), ".")
        return _of_genes(genes, organism, interactions, access_key, base_url)
    if path is not None:
        return _read(path, organism, interactions, version)
    label = _label("human" if organism is None else organism)
    release = _release(version, base_url)
    archive = _fetch_release(release, base_url, progress)
    return get_network(
        f"biogrid/{release}/{re.sub(r'[^A-Za-z0-9_-]+', '_', label)}.{interactions.evidence}",
        {"organism": label, **asdict(interactions)},
        [archive],
        lambda: _read(archive, label, interactions, release),
    )


def fetch_archive(
    version: str | None = None, *, base_url: str | None = None, progress: bool | ProgressBar = False
) -> Path:
    """Return a release's archive of all organisms, downloading it first if needed; see :func:`biogrid`."""
    return _fetch_release(_release(version, base_url), base_url, progress)


def _release(version: str | None, base_url: str | None) -> str:
    release = latest_release(base_url=base_url) if version is None else str(version)
    if not re.fullmatch(r"\d+\.\d+\.\d+", release):
        text = " is not a release of BioGRID; releases look like '4.4.232'."
        raise ArgumentError("version", Argument("version", version), text)
    return release


def _fetch_release(release: str, base_url: str | None, progress: bool | ProgressBar) -> Path:
    layout = "tab3" if _number(release) >= FIRST_TAB3 else "tab2"
    base = download.base_url("GENE_GCN_BIOGRID_URL", base_url)
    url = f"{base}/{ARCHIVE.format(release=release, layout=layout)}"
    name = f"biogrid/{release}/{url.rsplit('/', 1)[1]}"
    try:
        return download.fetch(
            url,
            name,
            check=check_archive,
            progress=progress,
            largest_unannounced=LARGEST_ARCHIVE,
            version=release,
            organism="all",
        )
    except download.DownloadError as error:
        if not error.missing:
            raise
        raise download.DownloadError(
            f"BioGRID has no release {release} at {url}. {_known_releases(base_url)}", missing=True
        ) from error


def latest_release(*, base_url: str | None = None) -> str:
    """Return the latest release of BioGRID, looked up on its page at most once in 30 days.

    If the page cannot be reached, an older answer is used.

    Parameters
    ----------
    base_url : str, optional
        As for :func:`biogrid`.

    Returns
    -------
    str

    Raises
    ------
    DownloadError
        If there is no earlier answer, and the page cannot be reached or lists no release.
    """
    file = cache.cache_folder() / "biogrid" / "latest.json"
    last = cache.read_json(file)
    if last is not None:
        age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(last["date"])
        if age < LATEST_EXPIRES:
            return last["version"]
    try:
        release = (_releases(LATEST, base_url) or biogrid_versions(base_url=base_url))[0]
    except download.DownloadError:
        if last is None:
            raise
        return last["version"]
    cache.write_json(file, {"version": release, "date": cache.now()})
    return release


def biogrid_versions(*, base_url: str | None = None) -> list[str]:
    """List the releases of BioGRID on its page of archives, newest first.

    Parameters
    ----------
    base_url : str, optional
        As for :func:`biogrid`.

    Returns
    -------
    list of str

    Raises
    ------
    DownloadError
        If that page cannot be reached or lists none.
    """
    if not (releases := _releases(RELEASES, base_url)):
        raise download.DownloadError(
            f"The page {RELEASES} lists no release of BioGRID; pass version=, for instance version='4.4.232'."
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
    """Return BioGRID's taxonomy id of an organism; a name of an archive's member stays as it is."""
    if find_taxid(organism) is None and "_" in str(organism):
        return str(organism)
    return find_organism(organism).biogrid_taxid


def _number(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


def _of_genes(
    genes: Sequence[str],
    organism: str | int | None,
    interactions: InteractionFilter,
    access_key: str | None,
    base_url: str | None,
) -> GeneNetwork:
    if organism is None:
        example = Argument("organism", "human")
        raise ArgumentError("organism", Argument("genes"), " needs an organism, for instance ", example, ".")
    found = find_organism(organism)
    table = request_interactions(genes, found, access_key, base_url=base_url)
    return _read(table, found.biogrid_taxid, interactions, cache.require_record(table)["version"])


def _read(
    path: str | os.PathLike[str],
    organism: str | int | None,
    interactions: InteractionFilter,
    version: str | None,
) -> GeneNetwork:
    """Read a network from a file on disk."""
    path = existing_file(path)
    pairs = read_pairs(path, organism, interactions)
    named = _VERSION.search(pairs.file_name) or _VERSION.search(path.name)
    kinds = [interactions.evidence] if interactions.evidence != "all" else []
    kinds += [f"{interactions.throughput} throughput"] if interactions.throughput else []
    source = NetworkSource(
        name=" ".join(["BioGRID", *kinds]),
        version=version or (named[1] if named else None),
        organism=describe_taxid(pairs.taxid),
        license=LICENSE,
        citation=CITATION,
        sha256=sha256_of(path),
    )
    return GeneNetwork.from_frame(pairs.table, source=source)
