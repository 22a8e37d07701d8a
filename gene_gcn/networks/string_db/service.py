"""STRING's web service: the network of a list of genes, so that a panel of 500 needs no file of 70 MB."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd

from gene_gcn.errors import Argument, ArgumentError, NetworkWarning, first_few, warn
from gene_gcn.genes.organisms import Organism
from gene_gcn.storage import cache, download

CALLER = "gene_gcn"
MAX_GENES = 2000  # a network is requested in one call, because pairs must not be split between calls
BATCH = 1000  # names to look up per call
PAUSE = 1.0  # seconds between calls, as STRING requires

_next_call = 0.0


def request_links(
    genes: Sequence[str],
    organism: Organism,
    version: str,
    min_score: int,
    network: str,
    *,
    base_url: str | None = None,
) -> tuple[pd.DataFrame, str]:
    """Request the links between genes; the answer is stored in the cache.

    Parameters
    ----------
    genes : sequence of str
        Names or ids of any kind that STRING knows, at most 2,000. If several are names of the same protein,
        the result uses STRING's preferred name if it is among them, otherwise the first.
    organism : Organism
    version : str
    min_score : int
    network : {"functional", "physical"}
        As for :func:`gene_gcn.networks.string`.
    base_url : str, optional
        A mirror, which must have the requested version; by default ``GENE_GCN_STRING_API``, or else STRING's
        own service of that version.

    Returns
    -------
    table : pandas.DataFrame
        ``source, target, weight``, each pair once; the weight is a score from 0 to 1000.
    sha256 : str
        SHA-256 of the stored answer.

    Warns
    -----
    NetworkWarning
        If STRING does not know some of the genes.

    Raises
    ------
    DownloadError
        If STRING cannot be reached, or has another version.
    ArgumentError
        If there are no genes or too many, STRING knows none of them, or no pair of them is linked.
    """
    genes = _checked(genes)
    request = {"genes": sorted(genes), "network": network, "min_score": min_score}
    key = cache.sha256_of_json(request)[:16]
    path = cache.get_file(
        f"string/{version}/{organism.taxid}.genes.{key}.json",
        lambda file: cache.write_json(file, _request(genes, organism, version, min_score, network, base_url)),
        check=lambda file: json.loads(file.read_bytes())["links"],
        version=version,
        organism=str(organism),
    )
    answer = json.loads(path.read_bytes())
    _report_unknown(genes, answer["proteins"], f"STRING {version}", organism)
    if not answer["links"]:
        raise ArgumentError(
            "genes",
            f"STRING {version} links no two of the {len(genes):,} genes with ",
            Argument("min_score", min_score),
            ".",
        )
    links = pd.DataFrame(answer["links"], columns=["source", "target", "weight"])
    names = _name_proteins(genes, answer["proteins"])
    links = links.assign(source=links["source"].map(names), target=links["target"].map(names))
    return links.dropna(), cache.require_record(path)["sha256"]


def _checked(genes: Sequence[str]) -> list[str]:
    if isinstance(genes, str):
        raise ArgumentError("genes", Argument("genes", genes), " is a single name; pass a list of names.")
    genes = list(dict.fromkeys(str(gene).strip() for gene in genes))
    if not genes or not all(genes) or any(mark in gene for gene in genes for mark in "\r\n\t"):
        text = "genes must be a list of names, none of them empty or with line breaks or tabs."
        raise ArgumentError("genes", text)
    if len(genes) > MAX_GENES:
        raise ArgumentError(
            "genes",
            f"genes has {len(genes):,} names, but STRING's service takes {MAX_GENES:,} at most; leave out ",
            Argument("genes"),
            " to download the file of the whole organism, then call align(genes).",
        )
    return genes


def _report_unknown(
    genes: Sequence[str], proteins: dict[str, list[str]], database: str, organism: Organism
) -> None:
    unknown = [gene for gene in genes if gene not in proteins]
    if not unknown:
        return
    shown = first_few(unknown, 5)
    text = f"{database} does not know {len(unknown):,} of {len(genes):,} genes in {organism}: {shown}."
    if len(unknown) == len(genes):
        raise ArgumentError("genes", f"{text} Are they genes of that organism?")
    warn(NetworkWarning(text))


def _request(
    genes: Sequence[str], organism: Organism, version: str, min_score: int, network: str, base_url: str | None
) -> dict[str, Any]:
    """Request the proteins of the genes, then the links between all of them."""
    base = _service(version, base_url)
    common = {"species": organism.taxid, "caller_identity": CALLER}
    found = []
    for start in range(0, len(genes), BATCH):
        names = "\r".join(genes[start : start + BATCH])
        found += _call(f"{base}/json/get_string_ids", identifiers=names, limit=1, echo_query=1, **common)
    try:
        proteins = {str(row["queryItem"]): [row["stringId"], row["preferredName"]] for row in found}
    except KeyError as error:
        raise download.DownloadError(f"{base} returned genes without the field {error}.") from error
    ids = "\r".join(sorted({protein for protein, _ in proteins.values()}))
    options = {"required_score": min_score, "network_type": network, "add_nodes": 0}
    rows = _call(f"{base}/json/network", identifiers=ids, **options, **common) if proteins else []
    links = {_link(row, base) for row in rows}
    return {"proteins": proteins, "links": sorted(link for link in links if link[2] >= min_score)}


def _link(row: dict[str, Any], base: str) -> tuple[str, str, int]:
    """Return both proteins of a link and its score, 0 to 1000."""
    try:
        first, second = sorted((row["stringId_A"], row["stringId_B"]))
        score = float(row["score"])
    except (KeyError, TypeError, ValueError):
        score = -1.0
    if not 0 <= score <= 1:
        raise download.DownloadError(f"{base} returned a link without a score from 0 to 1: {row!r:.200}.")
    return first, second, round(1000 * score)


def _service(version: str, base_url: str | None) -> str:
    """Return the address of the service of a version; check the version of a mirror."""
    variable = "GENE_GCN_STRING_API"
    if base_url is None and not os.environ.get(variable):
        return f"https://version-{version.replace('.', '-')}.string-db.org/api"
    base = download.base_url(variable, base_url)
    has = _call(f"{base}/json/version")[0].get("string_version")
    if str(has) != version:
        raise download.DownloadError(
            f"{base} has STRING {has}, not {version}; pass version={str(has)!r} or another base_url."
        )
    return base


def _call(url: str, **data: Any) -> list[dict[str, Any]]:
    """Send one request, at least :data:`PAUSE` seconds after the previous one."""
    global _next_call
    time.sleep(max(0.0, _next_call - time.monotonic()))
    try:
        text = download.request_text(url, data)
    finally:
        _next_call = time.monotonic() + PAUSE
    try:
        rows = json.loads(text)
    except ValueError:
        rows = None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "Error" not in row for row in rows):
        excerpt = " ".join(text.split())[:200]
        raise download.DownloadError(f"{url} returned an unexpected answer: {excerpt!r}.")
    return rows


def _name_proteins(genes: Sequence[str], proteins: dict[str, list[str]]) -> dict[str, str]:
    """Return the user's name of each protein."""
    names: dict[str, str] = {}
    for gene in genes:
        if gene in proteins:
            protein, preferred = proteins[gene]
            names[protein] = gene if gene == preferred else names.get(protein, gene)
    return names
