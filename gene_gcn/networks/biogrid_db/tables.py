"""BioGRID's tables: ``tab2`` and ``tab3`` files and archives of them."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.organisms import describe_taxid, find_organism, find_taxid, plain_name
from gene_gcn.networks.categoricals import read_categoricals, select_categories
from gene_gcn.storage.text_files import (
    VERBATIM,
    damage_as_argument_error,
    existing_file,
    first_line,
    is_zip,
    open_file,
)

EVIDENCE = ("physical", "genetic", "all")
THROUGHPUT = (None, "low", "high")

# The columns used, of the 24 (tab2) or 37 (tab3); three of them have another name in each layout.
COLUMNS = {
    "source": ("Official Symbol Interactor A",),
    "target": ("Official Symbol Interactor B",),
    "evidence": ("Experimental System Type",),
    "publication": ("Pubmed ID", "Publication Source"),
    "taxid_a": ("Organism Interactor A", "Organism ID Interactor A"),
    "taxid_b": ("Organism Interactor B", "Organism ID Interactor B"),
    "throughput": ("Throughput",),
}
GENE_COLUMNS = {
    "symbol": ("Official Symbol Interactor {}",),
    "entrez": ("Entrez Gene Interactor {}",),
    "systematic": ("Systematic Name Interactor {}",),
    "synonyms": ("Synonyms Interactor {}", "Synonymns Interactor {}"),  # the second in older releases
    "taxid": ("Organism Interactor {}", "Organism ID Interactor {}"),
}
MISSING = "-"  # how BioGRID writes a missing value

# What the values of columns satisfy, by the first word of the column's name. Rows that are cut off lack the
# last column.
_IS_RIGHT: dict[str, Callable[[str], bool]] = {
    "taxid": str.isdecimal,
    "evidence": lambda text: text in EVIDENCE[:2],
    "last": bool,
}

_MEMBER = re.compile(r"BIOGRID-ORGANISM-(?P<organism>.+)-\d+\.\d+\.\d+\.(?:tab[23]|mitab)")


@dataclass(frozen=True)
class InteractionFilter:
    """Which interactions to use.

    Parameters
    ----------
    evidence : {"physical", "genetic", "all"}
    throughput : {"low", "high"}, optional
        Interactions marked as both count as either; by default any.
    min_publications : int
        Smallest number of distinct publications that report a pair, of those that satisfy the above.
    """

    evidence: str = "physical"
    throughput: str | None = None
    min_publications: int = 1

    def __post_init__(self) -> None:
        if self.evidence not in EVIDENCE:
            text = " is unknown; choose 'physical', 'genetic' or 'all'."
            raise ArgumentError("evidence", Argument("evidence", self.evidence), text)
        if self.throughput not in THROUGHPUT:
            text = " is unknown; choose 'low', 'high' or None for any."
            raise ArgumentError("throughput", Argument("throughput", self.throughput), text)
        n = self.min_publications
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            text = " must be an integer of at least 1."
            raise ArgumentError("min_publications", Argument("min_publications", n), text)
        object.__setattr__(self, "min_publications", int(n))

    @property
    def arguments(self) -> list[Argument]:
        """The arguments that restrict the interactions, for messages."""
        shown = [Argument("evidence", self.evidence)]
        if self.throughput is not None:
            shown.append(Argument("throughput", self.throughput))
        if self.min_publications > 1:
            shown.append(Argument("min_publications", self.min_publications))
        return shown


class Pairs(NamedTuple):
    """What :func:`read_pairs` returns.

    Attributes
    ----------
    table : pandas.DataFrame
        The table of :func:`parse_biogrid`.
    taxid : str
        Taxonomy id of its organism.
    file_name : str
        Name of the file or of the archive's member.
    """

    table: pd.DataFrame
    taxid: str
    file_name: str


def parse_biogrid(
    path: str | os.PathLike[str],
    *,
    organism: str | int | None = None,
    evidence: str = "physical",
    throughput: str | None = None,
    min_publications: int = 1,
) -> pd.DataFrame:
    """Read a ``tab2`` or ``tab3`` file into a table ``source, target, weight``.

    Parameters
    ----------
    path : path
        The file, plain or gzip, or an archive of several.
    organism, evidence, throughput, min_publications
        As for :func:`gene_gcn.networks.biogrid`.

    Returns
    -------
    pandas.DataFrame
        Each unordered pair once, by official symbols; ``weight`` is log(1 + n) of its n distinct
        publications. A pair without a known publication counts as one with a single publication.

    Raises
    ------
    FileNotFoundError, ArgumentError
        As for :func:`gene_gcn.networks.biogrid`.
    """
    return read_pairs(path, organism, InteractionFilter(evidence, throughput, min_publications)).table


def read_pairs(
    path: str | os.PathLike[str], organism: str | int | None, interactions: InteractionFilter
) -> Pairs:
    """Read a table as :func:`parse_biogrid` does, with its organism and the name of its file."""
    with _opened(path, organism) as (file, where, name):
        optional = {"throughput"} if interactions.throughput is None else set()
        rows = _read_columns(file, where, COLUMNS, optional)
    taxid = _which_taxid(rows, where, name, organism)
    keep = (rows["taxid_a"] == taxid) & (rows["taxid_b"] == taxid)
    if not keep.any():
        within = Argument("organism", organism)
        text = f"{where} contains no interaction within "
        raise ArgumentError("organism", text, within, f" (taxid {taxid}).")
    keep &= _satisfies(rows, interactions)
    keep &= (rows["source"] != MISSING) & (rows["target"] != MISSING)
    pairs = _count_publications(rows[keep])
    pairs = pairs[pairs["n"] >= interactions.min_publications]
    if pairs.empty:
        first, *others = interactions.arguments
        shown = [first, *(part for argument in others for part in (", ", argument))]
        text = f" within {describe_taxid(taxid)}."
        raise ArgumentError(first.name, f"{where} contains no interaction with ", *shown, text)
    return Pairs(pairs.assign(weight=np.log1p(pairs["n"])).drop(columns="n"), taxid, name)


def parse_biogrid_genes(path: str | os.PathLike[str], organism: str | int | None = None) -> pd.DataFrame:
    """Read the names of an organism's genes from a ``tab2`` or ``tab3`` file or an archive.

    Parameters
    ----------
    path : path
    organism : str or int, optional
        As for :func:`parse_biogrid`.

    Returns
    -------
    pandas.DataFrame
        A row per gene, all of it text: ``symbol`` (official), ``entrez``, ``systematic`` and ``synonyms``
        (joined by ``|``); empty if BioGRID has none.

    Raises
    ------
    FileNotFoundError, ArgumentError
        As for :func:`parse_biogrid`.
    """
    with _opened(path, organism) as (file, where, name):
        spellings = {
            f"{column}_{side.lower()}": tuple(spelling.format(side) for spelling in names)
            for side in "AB"
            for column, names in GENE_COLUMNS.items()
        }
        rows = _read_columns(file, where, spellings)
    taxid = _which_taxid(rows, where, name, organism)
    sides = [
        rows[[f"{column}_{side}" for column in GENE_COLUMNS]].set_axis(list(GENE_COLUMNS), axis="columns")
        for side in "ab"
    ]
    genes = pd.concat([side[side["taxid"] == taxid].drop_duplicates().astype(str) for side in sides])
    genes = genes.drop(columns="taxid").replace(MISSING, "").drop_duplicates()
    genes = genes[genes["symbol"] != ""].drop_duplicates(["symbol", "entrez"])
    return genes.sort_values(["symbol", "entrez"], ignore_index=True)


def check_archive(path: Path) -> None:
    """Raise ArgumentError unless a file is a zip archive of BioGRID's tables, in all their rows."""
    if not is_zip(path):
        raise ArgumentError("path", f"{path} is not a zip archive.")
    with damage_as_argument_error(path), zipfile.ZipFile(path) as archive:
        members = _tables(archive, path)
        for member in [name for name in members if _MEMBER.search(name)] or members:
            with archive.open(member) as file:
                _read_columns(file, f"{path}:{member}", COLUMNS, {"throughput"})


def check_table(path: Path) -> None:
    """Raise ArgumentError unless a file, plain or gzip, is a table of BioGRID, in all its rows."""
    with open_file(path) as file:
        _read_columns(file, str(path), COLUMNS, {"throughput"})


# ---- reading ----


@contextmanager
def _opened(path: str | os.PathLike[str], organism: str | int | None) -> Iterator[tuple[IO[bytes], str, str]]:
    """Open a table, possibly in an archive; yield the file, its name in messages, and its own name."""
    path = existing_file(path)
    if not is_zip(path):
        with open_file(path) as file:
            yield file, str(path), path.name
        return
    with damage_as_argument_error(path), zipfile.ZipFile(path) as archive:
        member = _choose_member(_tables(archive, path), organism, path)
        with archive.open(member) as file:
            yield file, f"{path}:{member}", Path(member).name


def _tables(archive: zipfile.ZipFile, path: Path) -> list[str]:
    members = [name for name in archive.namelist() if name.endswith(".txt")]
    if not members:
        text = f"{path} is a zip archive without a .txt member; download BioGRID's tab3 archive."
        raise ArgumentError("path", text)
    return members


def _choose_member(members: list[str], organism: str | int | None, path: Path) -> str:
    """Choose the member of an archive by the organism in its name; a single member needs no choice."""
    if len(members) == 1:
        return members[0]
    organisms = {m: match["organism"] for m in members if (match := _MEMBER.search(m))}
    shown = ", ".join(sorted(organisms.values()) or sorted(members))
    if organism is None:
        text = f"{path} contains several organisms; choose one with "
        raise ArgumentError("organism", text, Argument("organism"), f": {shown}.")
    names = {plain_name(str(organism))}
    if find_taxid(organism) is not None:
        found = find_organism(organism)
        names |= {plain_name(name) for name in (found.biogrid_name, found.scientific_name) if name}
    chosen = [m for m in members if plain_name(organisms.get(m, "")) in names]
    if not chosen:
        text = f"; choose one of these: {shown}."
        raise ArgumentError("organism", f"{path} has no member for ", Argument("organism", organism), text)
    return chosen[0]


def _read_columns(
    file: IO[bytes], where: str, spellings: dict[str, tuple[str, ...]], optional: Collection[str] = ()
) -> pd.DataFrame:
    """Read some columns of a table, as categoricals; refuse rows that do not belong to the table."""
    line = first_line(file, where)
    header = line.lstrip("#").split("\t")
    positions = {**_find_columns(header, where, spellings, optional), "last": len(header) - 1}
    columns = list(positions.values())
    options: dict[str, Any] = {"sep": "\t", "header": None, "names": range(len(header)), "index_col": False}
    with damage_as_argument_error(where):
        rows = read_categoricals(file, usecols=sorted(set(columns)), **options, **VERBATIM)
    if rows.empty:
        raise ArgumentError("path", f"{where} has a header but no interactions; download it again.")
    for name, at in positions.items():
        if (is_right := _IS_RIGHT.get(name.split("_")[0])) is not None:
            _refuse_wrong_rows(rows[at], is_right, header[at], where)
    return rows[columns].set_axis(list(positions), axis="columns").drop(columns="last")


def _refuse_wrong_rows(column: pd.Series, is_right: Callable[[str], bool], heading: str, where: str) -> None:
    wrong = np.array([not is_right(value) for value in column.cat.categories], dtype=bool)[column.cat.codes]
    if wrong.any():
        at = int(np.argmax(wrong))
        text = (
            f"{where}: row {at + 1:,} has the {heading} {column.iloc[at]!r:.60}, which no table of BioGRID "
        )
        raise ArgumentError("path", f"{text}has; the file is damaged, so download it again.")


def _find_columns(
    header: list[str], where: str, spellings: dict[str, tuple[str, ...]], optional: Collection[str]
) -> dict[str, int]:
    """Return the position of each column in the header, under any of its spellings."""
    positions = {}
    for name, names in spellings.items():
        found = [header.index(spelling) for spelling in names if spelling in header]
        if found:
            positions[name] = found[0]
        elif "Alt IDs Interactor A" in header:
            raise ArgumentError(
                "path",
                f"{where} is in the PSI-MI TAB layout (mitab), whose genes are identifiers of databases; "
                "download BioGRID's tab3 file instead.",
            )
        elif name not in optional:
            raise ArgumentError(
                "path",
                f"{where} is not a BioGRID tab2 or tab3 table: its header {' '.join(header)[:80]!r} lacks "
                f"{' or '.join(map(repr, names))}.",
            )
    return positions


def _which_taxid(rows: pd.DataFrame, where: str, file_name: str, organism: str | int | None) -> str:
    """Return the organism to keep: the requested one, that of the file, or the only one in it."""
    sides = [rows["taxid_a"].value_counts(), rows["taxid_b"].value_counts()]
    counts = pd.concat(sides).groupby(level=0, observed=True).sum()
    counts = counts[counts > 0].sort_values(ascending=False)
    if organism is not None and (taxid := find_taxid(organism)) is not None:
        in_biogrid = find_organism(organism).biogrid_taxid
        return in_biogrid if in_biogrid in counts.index else taxid
    member = _MEMBER.search(file_name)
    if member and (organism is None or plain_name(str(organism)) == plain_name(member["organism"])):
        # Each row of an organism's file has at least one interactor of it, so its id is the most frequent.
        named = find_taxid(member["organism"])
        return named if named is not None and named in counts.index else str(counts.index[0])
    if organism is not None:
        return find_organism(organism).biogrid_taxid  # raises and suggests similar names
    if len(counts) > 1:
        text = f"{where} contains {len(counts)} organisms (taxids {', '.join(map(str, counts.index[:5]))}); "
        raise ArgumentError("organism", text, "choose one with ", Argument("organism"), ".")
    return str(counts.index[0])


def _satisfies(rows: pd.DataFrame, interactions: InteractionFilter) -> np.ndarray:
    """Return for each row whether its evidence and throughput are wanted."""
    keep = np.ones(len(rows), dtype=bool)
    if interactions.evidence != "all":
        keep &= select_categories(rows["evidence"], lambda text: text == interactions.evidence)
    if interactions.throughput is not None:
        wanted = f"{interactions.throughput} throughput"
        keep &= select_categories(rows["throughput"], lambda text: wanted in text)
    return keep


def _count_publications(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each unordered pair once with `n`, its number of distinct publications."""
    both = union_categoricals([rows["source"].array, rows["target"].array], sort_categories=True)
    codes = both.codes.astype(np.int64).reshape(2, -1)
    num_names = len(both.categories)
    pair = codes.min(axis=0) * num_names + codes.max(axis=0)
    reports = pd.DataFrame({"pair": pair, "publication": rows["publication"].cat.codes.to_numpy()})
    known = (rows["publication"] != MISSING).to_numpy()
    counts = reports[known].drop_duplicates()["pair"].value_counts()
    pairs = np.unique(pair)
    n = counts.reindex(pairs, fill_value=1).to_numpy()
    ends = {"source": pairs // num_names, "target": pairs % num_names}
    table = {name: pd.Categorical.from_codes(code, categories=both.categories) for name, code in ends.items()}
    return pd.DataFrame({**table, "n": n})
