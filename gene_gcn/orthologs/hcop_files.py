"""HCOP, HGNC's comparison of orthology predictions: human genes and those of 19 other species.

A row of a file is a pair of genes, each with symbol, Ensembl id and Entrez number, and the databases that
predict it (Yates et al. 2021, doi:10.1093/bib/bbab155). The files are published under no version; the cache
records the SHA-256 and the date of each.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.organisms import Organism, find_organism
from gene_gcn.storage import cache, download
from gene_gcn.storage.download import ProgressBar
from gene_gcn.storage.text_files import VERBATIM, damage_as_argument_error, open_file, read_header

__all__ = ["MIN_SUPPORT", "hcop", "is_hcop", "parse_hcop"]

MIN_SUPPORT = 3  # databases: the default of liana and decoupler, not measured here
# What HCOP calls the species in the names of its files, by taxonomy id.
SPECIES = {
    "28377": "anole_lizard",
    "6239": "c.elegans",
    "9685": "cat",
    "9913": "cattle",
    "9031": "chicken",
    "9598": "chimpanzee",
    "9615": "dog",
    "7227": "fruitfly",
    "9796": "horse",
    "9544": "macaque",
    "10090": "mouse",
    "13616": "opossum",
    "9823": "pig",
    "9258": "platypus",
    "10116": "rat",
    "4932": "s.cerevisiae",
    "4896": "s.pombe",
    "8364": "xenopus",
    "7955": "zebrafish",
}
HUMAN = "9606"
KINDS = ("symbol", "ensembl_gene", "entrez_gene")  # of names, each with the species before it
_MISSING = "-"


def hcop(
    organism: str | int,
    other: str | int = "human",
    *,
    min_support: int = MIN_SUPPORT,
    base_url: str | None = None,
    progress: bool | ProgressBar = False,
) -> pd.DataFrame:
    """Return the orthologs of two species: downloaded once, then read from the cache, also offline.

    Two species other than human are joined through their human orthologs.

    Parameters
    ----------
    organism, other : str or int
        Names (``"mouse"``, ``"Danio rerio"``) or taxonomy ids.
    min_support : int
        Smallest number of databases that predict a pair, 1 to 14 or so.
    base_url : str, optional
        A mirror of the host; by default ``GENE_GCN_HCOP_URL``, or else HGNC's own.
    progress : bool or ProgressBar
        Whether to show a progress bar, which needs tqdm.

    Returns
    -------
    DataFrame
        A row per pair: symbol, Ensembl id and Entrez number in each species (``human_symbol``,
        ``mouse_ensembl_gene``, …; NaN where HCOP has none), and ``support``, the number of databases; through
        human, the smaller one.

    Raises
    ------
    DownloadError
        If the file cannot be downloaded.
    ArgumentError
        If HCOP does not have a species, or both are the same.

    References
    ----------
    Yates et al. (2021), Updates to HCOP: the HGNC comparison of orthology predictions tool,
    doi:10.1093/bib/bbab155.
    """
    first, second = find_organism(organism), find_organism(other)
    if first == second:
        text = f" and the other species are both {first}, whose genes need no orthologs."
        raise ArgumentError("organism", Argument("organism", organism), text)
    tables = []
    for found in (first, second):
        if found.taxid != HUMAN:
            file = _fetch(found, base_url, progress)
            with cache.discarding(file):
                tables.append(parse_hcop(file, min_support))
    if len(tables) == 1:
        return tables[0]
    shared = [f"human_{kind}" for kind in KINDS]
    joined = tables[0].merge(tables[1].dropna(subset=shared, how="all"), on=shared, suffixes=("", "_2"))
    support = joined[["support", "support_2"]].min(axis=1)
    return joined.drop(columns=[*shared, "support_2"]).assign(support=support).drop_duplicates()


def is_hcop(header: str) -> bool:
    """Return whether the first line of a file is that of an HCOP file of fifteen columns."""
    names = header.split("\t")
    return "human_symbol" in names and names[-1] == "support"


def parse_hcop(path: Path, min_support: int = MIN_SUPPORT) -> pd.DataFrame:
    """Read a ``human_{species}_hcop_fifteen_column.txt`` file, plain or gzip; see :func:`hcop`.

    Parameters
    ----------
    path : Path
    min_support : int

    Raises
    ------
    ArgumentError
        If the file is damaged, something else, or has no pair with that support.
    """
    header = read_header(path)
    names = header.split("\t")
    if not is_hcop(header):
        text = f"{path} is not a file of HCOP: its columns are {header[:80]!r}; download it again."
        raise ArgumentError("path", text)
    columns = {f"human_{kind}": f"human_{kind}" for kind in KINDS}
    for kind in KINDS:
        # The other species is written as in "mouse_symbol", "anole lizard_symbol", "fruit fly_symbol".
        others = [name for name in names if name.endswith(f"_{kind}") and not name.startswith("human_")]
        if len(others) != 1 or f"human_{kind}" not in names:
            raise ArgumentError("path", f"{path} lacks the column of {kind} of a species; download it again.")
        columns[others[0]] = others[0].replace(" ", "_")
    with damage_as_argument_error(path), open_file(path) as file:
        table = pd.read_csv(file, sep="\t", dtype=str, usecols=[*columns, "support"], **VERBATIM)
    if table.empty or not table["support"].iloc[-1]:
        raise ArgumentError("path", f"{path} is empty or its last row is cut off; download it again.")
    support = table.pop("support").str.count(",") + 1
    table = table.rename(columns=columns)[list(columns.values())].assign(support=support)
    table = table[table["support"] >= min_support].reset_index(drop=True)
    if table.empty:
        text = f" leaves none of the pairs of {path}; pass a smaller one, such as {MIN_SUPPORT}."
        raise ArgumentError("min_support", Argument("min_support", min_support), text)
    return table.replace({_MISSING: None, "": None})


def _fetch(organism: Organism, base_url: str | None, progress: bool | ProgressBar) -> Path:
    species = SPECIES.get(organism.taxid)
    if species is None:
        text = f"{organism} is not among the species of HCOP (human, {', '.join(SPECIES.values())}); pass a "
        table = "table of orthologs, such as an export of BioMart, as "
        raise ArgumentError("organism", text, table, Argument("orthologs"), ".")
    name = f"human_{species}_hcop_fifteen_column.txt.gz"
    url = f"{download.base_url('GENE_GCN_HCOP_URL', base_url)}/{name}"
    return download.fetch(url, f"hcop/{name}", check=_check, progress=progress, organism=str(organism))


def _check(path: Path) -> None:
    parse_hcop(path, 1)
