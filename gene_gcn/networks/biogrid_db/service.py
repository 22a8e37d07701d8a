"""BioGRID's web service: the interactions between the genes of a list."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.organisms import Organism
from gene_gcn.networks.biogrid_db.tables import check_table
from gene_gcn.storage import cache, download

KEY = "BIOGRID_ACCESS_KEY"  # the environment variable
ROWS = 10_000  # the service sends at most this many at a time
MAX_GENES = 2000

_HEADER = "#BioGRID Interaction ID\t"


def request_interactions(
    genes: Sequence[str],
    organism: Organism,
    access_key: str | None = None,
    *,
    base_url: str | None = None,
) -> Path:
    """Return a ``tab2`` file, gzip, of the interactions between genes, requesting it first if needed.

    Its record in the cache has the release that the service had.

    Parameters
    ----------
    genes : sequence of str
        Official symbols, at most 2,000.
    organism : Organism
        Both interactors are of this organism.
    access_key : str, optional
        The key; by default the environment variable ``BIOGRID_ACCESS_KEY``. It is sent in the body of a POST,
        so that it appears neither in an address nor in the name of the file or in errors. If the file is in
        the cache, no key is needed.
    base_url : str, optional
        A mirror; by default ``GENE_GCN_BIOGRID_API``, or else BioGRID's own service.

    Returns
    -------
    Path

    Raises
    ------
    DownloadError
        If BioGRID cannot be reached or refuses the key.
    ArgumentError
        If there is no key, there are no genes or too many, or no interaction between them is known.
    """
    genes = _checked(genes)
    key = cache.sha256_of_json({"genes": sorted(genes)})[:16]
    base = download.base_url("GENE_GCN_BIOGRID_API", base_url)

    def make(path: Path) -> dict[str, Any]:
        secret = _secret(access_key)
        release = _release(base, secret)
        lines = _request(f"{base}/interactions", genes, organism.biogrid_taxid, secret)
        if len(lines) < 2:
            raise ArgumentError(
                "genes",
                f"BioGRID knows no interaction between the {len(genes):,} genes ({', '.join(genes[:3])}, …) "
                f"in {organism}; pass official symbols with ",
                Argument("genes"),
                ".",
            )
        path.write_bytes(gzip.compress("".join(line + "\n" for line in lines).encode(), mtime=0))
        try:
            check_table(path)
        except ArgumentError as error:
            raise download.DownloadError(str(error).replace(str(path), base)) from error
        return {"version": release}

    name = f"biogrid/genes/{organism.biogrid_taxid}.{key}.tab2.txt.gz"
    return cache.get_file(name, make, check=check_table, organism=str(organism))


def _checked(genes: Sequence[str]) -> list[str]:
    if isinstance(genes, str):
        raise ArgumentError("genes", Argument("genes", genes), " is a single name; pass a list of names.")
    genes = list(dict.fromkeys(str(gene).strip() for gene in genes))
    if not genes or not all(genes) or any("|" in gene for gene in genes):
        text = "genes must be a list of official symbols, none of them empty or with a '|'."
        raise ArgumentError("genes", text)
    if len(genes) > MAX_GENES:
        raise ArgumentError(
            "genes",
            f"genes has {len(genes):,} names, but BioGRID's service takes {MAX_GENES:,} at most; leave out ",
            Argument("genes"),
            " to download the archive, then call align(genes).",
        )
    return genes


def _secret(access_key: str | None) -> str:
    secret = access_key or os.environ.get(KEY)
    if not secret:
        raise ArgumentError(
            "access_key",
            "BioGRID's service requires a key, free at https://webservice.thebiogrid.org; pass ",
            Argument("access_key"),
            f" or set the environment variable {KEY}.",
        )
    return secret


def _release(base: str, secret: str) -> str | None:
    try:
        answer = download.request_text(f"{base}/version", {"accesskey": secret}, secret=secret)
    except download.DownloadError as error:
        if not error.missing:
            raise
        return None
    found = re.search(r"\d+\.\d+\.\d+", answer)
    return found[0] if found else None


def _request(url: str, genes: Sequence[str], taxid: str, secret: str) -> list[str]:
    """Request all pages; return the header and all rows."""
    form = {
        "geneList": "|".join(genes),
        "searchNames": "true",
        "includeInteractors": "false",
        "taxId": taxid,
        "format": "tab2",
        "includeHeader": "true",
        "max": ROWS,
    }
    lines: list[str] = []
    rows = [""] * ROWS
    while len(rows) == ROWS:
        data = {**form, "start": max(0, len(lines) - 1), "accesskey": secret}
        header, *rows = download.request_text(url, data, secret=secret).splitlines() or [""]
        if not header.startswith(_HEADER):
            excerpt = " ".join(" ".join([header, *rows[:3]]).split())[:200].replace(secret, "…")
            raise download.DownloadError(f"{url} did not return a table: {excerpt!r}.")
        lines += rows if lines else [header, *rows]
    return lines
