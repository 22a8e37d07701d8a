"""BioGRID: interactions curated from publications, as files of its download host."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from typing import IO, Literal

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from gene_gcn.networks.network import GeneNetwork, NetworkSource
from gene_gcn.networks.organisms import SCIENTIFIC_NAMES, describe_taxid, find_taxid, plain_name
from gene_gcn.networks.tables import (
    AS_IS,
    errors_naming,
    existing_file,
    first_line,
    is_zip,
    open_file,
    sha256_of,
)

LICENCE = "MIT"
CITATION = "Oughtred et al. 2021, doi:10.1002/pro.3978"

_MEMBER = re.compile(r"BIOGRID-ORGANISM-(?P<organism>.+)-\d+\.\d+\.\d+\.(?:tab[23]|mitab)")
_VERSION = re.compile(r"-(\d+\.\d+\.\d+)\.tab")

# What is read of the 24 (tab2) or 37 (tab3) columns; the two layouts differ in three names.
_COLUMNS = {
    "source": ("Official Symbol Interactor A",),
    "target": ("Official Symbol Interactor B",),
    "evidence": ("Experimental System Type",),
    "publication": ("Pubmed ID", "Publication Source"),
    "taxid_a": ("Organism Interactor A", "Organism ID Interactor A"),
    "taxid_b": ("Organism Interactor B", "Organism ID Interactor B"),
}


def biogrid(
    path: str | os.PathLike[str] | None = None,
    *,
    organism: str | int | None = None,
    evidence: Literal["physical", "genetic", "all"] = "physical",
) -> GeneNetwork:
    r"""Read the BioGRID network of one organism from a ``tab2`` or ``tab3`` file.

    The weight of a pair comes from the number n of distinct publications that report it,

    .. math:: s = \log(1 + n), \quad A = s / \max s,

    so that a few heavily studied pairs do not flatten all others. BioGRID's own Score column is not used: it
    holds whatever each paper reports. Genes have their official symbols; both interactors must be of the
    organism.

    Parameters
    ----------
    path
        A ``.tab2.txt`` or ``.tab3.txt`` file, plain or gzip, or the zip archive with one member per organism
        (``BIOGRID-ORGANISM-{release}.tab3.zip``) from https://downloads.thebiogrid.org. Of an archive only
        the member asked for is unpacked, while it is read.
    organism
        ``"human"``, ``"mouse"``, a scientific name of these, the taxonomy id of any organism, or the name of
        an archive's member (``"Saccharomyces_cerevisiae_S288c"``). None where there is only one.
    evidence
        ``"physical"``, ``"genetic"`` or ``"all"`` interactions.

    Returns
    -------
    GeneNetwork
        Its source has the version, organism, licence, citation and the SHA-256 of `path`.

    Raises
    ------
    NotImplementedError
        If `path` is None: this version does not fetch files.
    FileNotFoundError
        If `path` does not exist.
    ValueError
        If the file is damaged or no BioGRID table, the organism is missing, unknown or one of several,
        `evidence` is unknown, or no interaction is left.

    References
    ----------
    Oughtred et al. (2021), The BioGRID database, doi:10.1002/pro.3978. Licence MIT.
    """
    if path is None:
        raise NotImplementedError(
            "networks.biogrid cannot fetch files yet in this version. Get "
            "BIOGRID-ORGANISM-{release}.tab3.zip from https://downloads.thebiogrid.org and pass path= that "
            "file."
        )
    path = existing_file(path)
    member = path.name
    if is_zip(path):
        with errors_naming(path), zipfile.ZipFile(path) as archive:
            member = _choose_member(archive.namelist(), organism, path)
            with archive.open(member) as file:
                table, taxid = _parse(file, f"{path}:{member}", Path(member).name, organism, evidence)
    else:
        with open_file(path) as file:
            table, taxid = _parse(file, str(path), path.name, organism, evidence)
    version = _VERSION.search(member) or _VERSION.search(path.name)
    source = NetworkSource(
        name="BioGRID" if evidence == "all" else f"BioGRID {evidence}",
        version=version and version[1],
        organism=describe_taxid(taxid),
        licence=LICENCE,
        citation=CITATION,
        sha256=sha256_of(path),
    )
    return GeneNetwork.from_frame(table, source=source)


def parse_biogrid(
    path: str | os.PathLike[str], *, organism: str | int | None = None, evidence: str = "physical"
) -> pd.DataFrame:
    """Read a ``tab2`` or ``tab3`` file, plain or gzip, into a table ``source, target, weight``.

    Parameters
    ----------
    path
        The file (not an archive).
    organism, evidence
        As for :func:`biogrid`.

    Returns
    -------
    pandas.DataFrame
        Each unordered pair once, by official symbols; ``weight`` is log(1 + n) of its n distinct
        publications. A pair without a known publication counts as one with a single publication.

    Raises
    ------
    FileNotFoundError, ValueError
        As for :func:`biogrid`.
    """
    path = existing_file(path)
    with open_file(path) as file:
        return _parse(file, str(path), path.name, organism, evidence)[0]


def _parse(
    file: IO[bytes], where: str, file_name: str, organism: str | int | None, evidence: str
) -> tuple[pd.DataFrame, str]:
    """Read an open file; `where` names it in errors. Return the table and the taxonomy id of its organism."""
    if evidence not in ("physical", "genetic", "all"):
        raise ValueError(f"evidence={evidence!r} is unknown; choose 'physical', 'genetic' or 'all'.")
    rows = _read_rows(file, where)
    taxid = _which_taxid(rows, where, file_name, organism)
    keep = (rows["taxid_a"] == taxid) & (rows["taxid_b"] == taxid)
    if not keep.any():
        raise ValueError(f"{where} holds no interaction within organism={organism!r} (taxid {taxid}).")
    if evidence != "all":
        types = rows["evidence"].cat
        wanted = types.categories.str.lower() == evidence
        keep &= wanted[types.codes]
    # '-' is how BioGRID writes a missing value.
    keep &= (rows["source"] != "-") & (rows["target"] != "-")
    rows = rows[keep]
    if rows.empty:
        raise ValueError(
            f"{where} holds no interaction of evidence={evidence!r} within {describe_taxid(taxid)}."
        )
    return _count_publications(rows), taxid


def _read_rows(file: IO[bytes], where: str) -> pd.DataFrame:
    header = first_line(file, where).split("\t")
    at = {}
    for name, spellings in _COLUMNS.items():
        found = [header.index(spelling) for spelling in spellings if spelling in header]
        if not found:
            raise ValueError(
                f"{where} is no BioGRID tab2 or tab3 table: its header {' '.join(header)[:80]!r} lacks "
                f"{' or '.join(map(repr, spellings))}."
            )
        at[name] = found[0]
    with errors_naming(where):
        rows = pd.read_csv(file, sep="\t", header=None, usecols=list(at.values()), dtype="category", **AS_IS)
    return rows[list(at.values())].set_axis(list(at), axis="columns")


def _which_taxid(rows: pd.DataFrame, where: str, file_name: str, organism: str | int | None) -> str:
    """Find out which organism to keep: the one asked for, that of the file, or the only one there is."""
    taxid = None if organism is None else find_taxid(organism)
    if taxid is not None:
        return taxid
    counts = (
        pd.concat([rows["taxid_a"].value_counts(), rows["taxid_b"].value_counts()])
        .groupby(level=0, observed=True)
        .sum()
    )
    counts = counts[counts > 0].sort_values(ascending=False)
    member = _MEMBER.search(file_name)
    if member and (organism is None or plain_name(str(organism)) == plain_name(member["organism"])):
        # Each row of an organism's file has at least one interactor of it, so its id is the most frequent
        # one.
        return find_taxid(member["organism"]) or str(counts.index[0])
    if organism is not None:
        raise ValueError(f"organism={organism!r} is not known here by name; pass its NCBI taxonomy id.")
    if len(counts) > 1:
        raise ValueError(
            f"{where} holds {len(counts)} organisms (taxids {', '.join(map(str, counts.index[:5]))}); choose "
            "one with organism=."
        )
    return str(counts.index[0])


def _count_publications(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each unordered pair once, weighted by log(1 + number of distinct publications)."""
    both = union_categoricals([rows["source"].array, rows["target"].array], sort_categories=True)
    codes = both.codes.astype(np.int64).reshape(2, -1)
    num_names = len(both.categories)
    pair = codes.min(axis=0) * num_names + codes.max(axis=0)
    reports = pd.DataFrame({"pair": pair, "publication": rows["publication"].cat.codes.to_numpy()})
    known = (rows["publication"] != "-").to_numpy()
    counts = reports[known].drop_duplicates()["pair"].value_counts()
    pairs = np.unique(pair)
    n = counts.reindex(pairs, fill_value=1).to_numpy()
    ends = {"source": pairs // num_names, "target": pairs % num_names}
    table = {name: pd.Categorical.from_codes(code, categories=both.categories) for name, code in ends.items()}
    return pd.DataFrame({**table, "weight": np.log1p(n)})


def _choose_member(members: list[str], organism: str | int | None, path: Path) -> str:
    """Choose the member of an archive by the organism in its name; one alone needs no choice."""
    members = [name for name in members if name.endswith(".txt")]
    if not members:
        raise ValueError(f"{path} is a zip archive without a .txt member; get the tab3 archive of BioGRID.")
    if len(members) == 1:
        return members[0]
    organisms = {m: match["organism"] for m in members if (match := _MEMBER.search(m))}
    shown = ", ".join(sorted(organisms.values()) or sorted(members))
    if organism is None:
        raise ValueError(f"{path} holds several organisms; choose one with organism=: {shown}.")
    taxid = find_taxid(organism)
    name = plain_name(SCIENTIFIC_NAMES.get(taxid, str(organism)) if taxid else str(organism))
    chosen = [m for m in members if plain_name(organisms.get(m, "")) == name]
    if not chosen:
        raise ValueError(f"{path} has no member for organism={organism!r}; choose one of these: {shown}.")
    return chosen[0]
