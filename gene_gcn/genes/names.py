"""Names of genes: checking them, telling what kind they are, dropping versions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

# The first that fits a name counts, so the narrow ones come first.
_KINDS = {
    "human Ensembl gene ids": r"ENSG\d+(?:\.\d+)?",
    "mouse Ensembl gene ids": r"ENSMUSG\d+(?:\.\d+)?",
    "Ensembl protein ids": r"(?:\d+\.)?ENS[A-Z]*P\d+(?:\.\d+)?",
    "Ensembl transcript ids": r"ENS[A-Z]*T\d+(?:\.\d+)?",
    "Ensembl ids": r"ENS[A-Z]*G\d+(?:\.\d+)?",
    "RefSeq ids": r"[NX][MRP]_\d+(?:\.\d+)?",
    "Entrez numbers": r"\d+",
    "FlyBase ids": r"FB(?:gn|tr|pp)\d+",
    "WormBase ids": r"WBGene\d+",
    "Arabidopsis loci": r"A[Tt][1-5CM][Gg]\d{5}(?:\.\d+)?",
    "yeast systematic names": r"Y[A-P][LR]\d{3}[WC](?:-[A-Z])?",
    "mouse symbols": r"[A-Z][a-z0-9.-]*[a-z][A-Za-z0-9.-]*|\d+[A-Z]\d+Rik",
    "human symbols": r"[A-Z0-9][A-Z0-9.-]*",
}
_KIND = re.compile("|".join(f"({pattern})" for pattern in _KINDS.values()))
_VERSIONED = re.compile(r"((?:\d+\.)?ENS[A-Z]*[GTP]\d+|[NX][MRP]_\d+)\.\d+")


def gene_kind(genes: Iterable[str]) -> str:
    """Say what kind of names these are, in words: the kind of more than half of them.

    Returns
    -------
    str
        For instance ``"human symbols"``, ``"human Ensembl gene ids"``, ``"Ensembl protein ids"``,
        ``"Entrez numbers"``, ``"RefSeq ids"``; ``"positions"`` for 0, 1, 2, …; otherwise ``"names of no known
        kind"``. Capital letters tell human symbols from mouse ones; other organisms share these two ways.

    Examples
    --------
    >>> gene_kind(["ENSG00000141510.17", "ENSG00000135679", "MT-CO1"])
    'human Ensembl gene ids'
    """
    genes = tuple(genes)
    if genes == tuple(map(str, range(len(genes)))):
        return "positions"
    matches = (_KIND.fullmatch(gene) for gene in genes)
    counts = Counter(match.lastindex for match in matches if match)
    best, count = counts.most_common(1)[0] if counts else (0, 0)
    return list(_KINDS)[best - 1] if count > len(genes) / 2 else "names of no known kind"


def without_version(gene: str) -> str:
    """Drop the version of an Ensembl or RefSeq id (``ENSG00000141510.17``), not the end of ``AC123.1``."""
    match = _VERSIONED.fullmatch(gene)
    return match[1] if match else gene


def without_versions(*sets: Sequence[str]) -> list[list[str]]:
    """Drop the versions in lists of unique names, unless two names of one list fall together."""
    short = [[without_version(gene) for gene in genes] for genes in sets]
    return short if all(len(set(s)) == len(s) for s in short) else [list(genes) for genes in sets]


def check_gene_names(genes: Any) -> tuple[str, ...]:
    if isinstance(genes, (str, bytes)):
        raise ValueError(f"genes={genes!r} is one name; pass a sequence of names.")
    genes = tuple(genes)
    for gene in genes:
        if not isinstance(gene, str) or not gene:
            raise ValueError(f"genes holds {gene!r}; every gene needs a non-empty string as its name.")
    if len(set(genes)) < len(genes):
        twice = pd.Index(genes, dtype=object)
        twice = list(twice[twice.duplicated()].unique()[:3])
        raise ValueError(
            f"genes must be unique, but {twice} occur more than once; drop or rename them (AnnData: "
            "var_names_make_unique)."
        )
    return tuple(str(gene) for gene in genes)  # numpy's str_ becomes str
