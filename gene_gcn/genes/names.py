"""Names of genes: check them, infer what kind they are, recognize other spellings of the same name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError

# The first pattern that matches a name counts, so narrow patterns come first.
_KINDS = {
    "cell barcodes": r"(?:\w+[-_:#])?[ACGT]{12,}x?(?:[-_.]\w+)*",
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
# What Cell Ranger puts before each name if a reference holds several genomes: GRCh38_TP53, mm10___Trp53.
# Seurat makes hyphens of the underscores.
_GENOME = re.compile(r"(GRC[a-z]\d+\w*?|hg\d\d|mm\d{1,2}|rn\d|T2T\w*?)(?:(?:[-.][\w.-]+?)?_+|-+)(?=[^_-])")
_NAMELESS = re.compile(r"(?:nan|NaN|None|<NA>|)(?:-\d+)?")  # anndata makes nan-1 of the second nan
# Measures of cells by Seurat and scanpy, reads that HTSeq and STAR assign to no gene, embeddings, clusters
# and spike-ins, which end up among the genes of tables.
_NO_GENE = re.compile(
    r"[np](?:Count|Feature)_\w+|percent[._](?:mt|mito|ribo|rb|hb)\w*|nGene|nUMI|n_counts|n_genes(?:_by_counts)?"
    r"|(?:log1p_)?total_counts(?:_\w+)?|pct_counts_\w+|log1p_n_genes_by_counts|n_umis?|doublet_scores?"
    r"|\w+_snn_res\.[\d.]+|seurat_clusters|orig\.ident|(?:S|G2M)[._][Ss]core|leiden|louvain"
    r"|__(?:no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique)"
    r"|N_(?:unmapped|multimapping|noFeature|ambiguous)|(?:UMAP|umap|tSNE|TSNE|tsne)_\d+"
    r"|ERCC-\d{5}"
)
MAX_POSITION = 100_000  # more than the genes of any annotation; a third of Entrez numbers are larger


def gene_kind(genes: Iterable[str]) -> str:
    """Describe what kind of gene names these are, by the kind of more than half of them.

    Parameters
    ----------
    genes : iterable of str

    Returns
    -------
    str
        For instance ``"human symbols"``, ``"human Ensembl gene ids"``, ``"Ensembl protein ids"``,
        ``"Entrez numbers"``, ``"RefSeq ids"``; ``"positions"`` for 0, 1, 2, …, or some of these;
        ``"cell barcodes"``; otherwise ``"names of no known kind"``. Human and mouse symbols are distinguished
        by capitalization; other organisms follow one of these two conventions.

    Examples
    --------
    >>> gene_kind(["ENSG00000141510.17", "ENSG00000135679", "MT-CO1"])
    'human Ensembl gene ids'
    """
    genes = tuple(genes)
    if not genes or are_positions(genes):
        return "positions"
    matches = (_KIND.fullmatch(gene) for gene in genes)
    counts = Counter(match.lastindex for match in matches if match and match.lastindex)
    best, count = counts.most_common(1)[0] if counts else (0, 0)
    return list(_KINDS)[best - 1] if count > len(genes) / 2 else "names of no known kind"


def are_numbers(genes: Sequence[str]) -> bool:
    """Return whether all names are whole numbers that could be positions in a table of genes.

    Entrez numbers of a few genes can be that small, too; `are_positions` tells which are more likely.
    """
    return all(gene.isascii() and gene.isdigit() and int(gene) < MAX_POSITION for gene in genes)


def are_positions(genes: Sequence[str]) -> bool:
    """Return whether names are positions: 0, 1, 2, …, a part of these, or R's V1, V2, ….

    Numbers are taken as positions if 0 is among them, which is not an Entrez number, or if they are so dense,
    with more than one in fifty numbers in use, that they cannot be the Entrez numbers of a set of genes.
    """
    are_columns_of_r = len(genes) > 1 and all(gene.startswith("V") for gene in genes)
    if are_columns_of_r and set(genes) == {f"V{i}" for i in range(1, len(genes) + 1)}:
        return True
    if not genes or not are_numbers(genes):
        return False
    numbers = set(map(int, genes))
    return 0 in numbers or len(numbers) > max(numbers) / 50


def is_nameless(name: object) -> bool:
    """Return whether a gene has no name: it is missing, empty, or the text of a missing value."""
    if not isinstance(name, str) and pd.isna(name):  # which is slow, and text is never missing to pandas
        return True
    text = str(name).strip()
    return text[:1] in "nN<-" and _NAMELESS.fullmatch(text) is not None  # few names reach the pattern


def names_no_gene(name: str) -> bool:
    """Return whether a column of this name is no gene of the cells.

    It may be a measure of cells (``nCount_RNA``, ``percent.mt``), of reads without a gene (``__no_feature``),
    a position in an embedding (``UMAP_1``), a clustering (``leiden``) or a spike-in (``ERCC-00002``).
    """
    return _NO_GENE.fullmatch(name) is not None


def without_version(gene: str) -> str:
    """Drop the version of an Ensembl or RefSeq id (``ENSG00000141510.17``); ``AC123.1`` has none."""
    match = _VERSIONED.fullmatch(gene)
    return match[1] if match else gene


def without_genome(gene: str) -> str:
    """Drop the genome before a name: ``GRCh38_TP53`` and ``mm10___Trp53`` become ``TP53`` and ``Trp53``."""
    match = _GENOME.match(gene)
    return gene[match.end() :] if match else gene


def genome_of(gene: str) -> str:
    """Return the genome before a name, ``GRCh38`` for ``GRCh38_TP53``; empty text if there is none."""
    match = _GENOME.match(gene)
    return match[1] if match else ""


def as_in_r(gene: str) -> str:
    """Return a name as R's ``make.names`` changes it: ``HLA.A`` for ``HLA-A``, ``X7SK`` for ``7SK``."""
    if gene.isascii() and gene.isidentifier() and gene[0] != "_":  # most names
        return gene
    name = re.sub(r"[^\w.]", ".", gene)
    return name if re.match(r"[^\W\d_]|\.(?!\d)", name) else f"X{name}"


def match_names(genes: Sequence[str], query: Sequence[str]) -> np.ndarray:
    """Find each name of a query among genes, whatever their spelling.

    Names that are equal match first. Names left over match if they are equal without the versions of their
    ids, then without the genome before them, then in R's spelling, each time only if that is unambiguous.

    Parameters
    ----------
    genes, query : sequence of str
        Unique names each.

    Returns
    -------
    ndarray of int, shape (names of the query,)
        Position in `genes`, −1 where there is none.
    """
    found = pd.Index(genes, dtype=object).get_indexer(pd.Index(query, dtype=object))
    ours, theirs = list(genes), list(query)
    for spelling in (without_version, without_genome, as_in_r):
        ours, theirs = [spelling(gene) for gene in ours], [spelling(gene) for gene in theirs]
        taken = set(found.tolist())
        left = _unambiguous((i, gene) for i, gene in enumerate(ours) if i not in taken)
        asked = _unambiguous((i, gene) for i, gene in enumerate(theirs) if found[i] < 0)
        for gene in left.keys() & asked.keys():
            found[asked[gene]] = left[gene]
    return found


def _unambiguous(names: Iterable[tuple[int, str]]) -> dict[str, int]:
    """Return the positions of names that occur once."""
    places: dict[str, int] = {}
    repeated = set()
    for i, name in names:
        if name in places:
            repeated.add(name)
        places[name] = i
    return {name: i for name, i in places.items() if name not in repeated}


def merge_versions(genes: Sequence[str]) -> list[str]:
    """Drop the versions of ids that occur with several, so that they become one name; keep other names."""
    matches = {gene: _VERSIONED.fullmatch(gene) for gene in genes if "." in gene}
    short = {gene: match[1] for gene, match in matches.items() if match}
    if not short:
        return list(genes)
    counts = Counter(short.get(gene, gene) for gene in set(genes))
    return [short[gene] if gene in short and counts[short[gene]] > 1 else gene for gene in genes]


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
