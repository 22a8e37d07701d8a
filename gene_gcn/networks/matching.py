"""Which gene of a network each of the user's gene names refers to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gene_gcn.errors import ArgumentError, GeneNamesWarning, NetworkWarning, warn
from gene_gcn.genes.names import (
    as_in_r,
    check_gene_names,
    gene_kind,
    match_names,
    without_genome,
    without_version_each,
)
from gene_gcn.networks.aliases import source_rank
from gene_gcn.networks.categoricals import categories
from gene_gcn.networks.network import GeneNetwork

# How a gene is found, best first, and why it is not.
WAYS = ("name", "alias", "spelling", "case")
LOSSES = ("duplicate", "ambiguous", "unknown")


@dataclass(frozen=True)
class GeneMatch:
    """Which gene of a network each of the user's genes is; the result of :func:`match_genes`.

    Parameters
    ----------
    genes : tuple of str, shape (N,)
        The user's genes.
    matched : tuple of str or None, shape (N,)
        The name of each gene in the network, None if it has none.
    how : tuple of str, shape (N,)
        For each gene, how it was found (``"name"``, ``"alias"``, ``"spelling"``, ``"case"``) or why it was
        dropped (``"duplicate"``, ``"ambiguous"``, ``"unknown"``).
    kind : str
        What kind of names the user's genes have without a genome before them, such as
        ``"human symbols"``.
    connected : tuple of bool, shape (N,)
        For each gene, whether it has an edge to any gene of the network.
    """

    genes: tuple[str, ...]
    matched: tuple[str | None, ...]
    how: tuple[str, ...]
    kind: str
    connected: tuple[bool, ...]

    @property
    def counts(self) -> dict[str, int]:
        """``genes``, ``matched``, ``connected``, and the number of genes for each value of `how`."""
        found = Counter(self.how)
        matched = sum(found[way] for way in WAYS)
        totals = {"genes": len(self.genes), "matched": matched, "connected": sum(self.connected)}
        return totals | {way: found[way] for way in WAYS + LOSSES}

    @property
    def dropped(self) -> tuple[str, ...]:
        """The user's genes without a match in the network, in their order."""
        return tuple(gene for gene, name in zip(self.genes, self.matched, strict=True) if name is None)

    def to_frame(self) -> pd.DataFrame:
        """Return a table ``gene, name, how, connected`` with a row per gene."""
        columns = {"gene": self.genes, "name": self.matched, "how": self.how, "connected": self.connected}
        table = pd.DataFrame({column: list(values) for column, values in columns.items()})
        return table.assign(name=pd.Series(self.matched, dtype=object))  # None stays None

    def apply(self, network: GeneNetwork) -> GeneNetwork:
        """Return the network on the user's genes, in their order and under their names.

        Genes without a match have no edges; genes of the network that match none of the user's are dropped.

        Parameters
        ----------
        network : GeneNetwork
            The network that was matched.

        Returns
        -------
        GeneNetwork
        """
        names = {name: gene for gene, name in zip(self.genes, self.matched, strict=True) if name is not None}
        matched = network.align([gene for gene in network.genes if gene in names])
        return (matched.rename(names) if matched.num_genes else matched).align(self.genes)

    def summary(self) -> str:
        """Return two lines: how many genes were matched and are connected, and why others were dropped."""
        n = self.counts
        fraction = n["matched"] / max(1, n["genes"])
        ways = ", ".join(f"{n[way]:,} by {way}" for way in WAYS if n[way])
        losses = ", ".join(f"{n[loss]:,} {loss}" for loss in LOSSES if n[loss])
        first = ", ".join(self.dropped[:3]) + ("…" if len(self.dropped) > 3 else "")
        return (
            f"{n['matched']:,} of {n['genes']:,} genes ({self.kind}) matched ({fraction:.0%}"
            + (f": {ways}" if ways else "")
            + f"), {n['connected']:,} connected."
            + (f"\n{len(self.dropped):,} dropped: {losses} ({first})." if losses else "")
        )

    def __str__(self) -> str:
        return self.summary()


def match_genes(genes: Sequence[str], network: GeneNetwork, aliases: pd.DataFrame | None = None) -> GeneMatch:
    """Find the gene of a network that each of the user's gene names refers to.

    Versions of Ensembl and RefSeq ids are ignored on both sides. The first rule that applies decides:

    1. The name is a preferred name.
    2. The name is an alias. If several genes share it, those with the highest-ranking source are considered
       (official symbols before other names and ids, these before synonyms and former symbols); if several
       remain, the name is ambiguous.
    3. The same two rules, without the genome that Cell Ranger puts before a name (``GRCh38_TP53``), and in
       the spelling of R's ``make.names`` (``HLA.A``, ``X7SK``), except for numbers.
    4. The first two rules, ignoring case; names of the user's genes that differ only by case are ambiguous.

    Each gene of the network is matched by one of the user's genes: the one found by the better rule, then by
    the better source, then the first; the others are duplicates. Ambiguous names and duplicates are dropped
    and counted.

    Parameters
    ----------
    genes : sequence of str, shape (N,)
        The user's genes, unique names.
    network : GeneNetwork
        Its genes have preferred names.
    aliases : pandas.DataFrame, optional
        Table ``alias, name`` and, optionally, ``source``: other names of genes and their preferred names,
        including genes without edges. By default only preferred names are matched.

    Returns
    -------
    GeneMatch

    Raises
    ------
    ArgumentError
        If `genes` are not unique names, `network` is not a GeneNetwork, or `aliases` lacks a column.

    Warns
    -----
    GeneNamesWarning
        If names match only by the third rule.
    NetworkWarning
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
        text = f"network is a {type(network).__name__}; match_genes takes a GeneNetwork."
        raise ArgumentError("network", text)
    tables = _name_tables(network, aliases)
    names = pd.Series(genes, dtype=object)  # by position
    short = names.map(without_genome)
    rest, found = names, []
    for spelling in (_unchanged, without_version_each, _as_in_r, _without_case):
        hits = _look_up(spelling(rest), tables, spelling)
        is_other = (spelling is _as_in_r) | (short != names)[hits.index]
        found.append(hits.assign(case=spelling is _without_case, spelling=is_other))
        rest = (short if spelling is _unchanged else rest).drop(hits.index)
    match = _decide(genes, pd.concat(found), network)
    _warn_of_spellings(match)
    _warn_of_other_species(match, network)
    return match


def with_names_of(network: GeneNetwork, genes: Sequence[str]) -> GeneNetwork:
    """Return a network whose genes have the user's names for them, where only the spelling differs.

    Parameters
    ----------
    network : GeneNetwork
    genes : sequence of str, shape (N,)
        The user's genes, unique names, which are found by :func:`gene_gcn.genes.names.match_names`.

    Warns
    -----
    GeneNamesWarning
        If names were changed.
    """
    pairs = zip(genes, match_names(network.genes, genes).tolist(), strict=True)
    found = [(gene, network.genes[at]) for gene, at in pairs if at >= 0]
    # X1, X2, … are the positions that R calls columns by, not the Entrez numbers 1, 2, ….
    names = {name: gene for gene, name in found if name != gene and not name.isdecimal()}
    if not names:
        return network
    name, gene = next(iter(names.items()))
    _say_of_spellings(len(names), len(genes), gene, name)
    return network.rename(names)


def _name_tables(network: GeneNetwork, aliases: pd.DataFrame | None) -> list[pd.DataFrame]:
    """Return tables ``alias, name, rank`` of the preferred names (rank -1) and of the aliases."""
    names = pd.Index(network.genes, dtype=object)
    if aliases is None:
        return [pd.DataFrame({"alias": names, "name": names, "rank": -1}).astype({"alias": "category"})]
    if missing := [column for column in ("alias", "name") if column not in aliases]:
        text = f"aliases lacks the columns {missing}; it has {list(aliases.columns)}."
        raise ArgumentError("aliases", text)
    others = aliases[["alias", "name"]].astype("category").assign(rank=1)
    if "source" in aliases:
        sources = aliases["source"].astype("category").cat
        rank = np.array([*(source_rank(str(source)) for source in sources.categories), 1])[sources.codes]
        others = others.assign(rank=rank)[rank >= 0]
    names = names.union(pd.Index(others["name"].cat.categories, dtype=object), sort=False).unique()
    preferred = pd.DataFrame({"alias": names, "name": names, "rank": -1})
    return [preferred.astype({"alias": "category"}), others]


def _unchanged(names: pd.Series) -> pd.Series:
    return names


def _as_in_r(names: pd.Series) -> pd.Series:
    names = without_version_each(names)
    # X1, X2, … are the positions that R calls columns by, not the Entrez numbers 1, 2, ….
    return names.where(names.str.isdecimal().to_numpy(dtype=bool), names.map(as_in_r))


def _without_case(names: pd.Series) -> pd.Series:
    return without_version_each(names).str.lower()


def _look_up(
    keys: pd.Series, tables: list[pd.DataFrame], spelling: Callable[[pd.Series], pd.Series]
) -> pd.DataFrame:
    """Return ``name`` and ``rank`` of each key in the tables, by position; ambiguous keys have no name."""
    parts = []
    for table in tables:
        spelled = spelling(categories(table["alias"])).to_numpy(dtype=object)  # once per distinct alias
        codes = table["alias"].cat.codes.to_numpy()
        rows = pd.Index(spelled).isin(keys)[codes] & (codes >= 0)
        parts.append(table[rows].assign(key=spelled[codes[rows]]).astype({"name": object}))
    rows_found = pd.concat([part for part in parts if len(part)] or parts[:1])
    hits = pd.DataFrame({"key": keys, "position": keys.index}).merge(rows_found, on="key")
    best = hits.groupby("position")["rank"].transform("min") == hits["rank"]
    hits = hits[best].drop_duplicates(["position", "name"])
    ambiguous = hits["position"].duplicated(keep=False)
    if spelling is _without_case:
        ambiguous |= hits["position"].isin(keys.index[keys.duplicated(keep=False)])
    hits = hits.assign(name=hits["name"].where(~ambiguous, None)).drop_duplicates("position")
    return hits.set_index("position")[["name", "rank"]]


def _decide(genes: tuple[str, ...], found: pd.DataFrame, network: GeneNetwork) -> GeneMatch:
    """Match each gene of the network to the user's gene that was found in the best way."""
    way = np.select([found["case"], found["spelling"], found["rank"] >= 0], [3, 2, 1], 0)
    found = found.assign(way=way).sort_values(["way", "rank", "position"])
    how = np.full(len(genes), "unknown", dtype=object)
    how[found.index[found["name"].isna()]] = "ambiguous"
    found = found[found["name"].notna()]
    duplicate = found["name"].duplicated().to_numpy()
    how[found.index[duplicate]] = "duplicate"
    found = found[~duplicate]
    how[found.index] = np.array(WAYS, dtype=object)[found["way"]]
    matched = np.full(len(genes), None, dtype=object)
    matched[found.index] = found["name"]
    at = pd.Index(network.genes, dtype=object).get_indexer(pd.Index(matched, dtype=object))
    connected = (at >= 0) & (np.append(network.degree, 0)[at] > 0)
    kind = gene_kind(map(without_genome, genes))
    return GeneMatch(genes, tuple(matched), tuple(how), kind, tuple(connected.tolist()))


def _warn_of_spellings(match: GeneMatch) -> None:
    if count := match.counts["spelling"]:
        at = match.how.index("spelling")
        _say_of_spellings(count, len(match.genes), match.genes[at], str(match.matched[at]))


def _say_of_spellings(count: int, total: int, gene: str, name: str) -> None:
    text = f"The network knows {count:,} of the {total:,} genes in another spelling, {gene} as {name} for "
    warn(GeneNamesWarning(f"{text}instance: versions of ids, genomes before names and R's dots are ignored."))


def _warn_of_other_species(match: GeneMatch, network: GeneNetwork) -> None:
    counts = match.counts
    if counts["case"] > counts["matched"] / 2:
        warn(
            NetworkWarning(
                f"{counts['case']:,} of {counts['matched']:,} genes match only if case is ignored "
                f"({match.genes[0]}, …; {network.genes[0]}, …). If the network is of another species, use "
                "its to_organism() with a table of orthologs."
            )
        )
