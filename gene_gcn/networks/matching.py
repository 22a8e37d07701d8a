"""Names of genes: what kind they are, and which gene of a network each of a user's names means."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from gene_gcn.networks.edge_arrays import check_genes
from gene_gcn.networks.network import GeneNetwork
from gene_gcn.storage.text_files import as_strings

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

# How a gene can be found, best first, and what can become of it otherwise.
WAYS = ("name", "alias", "case")
LOSSES = ("duplicate", "ambiguous", "unknown")

# Sources of aliases in STRING and here. A paralog's alias is another gene's; OMIM numbers pass for Entrez's.
_OFFICIAL = re.compile(r"(?:Ensembl|BioMart)_(?:HGNC|HUGO|MGI|RGD|ZFIN|SGD|FlyBase|TAIR)(?:_symbol)?|symbol")
_SYNONYM = re.compile(r"alias|synonym|prev|archive|AltName|_Short|ORFNames|trans_name", re.IGNORECASE)
_NEVER = re.compile(r"Paralog|omim|_PDB|_EC$|enzyme|_Full$|descr|Reactome|UniParc|RNAcentral|ucsc", re.I)


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


@dataclass(frozen=True)
class GeneMatch:
    """Which gene of a network each of a user's genes is: what :func:`match_genes` returns.

    Parameters
    ----------
    genes
        The user's genes, N names.
    matched
        The network's name of each, None where it has none.
    how
        For each gene, the way it was found (``"name"``, ``"alias"``, ``"case"``) or lost (``"duplicate"``,
        ``"ambiguous"``, ``"unknown"``).
    kind
        What kind of names the user's are, see :func:`gene_kind`.
    connected
        For each gene, whether it has an edge to any gene of the network.
    """

    genes: tuple[str, ...]
    matched: tuple[str | None, ...]
    how: tuple[str, ...]
    kind: str
    connected: tuple[bool, ...]

    @property
    def counts(self) -> dict[str, int]:
        """``genes``, ``matched``, ``connected``, and the number of genes found or lost in each way."""
        found = Counter(self.how)
        matched = sum(found[way] for way in WAYS)
        totals = {"genes": len(self.genes), "matched": matched, "connected": sum(self.connected)}
        return totals | {way: found[way] for way in WAYS + LOSSES}

    @property
    def dropped(self) -> tuple[str, ...]:
        """The user's genes that have no gene in the network, in their order."""
        return tuple(gene for gene, name in zip(self.genes, self.matched, strict=True) if name is None)

    def to_frame(self) -> pd.DataFrame:
        """Return a table ``gene, name, how, connected`` with a row per gene."""
        columns = {"gene": self.genes, "name": self.matched, "how": self.how, "connected": self.connected}
        return pd.DataFrame({column: list(values) for column, values in columns.items()})

    def apply(self, network: GeneNetwork) -> GeneNetwork:
        """Return the network on the user's genes, in their order and under their names.

        Genes without a match have no edge; genes of the network that none of the user's matched are dropped.
        """
        names = {name: gene for gene, name in zip(self.genes, self.matched, strict=True) if name is not None}
        here = network.align([gene for gene in network.genes if gene in names])
        return (here.rename(names) if here.num_genes else here).align(self.genes)

    def summary(self) -> str:
        """Two lines: how many genes were matched and are connected, and what became of the others."""
        n = self.counts
        share = n["matched"] / max(1, n["genes"])
        ways = ", ".join(f"{n[way]:,} by {way}" for way in WAYS if n[way])
        losses = ", ".join(f"{n[loss]:,} {loss}" for loss in LOSSES if n[loss])
        first = ", ".join(self.dropped[:3]) + ("…" if len(self.dropped) > 3 else "")
        return (
            f"{n['matched']:,} of {n['genes']:,} genes ({self.kind}) matched ({share:.0%}"
            + (f": {ways}" if ways else "")
            + f"), {n['connected']:,} connected."
            + (f"\n{len(self.dropped):,} dropped: {losses} ({first})." if losses else "")
        )

    def __str__(self) -> str:
        return self.summary()


def match_genes(genes: Sequence[str], network: GeneNetwork, aliases: pd.DataFrame | None = None) -> GeneMatch:
    """Find the gene of a network that each of a user's names means.

    Versions of Ensembl and RefSeq ids are ignored on both sides. Then the first rule that fits decides:

    1. the preferred name itself;
    2. an alias, letter by letter. If genes share it, those remain for which its source ranks highest
       (official symbol, then other names and ids, then synonyms and former symbols); if there still are
       several, the name is ambiguous;
    3. the same two while case is ignored; names of the user's that differ by nothing else are ambiguous.

    A gene of the network goes to one of the user's genes: the one found by the better rule, then by the
    better source, then the first; the others are duplicates. Ambiguous names and duplicates are dropped and
    counted.

    Parameters
    ----------
    genes
        The user's genes, unique names.
    network
        The network; its genes have preferred names.
    aliases
        Table ``alias, name`` and, optionally, ``source``: other names of genes and their preferred names,
        also of genes without an edge, see :func:`string_aliases` and :func:`biogrid_aliases`. None to match
        preferred names only.

    Raises
    ------
    ValueError
        If `genes` are not unique names, `network` is no GeneNetwork, or `aliases` lacks a column.

    Warns
    -----
    UserWarning
        If most names match only when case is ignored, as those of another species do.

    Examples
    --------
    >>> network = GeneNetwork(["TP53", "MDM2"], [[0], [1]])
    >>> aliases = pd.DataFrame({"alias": ["ENSG00000141510"], "name": ["TP53"], "source": ["Ensembl_gene"]})
    >>> match_genes(["ENSG00000141510.17", "mdm2"], network, aliases).matched
    ('TP53', 'MDM2')
    """
    genes = check_genes(genes)
    if not isinstance(network, GeneNetwork):
        raise ValueError(f"network is a {type(network).__name__}; match_genes takes a GeneNetwork.")
    known = _known(network, aliases)
    rest = pd.Series(genes, dtype=object)  # by position
    found = []
    for spelling in (_as_it_is, _without_version, _without_case):
        hits = _look_up(spelling(rest), known, spelling)
        found.append(hits.assign(case=spelling is _without_case))
        rest = rest.drop(hits.index)
    return _decide(genes, pd.concat(found), network)


def string_aliases(table: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """Turn STRING's aliases into the table that :func:`match_genes` takes.

    Parameters
    ----------
    table
        The columns of ``protein.aliases``: STRING id, alias, source; by position, whatever their names.
    names
        Preferred name of each STRING id (``protein.info``); proteins without one are named by their id
        without the taxon, as :func:`gene_gcn.networks.string_db.network` does.

    Returns
    -------
    pandas.DataFrame
        ``alias``, ``name``, ``source``. STRING ids are aliases too, with and without the taxon. Sources that
        hold names of other genes (paralogs) or numbers that pass for Entrez's (OMIM) are left out, and so are
        descriptions.
    """
    table = table.set_axis(["id", "alias", "source"], axis="columns").astype("category")
    trusted = np.array([_rank(source) >= 0 for source in table["source"].cat.categories], dtype=bool)
    one_word = ~_categories(table["alias"]).str.contains(" ", regex=False).to_numpy(dtype=bool)
    table = table[trusted[table["source"].cat.codes] & one_word[table["alias"].cat.codes]]
    ids = pd.Index(names.index, dtype=object).union(table["id"].cat.categories.astype(object), sort=False)
    ids = pd.Series(ids.unique())
    short = ids.str.replace(r"^\d+\.", "", regex=True)
    preferred = short.mask(ids.isin(names.index), ids.map(names[~names.index.duplicated()]))
    own = [pd.DataFrame({"alias": alias, "name": preferred, "source": "STRING"}) for alias in (ids, short)]
    id_to_name = pd.Series(preferred.to_numpy(), index=ids)
    table = pd.DataFrame(
        {
            "alias": as_strings(table["alias"].array, _without_version(_categories(table["alias"]))),
            "name": as_strings(table["id"].array, id_to_name[table["id"].cat.categories]),
            "source": table["source"],
        }
    )
    columns = [*own, table.drop_duplicates()]
    return pd.DataFrame(
        {
            name: union_categoricals([pd.Categorical(part[name]) for part in columns])
            for name in ("alias", "name", "source")
        }
    )


def biogrid_aliases(table: pd.DataFrame) -> pd.DataFrame:
    """Turn BioGRID's names of genes into the table that :func:`match_genes` takes.

    Parameters
    ----------
    table
        What ``parse_biogrid_genes`` returns: ``symbol``, ``entrez``, ``systematic``, ``synonyms``.

    Returns
    -------
    pandas.DataFrame
        ``alias``, ``name`` (the official symbol), ``source``.
    """
    sources = {"entrez": "entrez", "systematic": "systematic name", "synonyms": "synonym"}
    parts = [
        pd.DataFrame({"alias": table[column].str.split("|"), "name": table["symbol"], "source": source})
        for column, source in sources.items()
    ]
    aliases = pd.concat(parts, ignore_index=True).explode("alias", ignore_index=True)
    aliases = aliases[aliases["alias"] != ""]
    return aliases.drop_duplicates(ignore_index=True).astype({"source": "category"})


def _rank(source: str) -> int:
    """Say how far to trust a source: 0 official symbols, 1 others, 2 synonyms, -1 not at all."""
    ranks = []
    for part in source.split():  # versions before 11.5 list several sources in one field
        if not _NEVER.search(part):
            ranks.append(0 if _OFFICIAL.fullmatch(part) else 2 if _SYNONYM.search(part) else 1)
    return min(ranks, default=-1)


def _known(network: GeneNetwork, aliases: pd.DataFrame | None) -> list[pd.DataFrame]:
    """All names there are as tables ``alias, name, rank``: the preferred ones (rank -1), and the others."""
    names = pd.Index(network.genes, dtype=object)
    if aliases is None:
        return [pd.DataFrame({"alias": names, "name": names, "rank": -1}).astype({"alias": "category"})]
    if missing := [column for column in ("alias", "name") if column not in aliases]:
        raise ValueError(f"aliases lacks the columns {missing}; it has {list(aliases.columns)}.")
    others = aliases[["alias", "name"]].astype("category").assign(rank=1)
    if "source" in aliases:
        sources = aliases["source"].astype("category").cat
        rank = np.array([*(_rank(str(source)) for source in sources.categories), 1])[sources.codes]
        others = others.assign(rank=rank)[rank >= 0]
    names = names.union(pd.Index(others["name"].cat.categories, dtype=object), sort=False).unique()
    preferred = pd.DataFrame({"alias": names, "name": names, "rank": -1})
    return [preferred.astype({"alias": "category"}), others]


def _categories(column: pd.Series) -> pd.Series:
    return pd.Series(column.cat.categories, dtype=object)


def _as_it_is(names: pd.Series) -> pd.Series:
    return names


def _without_version(names: pd.Series) -> pd.Series:
    dotted = names.str.contains(".", regex=False).to_numpy(dtype=bool)
    return pd.concat([names[~dotted], names[dotted].map(without_version)]).reindex(names.index)


def _without_case(names: pd.Series) -> pd.Series:
    return _without_version(names).str.lower()


def _look_up(keys: pd.Series, known: list[pd.DataFrame], spelling: Callable) -> pd.DataFrame:
    """The ``name`` and ``rank`` of each key that is known, by position; no name where several fit."""
    parts = []
    for table in known:
        spelt = spelling(_categories(table["alias"])).to_numpy(dtype=object)  # each different alias once
        codes = table["alias"].cat.codes.to_numpy()
        rows = pd.Index(spelt).isin(keys)[codes] & (codes >= 0)
        parts.append(table[rows].assign(key=spelt[codes[rows]]).astype({"name": object}))
    known = pd.concat([part for part in parts if len(part)] or parts[:1])
    hits = pd.DataFrame({"key": keys, "position": keys.index}).merge(known, on="key")
    best = hits.groupby("position")["rank"].transform("min") == hits["rank"]
    hits = hits[best].drop_duplicates(["position", "name"])
    unclear = hits["position"].duplicated(keep=False)
    if spelling is _without_case:
        unclear |= hits["position"].isin(keys.index[keys.duplicated(keep=False)])
    hits = hits.assign(name=hits["name"].where(~unclear, None)).drop_duplicates("position")
    return hits.set_index("position")[["name", "rank"]]


def _decide(genes: tuple[str, ...], found: pd.DataFrame, network: GeneNetwork) -> GeneMatch:
    """Give each gene of the network to the user's gene that was found by the best way."""
    way = np.where(found["case"], 2, np.where(found["rank"] < 0, 0, 1))
    found = found.assign(way=way).sort_values(["way", "rank", "position"])
    how = np.full(len(genes), "unknown", dtype=object)
    how[found.index[found["name"].isna()]] = "ambiguous"
    found = found[found["name"].notna()]
    second = found["name"].duplicated().to_numpy()
    how[found.index[second]] = "duplicate"
    found = found[~second]
    how[found.index] = np.array(WAYS, dtype=object)[found["way"]]
    matched = np.full(len(genes), None, dtype=object)
    matched[found.index] = found["name"]
    at = pd.Index(network.genes, dtype=object).get_indexer(pd.Index(matched, dtype=object))
    connected = (at >= 0) & (np.append(network.degree, 0)[at] > 0)
    match = GeneMatch(genes, tuple(matched), tuple(how), gene_kind(genes), tuple(connected.tolist()))
    counts = match.counts
    if counts["case"] > counts["matched"] / 2:
        warnings.warn(
            f"{counts['case']:,} of {counts['matched']:,} genes match only when case is ignored ({genes[0]}, "
            f"…; {network.genes[0]}, …). If the network is of another species, use its to_organism() with a "
            "table of orthologs.",
            UserWarning,
            stacklevel=3,
        )
    return match
