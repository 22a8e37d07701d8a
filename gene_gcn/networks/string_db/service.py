"""STRING's service: the network of a list of genes, so that a panel of 500 needs no file of 70 MB."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Sequence
from typing import Any

import pandas as pd

from gene_gcn.genes.organisms import Organism
from gene_gcn.storage import cache, download

CALLER = "gene_gcn"
MAX_GENES = 2000  # a network is asked for in one call, as a pair must not be split between two
BATCH = 1000  # names to look up in one call
PAUSE = 1.0  # seconds between calls, as STRING asks

_next_call = 0.0


def ask_links(
    genes: Sequence[str],
    organism: Organism,
    version: str,
    min_score: int,
    network: str,
    *,
    base_url: str | None = None,
) -> tuple[pd.DataFrame, str]:
    """Ask for the links between genes; the answer is kept in the cache.

    Parameters
    ----------
    genes
        Names or ids of any kind that STRING knows, at most 2,000. Where two are names of one protein, the
        first of them, or STRING's preferred name if it is among them, names it in the result.
    organism, version, min_score, network
        As for :func:`gene_gcn.networks.string_db.network.string`.
    base_url
        A mirror; its version must be the one asked for. None for ``GENE_GCN_STRING_API``, or else STRING's
        own service of that version.

    Returns
    -------
    table : pandas.DataFrame
        ``source, target, weight``, each pair once; the weight is a score from 0 to 1000.
    sha256 : str
        SHA-256 of the answer as it is kept.

    Warns
    -----
    UserWarning
        If STRING does not know some of the genes.

    Raises
    ------
    DownloadError
        If STRING cannot be reached, or has another version.
    ValueError
        If there are no genes or too many, STRING knows none of them, or no pair of them is linked.
    """
    genes = _checked(genes)
    request = {"genes": sorted(genes), "network": network, "min_score": min_score}
    key = cache.sha256_of_json(request)[:16]
    path = cache.get_file(
        f"string/{version}/{organism.taxid}.genes.{key}.json",
        lambda file: cache.write_json(file, _ask(genes, organism, version, min_score, network, base_url)),
        check=lambda file: json.loads(file.read_bytes())["links"],
        version=version,
        organism=str(organism),
    )
    answer = json.loads(path.read_bytes())
    unknown = [gene for gene in genes if gene not in answer["proteins"]]
    if unknown:
        shown = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else "")
        message = (
            f"STRING {version} does not know {len(unknown):,} of {len(genes):,} genes in {organism}: {shown}."
        )
        if len(unknown) == len(genes):
            raise ValueError(f"{message} Are they genes of that organism?")
        warnings.warn(message, stacklevel=4)
    if not answer["links"]:
        raise ValueError(
            f"STRING {version} links no two of the {len(genes):,} genes at min_score={min_score}."
        )
    links = pd.DataFrame(answer["links"], columns=["source", "target", "weight"])
    names = _name_proteins(genes, answer["proteins"])
    links = links.assign(source=links["source"].map(names), target=links["target"].map(names))
    return links.dropna(), cache.get_record(path)["sha256"]


def _checked(genes: Sequence[str]) -> list[str]:
    if isinstance(genes, str):
        raise ValueError(f"genes={genes!r} is one name; pass a list of them.")
    genes = list(dict.fromkeys(str(gene).strip() for gene in genes))
    if not genes or not all(genes) or any(mark in gene for gene in genes for mark in "\r\n\t"):
        raise ValueError("genes must be a list of names, none of them empty or of several lines.")
    if len(genes) > MAX_GENES:
        raise ValueError(
            f"genes has {len(genes):,} names, but STRING's service is asked for {MAX_GENES:,} at most; leave "
            "out genes= to fetch the file of the whole organism, then align(genes)."
        )
    return genes


def _ask(
    genes: Sequence[str], organism: Organism, version: str, min_score: int, network: str, base_url: str | None
) -> dict[str, Any]:
    """Ask for the proteins of the genes, then for the links between all of them."""
    base = _service(version, base_url)
    common = {"species": organism.taxid, "caller_identity": CALLER}
    found = []
    for start in range(0, len(genes), BATCH):
        names = "\r".join(genes[start : start + BATCH])
        found += _call(f"{base}/json/get_string_ids", identifiers=names, limit=1, echo_query=1, **common)
    proteins = {str(row["queryItem"]): [row["stringId"], row["preferredName"]] for row in found}
    ids = "\r".join(sorted({protein for protein, _ in proteins.values()}))
    options = {"required_score": min_score, "network_type": network, "add_nodes": 0}
    rows = _call(f"{base}/json/network", identifiers=ids, **options, **common) if proteins else []
    links = {
        (*sorted((row["stringId_A"], row["stringId_B"])), round(1000 * float(row["score"]))) for row in rows
    }
    return {"proteins": proteins, "links": sorted(link for link in links if link[2] >= min_score)}


def _service(version: str, base_url: str | None) -> str:
    """Return the address that answers for a version; one that was given is asked which version it has."""
    variable = "GENE_GCN_STRING_API"
    if base_url is None and not os.environ.get(variable):
        return f"https://version-{version.replace('.', '-')}.string-db.org/api"
    base = download.base_url(variable, base_url)
    has = _call(f"{base}/json/version")[0].get("string_version")
    if str(has) != version:
        raise download.DownloadError(
            f"{base} has STRING {has}, not {version}; pass version={str(has)!r}, or another base_url."
        )
    return base


def _call(url: str, **data: Any) -> list[dict[str, Any]]:
    """Make one call, a second after the last one at the earliest."""
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
        said = " ".join(text.split())[:200]
        raise download.DownloadError(f"{url} was answered with something else than expected: {said!r}.")
    return rows


def _name_proteins(genes: Sequence[str], proteins: dict[str, list[str]]) -> dict[str, str]:
    """Name each protein by the gene that it was asked for under."""
    names: dict[str, str] = {}
    for gene in genes:
        if gene in proteins:
            protein, preferred = proteins[gene]
            names[protein] = gene if gene == preferred else names.get(protein, gene)
    return names
