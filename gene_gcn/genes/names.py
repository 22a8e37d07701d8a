"""Names of genes: check them, infer what kind they are, drop version numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from gene_gcn.errors import Argument, ArgumentError

# The first pattern that matches a name counts, so narrow patterns come first.
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
    """Describe what kind of gene names these are, by the kind of more than half of them.

    Parameters
    ----------
    genes : iterable of str

    Returns
    -------
    str
        For instance ``"human symbols"``, ``"human Ensembl gene ids"``, ``"Ensembl protein ids"``,
        ``"Entrez numbers"``, ``"RefSeq ids"``; ``"positions"`` for 0, 1, 2, …; otherwise ``"names of no known
        kind"``. Human and mouse symbols are distinguished by capitalization; other organisms follow one of
        these two conventions.

    Examples
    --------
    >>> gene_kind(["ENSG00000141510.17", "ENSG00000135679", "MT-CO1"])
    'human Ensembl gene ids'
    """
    genes = tuple(genes)
    if genes == tuple(map(str, range(len(genes)))):
        return "positions"
    matches = (_KIND.fullmatch(gene) for gene in genes)
    counts = Counter(match.lastindex for match in matches if match and match.lastindex)
    best, count = counts.most_common(1)[0] if counts else (0, 0)
    return list(_KINDS)[best - 1] if count > len(genes) / 2 else "names of no known kind"


def without_version(gene: str) -> str:
    """Drop the version of an Ensembl or RefSeq id (``ENSG00000141510.17``); ``AC123.1`` has none."""
    match = _VERSIONED.fullmatch(gene)
    return match[1] if match else gene


def without_versions(*sets: Sequence[str]) -> list[list[str]]:
    """Drop the versions in lists of unique names, unless two names of a list would become equal."""
    short = [[without_version(gene) for gene in genes] for genes in sets]
    return short if all(len(set(s)) == len(s) for s in short) else [list(genes) for genes in sets]


def without_version_each(names: pd.Series) -> pd.Series:
    """Drop the version of each name; names without a dot, usually most of them, are not looked at."""
    dotted = names.str.contains(".", regex=False).to_numpy(dtype=bool)
    return pd.concat([names[~dotted], names[dotted].map(without_version)]).reindex(names.index)


def check_gene_names(genes: Iterable[str]) -> tuple[str, ...]:
    """Return unique, non-empty names as a tuple of plain strings.

    Raises
    ------
    ArgumentError
        If `genes` is a single string, or a name is empty, not a string or duplicated.
    """
    if isinstance(genes, (str, bytes)):
        raise ArgumentError("genes", Argument("genes", genes), " is a single name; pass a sequence of names.")
    genes = tuple(genes)
    for gene in genes:
        if not isinstance(gene, str) or not gene:
            raise ArgumentError(
                "genes", f"genes contains {gene!r}; every gene must be named by a non-empty string."
            )
    if len(set(genes)) < len(genes):
        index = pd.Index(genes, dtype=object)
        duplicates = list(index[index.duplicated()].unique()[:3])
        raise ArgumentError(
            "genes",
            f"genes must be unique, but {duplicates} occur more than once; drop or rename duplicates "
            "(AnnData: var_names_make_unique).",
        )
    return tuple(str(gene) for gene in genes)  # numpy's str_ becomes str
