"""Which gene of a network each of a user's names means."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gene_gcn.genes.names import check_gene_names, gene_kind
from gene_gcn.networks.aliases import categories, source_rank, without_version_each
from gene_gcn.networks.network import GeneNetwork

# How a gene can be found, best first, and what can become of it otherwise.
WAYS = ("name", "alias", "case")
LOSSES = ("duplicate", "ambiguous", "unknown")


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
    genes = check_gene_names(genes)
    if not isinstance(network, GeneNetwork):
        raise ValueError(f"network is a {type(network).__name__}; match_genes takes a GeneNetwork.")
    known = _known(network, aliases)
    rest = pd.Series(genes, dtype=object)  # by position
    found = []
    for spelling in (_as_it_is, without_version_each, _without_case):
        hits = _look_up(spelling(rest), known, spelling)
        found.append(hits.assign(case=spelling is _without_case))
        rest = rest.drop(hits.index)
    return _decide(genes, pd.concat(found), network)


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
        rank = np.array([*(source_rank(str(source)) for source in sources.categories), 1])[sources.codes]
        others = others.assign(rank=rank)[rank >= 0]
    names = names.union(pd.Index(others["name"].cat.categories, dtype=object), sort=False).unique()
    preferred = pd.DataFrame({"alias": names, "name": names, "rank": -1})
    return [preferred.astype({"alias": "category"}), others]


def _as_it_is(names: pd.Series) -> pd.Series:
    return names


def _without_case(names: pd.Series) -> pd.Series:
    return without_version_each(names).str.lower()


def _look_up(keys: pd.Series, known: list[pd.DataFrame], spelling: Callable) -> pd.DataFrame:
    """The ``name`` and ``rank`` of each key that is known, by position; no name where several fit."""
    parts = []
    for table in known:
        spelt = spelling(categories(table["alias"])).to_numpy(dtype=object)  # each different alias once
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
