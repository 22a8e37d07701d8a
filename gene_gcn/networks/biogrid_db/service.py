"""BioGRID's service: the interactions between the genes of a list."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gene_gcn.genes.organisms import Organism
from gene_gcn.storage import cache, download
from gene_gcn.storage.text_files import read_header

KEY = "BIOGRID_ACCESS_KEY"  # the environment variable
ROWS = 10_000  # the most that the service sends at a time
MAX_GENES = 2000

_HEADER = "#BioGRID Interaction ID\t"


def fetch_interactions(
    genes: Sequence[str],
    organism: Organism,
    access_key: str | None = None,
    *,
    base_url: str | None = None,
) -> Path:
    """Return a ``tab2`` file, gzip, of the interactions between genes, from the cache or asked for.

    Its record in the cache has the release that answered.

    Parameters
    ----------
    genes
        Official symbols, at most 2,000.
    organism
        Both interactors are of it.
    access_key
        The key; None for ``BIOGRID_ACCESS_KEY``. It is sent in the body of a POST, so that it is in no
        address, and neither in the name of the file, nor in errors. With a warm cache none is needed.
    base_url
        A mirror; None for ``GENE_GCN_BIOGRID_API``, or else BioGRID's own service.

    Raises
    ------
    DownloadError
        If BioGRID cannot be reached, or refuses the key.
    ValueError
        If there is no key, there are no genes or too many, or no interaction between them is known.
    """
    genes = _checked(genes)
    key = cache.sha256_of_json({"genes": sorted(genes)})[:16]
    base = download.base_url("GENE_GCN_BIOGRID_API", base_url)

    def make(path: Path) -> dict[str, Any]:
        secret = _secret(access_key)
        release = _release(base, secret)
        lines = _ask(f"{base}/interactions", genes, organism.biogrid_taxid, secret)
        if len(lines) < 2:
            raise ValueError(
                f"BioGRID knows no interaction between the {len(genes):,} genes ({', '.join(genes[:3])}, …) "
                f"in {organism}; genes= are official symbols."
            )
        path.write_bytes(gzip.compress("".join(line + "\n" for line in lines).encode(), mtime=0))
        return {"version": release}

    name = f"biogrid/genes/{organism.biogrid_taxid}.{key}.tab2.txt.gz"
    return cache.get_file(name, make, check=read_header, organism=str(organism))


def _checked(genes: Sequence[str]) -> list[str]:
    if isinstance(genes, str):
        raise ValueError(f"genes={genes!r} is one name; pass a list of them.")
    genes = list(dict.fromkeys(str(gene).strip() for gene in genes))
    if not genes or not all(genes) or any("|" in gene for gene in genes):
        raise ValueError("genes must be a list of official symbols, none of them empty or with a '|'.")
    if len(genes) > MAX_GENES:
        raise ValueError(
            f"genes has {len(genes):,} names, but BioGRID's service is asked for {MAX_GENES:,} at most; "
            "leave out genes= to fetch the archive, then align(genes)."
        )
    return genes


def _secret(access_key: str | None) -> str:
    secret = access_key or os.environ.get(KEY)
    if not secret:
        raise ValueError(
            f"BioGRID's service asks for a key, free at https://webservice.thebiogrid.org; pass access_key= "
            f"or set {KEY}."
        )
    return secret


def _release(base: str, secret: str) -> str | None:
    try:
        answer = download.request_text(f"{base}/version", {"accesskey": secret}, secret=secret)
    except download.DownloadError as error:
        if not error.missing:
            raise
        return None
    named = re.search(r"\d+\.\d+\.\d+", answer)
    return named and named[0]


def _ask(url: str, genes: Sequence[str], taxid: str, secret: str) -> list[str]:
    """Ask page by page; return the header and all rows."""
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
            said = " ".join(" ".join([header, *rows[:3]]).split())[:200].replace(secret, "…")
            raise download.DownloadError(f"{url} was answered with something else than a table: {said!r}.")
        lines += rows if lines else [header, *rows]
    return lines
