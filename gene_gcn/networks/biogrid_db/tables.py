"""The tables of BioGRID: ``tab2`` and ``tab3`` files and the archives of them."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from gene_gcn.genes.organisms import describe_taxid, find_organism, find_taxid, plain_name
from gene_gcn.storage.text_files import AS_IS, errors_naming, existing_file, first_line, is_zip, open_file

EVIDENCE = ("physical", "genetic", "all")
THROUGHPUT = (None, "low", "high")

# What is read of the 24 (tab2) or 37 (tab3) columns; the layouts differ in three names.
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
    "synonyms": ("Synonyms Interactor {}", "Synonymns Interactor {}"),  # the second in old files
    "taxid": ("Organism Interactor {}", "Organism ID Interactor {}"),
}
MISSING = "-"  # how BioGRID writes a missing value

_MEMBER = re.compile(r"BIOGRID-ORGANISM-(?P<organism>.+)-\d+\.\d+\.\d+\.(?:tab[23]|mitab)")


@dataclass(frozen=True)
class Choice:
    """Which interactions to keep.

    Parameters
    ----------
    evidence
        ``"physical"``, ``"genetic"`` or ``"all"``.
    throughput
        ``"low"`` or ``"high"``, an interaction marked with both counts as either; None for any.
    min_publications
        Smallest number of distinct publications that report a pair, of those kept by the above.
    """

    evidence: str = "physical"
    throughput: str | None = None
    min_publications: int = 1

    def __post_init__(self) -> None:
        if self.evidence not in EVIDENCE:
            raise ValueError(f"evidence={self.evidence!r} is unknown; choose 'physical', 'genetic' or 'all'.")
        if self.throughput not in THROUGHPUT:
            raise ValueError(
                f"throughput={self.throughput!r} is unknown; choose 'low', 'high' or None for any."
            )
        n = self.min_publications
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"min_publications={n!r} must be a whole number, 1 or more.")
        object.__setattr__(self, "min_publications", int(n))


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
    path
        The file, plain or gzip, or an archive of several.
    organism, evidence, throughput, min_publications
        As for :func:`gene_gcn.networks.biogrid_db.network.biogrid`.

    Returns
    -------
    pandas.DataFrame
        Each unordered pair once, by official symbols; ``weight`` is log(1 + n) of its n distinct
        publications. A pair without a known publication counts as one with a single publication.

    Raises
    ------
    FileNotFoundError, ValueError
        As for :func:`gene_gcn.networks.biogrid_db.network.biogrid`.
    """
    return read_pairs(path, organism, Choice(evidence, throughput, min_publications))[0]


def read_pairs(
    path: str | os.PathLike[str], organism: str | int | None, choice: Choice
) -> tuple[pd.DataFrame, str, str]:
    """Return the table of :func:`parse_biogrid`, its organism's taxonomy id and the table's file name."""
    with _opened(path, organism) as (file, where, name):
        optional = {"throughput"} if choice.throughput is None else set()
        rows = _read_columns(file, where, COLUMNS, optional)
    taxid = _which_taxid(rows, where, name, organism)
    keep = (rows["taxid_a"] == taxid) & (rows["taxid_b"] == taxid)
    if not keep.any():
        raise ValueError(f"{where} holds no interaction within organism={organism!r} (taxid {taxid}).")
    if choice.evidence != "all":
        keep &= _in_categories(rows["evidence"], lambda text: text == choice.evidence)
    if choice.throughput is not None:
        keep &= _in_categories(rows["throughput"], lambda text: f"{choice.throughput} throughput" in text)
    keep &= (rows["source"] != MISSING) & (rows["target"] != MISSING)
    pairs = _count_publications(rows[keep])
    pairs = pairs[pairs["n"] >= choice.min_publications]
    if pairs.empty:
        asked = f"evidence={choice.evidence!r}"
        asked += f", throughput={choice.throughput!r}" if choice.throughput is not None else ""
        asked += f", min_publications={choice.min_publications}" if choice.min_publications > 1 else ""
        raise ValueError(f"{where} holds no interaction of {asked} within {describe_taxid(taxid)}.")
    return pairs.assign(weight=np.log1p(pairs["n"])).drop(columns="n"), taxid, name


def parse_biogrid_genes(path: str | os.PathLike[str], organism: str | int | None = None) -> pd.DataFrame:
    """Read the names of an organism's genes from a ``tab2`` or ``tab3`` file or an archive.

    Parameters
    ----------
    path, organism
        As for :func:`parse_biogrid`.

    Returns
    -------
    pandas.DataFrame
        A row per gene, text throughout: ``symbol`` (official), ``entrez``, ``systematic`` and ``synonyms``
        (joined by ``|``); empty where BioGRID does not say.

    Raises
    ------
    FileNotFoundError, ValueError
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
    """Raise ValueError for a file that is no zip archive of BioGRID's tables."""
    if not is_zip(path):
        raise ValueError(f"{path} is no zip archive.")
    with zipfile.ZipFile(path) as archive:
        member = _tables(archive, path)[0]
        with archive.open(member) as file:
            _find_columns(first_line(file, f"{path}:{member}"), f"{path}:{member}", COLUMNS, {"throughput"})


# ---- reading ----


@contextmanager
def _opened(path: str | os.PathLike[str], organism: str | int | None) -> Iterator[tuple[IO[bytes], str, str]]:
    """Open a table or, of an archive, the organism's; give the file, what to call it in errors, its name."""
    path = existing_file(path)
    if not is_zip(path):
        with open_file(path) as file:
            yield file, str(path), path.name
        return
    with errors_naming(path), zipfile.ZipFile(path) as archive:
        member = _choose_member(_tables(archive, path), organism, path)
        with archive.open(member) as file:
            yield file, f"{path}:{member}", Path(member).name


def _tables(archive: zipfile.ZipFile, path: Path) -> list[str]:
    members = [name for name in archive.namelist() if name.endswith(".txt")]
    if not members:
        raise ValueError(f"{path} is a zip archive without a .txt member; get the tab3 archive of BioGRID.")
    return members


def _choose_member(members: list[str], organism: str | int | None, path: Path) -> str:
    """Choose the member of an archive by the organism in its name; one alone needs no choice."""
    if len(members) == 1:
        return members[0]
    organisms = {m: match["organism"] for m in members if (match := _MEMBER.search(m))}
    shown = ", ".join(sorted(organisms.values()) or sorted(members))
    if organism is None:
        raise ValueError(f"{path} holds several organisms; choose one with organism=: {shown}.")
    known = find_organism(organism) if find_taxid(organism) is not None else None
    names = {plain_name(str(organism))}
    if known is not None and known.biogrid_name is not None:
        names |= {plain_name(known.biogrid_name), plain_name(known.scientific_name)}
    chosen = [m for m in members if plain_name(organisms.get(m, "")) in names]
    if not chosen:
        raise ValueError(f"{path} has no member for organism={organism!r}; choose one of these: {shown}.")
    return chosen[0]


def _read_columns(
    file: IO[bytes], where: str, spellings: dict[str, tuple[str, ...]], optional: set[str] = frozenset()
) -> pd.DataFrame:
    """Read the columns of a table that are named, each categorical."""
    at = _find_columns(first_line(file, where), where, spellings, optional)
    with errors_naming(where):
        rows = pd.read_csv(file, sep="\t", header=None, usecols=list(at.values()), dtype="category", **AS_IS)
    return rows[list(at.values())].set_axis(list(at), axis="columns")


def _find_columns(
    line: str, where: str, spellings: dict[str, tuple[str, ...]], optional: set[str]
) -> dict[str, int]:
    header = line.lstrip("#").split("\t")
    at = {}
    for name, names in spellings.items():
        found = [header.index(spelling) for spelling in names if spelling in header]
        if found:
            at[name] = found[0]
        elif name not in optional:
            raise ValueError(
                f"{where} is no BioGRID tab2 or tab3 table: its header {' '.join(header)[:80]!r} lacks "
                f"{' or '.join(map(repr, names))}."
            )
    return at


def _which_taxid(rows: pd.DataFrame, where: str, file_name: str, organism: str | int | None) -> str:
    """Find out which organism to keep: the one asked for, that of the file, or the only one there is."""
    counts = (
        pd.concat([rows["taxid_a"].value_counts(), rows["taxid_b"].value_counts()])
        .groupby(level=0, observed=True)
        .sum()
    )
    counts = counts[counts > 0].sort_values(ascending=False)
    asked = None if organism is None else find_taxid(organism)
    if asked is not None:
        ours = find_organism(organism).biogrid_taxid
        return ours if ours in counts.index else asked
    member = _MEMBER.search(file_name)
    if member and (organism is None or plain_name(str(organism)) == plain_name(member["organism"])):
        # Each row of an organism's file has at least one interactor of it, so its id is the most frequent
        # one.
        known = find_taxid(member["organism"])
        return known if known in counts.index else str(counts.index[0])
    if organism is not None:
        return find_organism(organism).biogrid_taxid  # raises, listing near names
    if len(counts) > 1:
        raise ValueError(
            f"{where} holds {len(counts)} organisms (taxids {', '.join(map(str, counts.index[:5]))}); choose "
            "one with organism=."
        )
    return str(counts.index[0])


def _in_categories(column: pd.Series, wanted) -> np.ndarray:
    """Say of each row whether its category, in small letters, is wanted."""
    flags = np.array([wanted(str(text).lower()) for text in column.cat.categories], dtype=bool)
    return flags[column.cat.codes]


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
