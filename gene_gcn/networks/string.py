"""STRING: functional associations between proteins, as files of its download host."""

from __future__ import annotations

import os
import re
from numbers import Real
from pathlib import Path

import pandas as pd
from pandas.api.types import union_categoricals

from gene_gcn.networks.network import GeneNetwork, NetworkSource
from gene_gcn.networks.organisms import describe_taxid, find_taxid
from gene_gcn.networks.tables import (
    AS_IS,
    as_strings,
    errors_naming,
    existing_file,
    first_line,
    open_file,
    read_header,
    sha256_of,
)

LICENCE = "CC BY 4.0"
CITATION = "Szklarczyk et al. 2023, doi:10.1093/nar/gkac1000"

# 9606.protein.links.v12.0.txt.gz, 9606.protein.physical.links.detailed.v12.0.txt.gz,
# protein.links.full.v11.5.txt
_FILE_NAME = re.compile(
    r"(?:(?P<taxid>\d+)\.)?protein\.(?:physical\.)?links(?:\.detailed|\.full)?\.v(?P<version>\d+(?:\.\d+)?)"
)
_TAXON = re.compile(r"(\d+)\.(.+)")
_ROWS_AT_A_TIME = 1_000_000


def string(
    path: str | os.PathLike[str] | None = None,
    info: str | os.PathLike[str] | None = None,
    *,
    organism: str | int | None = None,
    version: str | None = None,
    min_score: int = 400,
) -> GeneNetwork:
    """Read the STRING network of one organism from its ``protein.links`` file.

    Weights are combined scores divided by the largest one. Genes are those with at least one edge; genes of
    several proteins keep the largest score. Genes have the preferred names of the ``protein.info`` file;
    proteins that it does not name keep their STRING id without the taxon (``ENSP00000269305``), as all do
    where there is no such file.

    Parameters
    ----------
    path
        ``{taxid}.protein.links.v{version}.txt.gz``, or its ``links.detailed``, ``links.full`` or
        ``physical.links`` layout, plain or gzip, from https://stringdb-downloads.org.
    info
        ``{taxid}.protein.info.v{version}.txt.gz``. With None, the file of that name (with or without ``.gz``)
        is taken from the folder of `path`, or from ``../protein.info.v{version}/``, which is how the download
        host is laid out.
    organism
        ``"human"``, ``"mouse"``, a scientific name of these or a taxonomy id; checked against the file. None
        to take what the file holds.
    version
        STRING version; None to take it from the name of the file.
    min_score
        Smallest combined score to keep, 0 to 1000. STRING calls 150 low, 400 medium, 700 high and 900 highest
        confidence.

    Returns
    -------
    GeneNetwork
        Its source has the version, organism, licence, citation and the SHA-256 of `path`.

    Raises
    ------
    NotImplementedError
        If `path` is None: this version does not fetch files.
    FileNotFoundError
        If `path` or `info` does not exist.
    ValueError
        If a file is damaged or not what it should be, holds another organism or several, or no edge is left.

    References
    ----------
    Szklarczyk et al. (2023), The STRING database in 2023, doi:10.1093/nar/gkac1000. Licence CC BY 4.0.
    """
    if path is None:
        raise NotImplementedError(
            "networks.string cannot fetch files yet in this version. Get {taxid}.protein.links.v12.0.txt.gz "
            "and {taxid}.protein.info.v12.0.txt.gz (human: 9606, mouse: 10090) from "
            "https://stringdb-downloads.org, put them into one folder and pass path= the first of them."
        )
    _check_min_score(min_score)
    path = existing_file(path)
    named = _FILE_NAME.search(path.name)
    info_path = existing_file(info, "info") if info is not None else _find_info(path)
    links = parse_links(path, min_score=min_score)
    taxid = _check_organism(links, path, organism)
    names = {} if info_path is None else parse_info(info_path).to_dict()
    ids = links["source"].cat.categories
    if names and not any(protein in names for protein in ids):
        raise ValueError(
            f"{info_path} names none of the proteins of {path} ({ids[0]}, …); pass info= the file of the "
            "same organism and version."
        )
    labels = [names.get(protein) or _without_taxon(protein) for protein in ids]
    table = pd.DataFrame({side: as_strings(links[side].array, labels) for side in ("source", "target")})
    source = NetworkSource(
        name="STRING",
        version=version or (named and named["version"]) or None,
        organism=taxid and describe_taxid(taxid),
        licence=LICENCE,
        citation=CITATION,
        sha256=sha256_of(path),
    )
    return GeneNetwork.from_frame(table.assign(weight=links["weight"]), source=source)


def parse_links(path: str | os.PathLike[str], *, min_score: int = 0) -> pd.DataFrame:
    """Read a ``protein.links`` file (also ``.detailed``, ``.full``) into a table ``source, target, weight``.

    Parameters
    ----------
    path
        The file, plain or gzip; space-separated, with columns ``protein1``, ``protein2`` and
        ``combined_score``.
    min_score
        Smallest combined score to keep, 0 to 1000. Rows below it are dropped while the file is read.

    Returns
    -------
    pandas.DataFrame
        ``source`` and ``target`` are STRING ids (``9606.ENSP00000269305``), categorical with the same
        categories; ``weight`` is the combined score. STRING lists each pair both ways, and so does the table.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, damaged, a web page, has another header, or no row reaches `min_score`.
    """
    _check_min_score(min_score)
    path = existing_file(path)
    wanted = {"protein1": "category", "protein2": "category", "combined_score": "int32"}
    parts = []
    highest = None
    with open_file(path) as file:
        header = first_line(file, path).split()
        if missing := [column for column in wanted if column not in header]:
            raise ValueError(
                f"{path} is no protein.links file of STRING: its header {' '.join(header)[:80]!r} lacks "
                f"{missing}."
            )
        with errors_naming(path):
            try:
                options = {"sep": " ", "names": header, "usecols": list(wanted), "dtype": wanted, **AS_IS}
                for rows in pd.read_csv(file, chunksize=_ROWS_AT_A_TIME, **options):
                    highest = max(highest or 0, rows["combined_score"].max())
                    parts.append(_kept(rows[rows["combined_score"] >= min_score]))
            except ValueError as error:
                if isinstance(error, (pd.errors.ParserError, pd.errors.EmptyDataError)):
                    raise
                raise ValueError(
                    f"{path}: combined_score must hold whole numbers on every line: {error}"
                ) from error
    if not sum(map(len, parts)):
        raise ValueError(
            f"{path}: no pair reaches min_score={min_score}; the highest combined score is {highest}."
        )
    columns = [part[name].array for name in ("protein1", "protein2") for part in parts]
    ids = union_categoricals(columns, sort_categories=True)
    half = len(ids) // 2
    weight = pd.concat([part["combined_score"] for part in parts], ignore_index=True)
    return pd.DataFrame({"source": ids[:half], "target": ids[half:], "weight": weight})


def parse_info(path: str | os.PathLike[str]) -> pd.Series:
    """Read a ``protein.info`` file: the preferred name of each protein, indexed by its STRING id.

    The id column is ``#string_protein_id``, or ``protein_external_id`` in version 11.0.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, damaged, a web page or has another header.
    """
    path = existing_file(path, "info")
    header = read_header(path).split("\t")
    if header[0].lstrip("#") not in ("string_protein_id", "protein_external_id") or header[1:2] != [
        "preferred_name"
    ]:
        raise ValueError(
            f"{path} is no protein.info file of STRING: its header is {' '.join(header)[:80]!r}, not "
            "'#string_protein_id preferred_name …'."
        )
    with errors_naming(path), open_file(path) as file:
        table = pd.read_csv(
            file, sep="\t", skiprows=1, header=None, names=["id", "name"], usecols=[0, 1], dtype=str, **AS_IS
        )
    return table.drop_duplicates("id").set_index("id")["name"]


def _check_min_score(min_score: int) -> None:
    if isinstance(min_score, bool) or not isinstance(min_score, Real):
        raise ValueError(f"min_score={min_score!r} must be a number from 0 to 1000.")
    if 0 < min_score < 1:
        raise ValueError(
            f"min_score={min_score} looks like a score from 0 to 1, but those in STRING's files go from 0 to "
            f"1000; pass min_score={min_score * 1000:.0f}."
        )
    if not 0 <= min_score <= 1000:
        raise ValueError(f"min_score={min_score} is out of range; STRING's scores go from 0 to 1000.")


def _kept(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop categories that no row is left of, so that memory goes with the rows kept."""
    ids = {name: rows[name].cat.remove_unused_categories() for name in ("protein1", "protein2")}
    return rows.assign(**ids)


def _find_info(path: Path) -> Path | None:
    named = _FILE_NAME.search(path.name)
    if not named or not named["taxid"]:
        return None
    name = f"{named['taxid']}.protein.info.v{named['version']}.txt"
    folders = (path.parent, path.parent.parent / f"protein.info.v{named['version']}")
    candidates = (folder / (name + suffix) for folder in folders for suffix in (".gz", ""))
    return next((file for file in candidates if file.is_file()), None)


def _check_organism(links: pd.DataFrame, path: Path, organism: str | int | None) -> str | None:
    """Return the taxonomy id that the ids start with; refuse several, and one that was not asked for."""
    matches = map(_TAXON.fullmatch, links["source"].cat.categories)
    found = sorted({match[1] for match in matches if match})
    if len(found) > 1:
        raise ValueError(
            f"{path} holds {len(found)} organisms (taxids {', '.join(found[:5])}); use the file of one, "
            "named {taxid}.protein.links.v{version}.txt.gz."
        )
    if organism is None:
        return found[0] if found else None
    asked = find_taxid(organism)
    if asked is None:
        raise ValueError(f"organism={organism!r} is not known here by name; pass its NCBI taxonomy id.")
    if found and asked != found[0]:
        raise ValueError(
            f"organism={organism!r} (taxid {asked}) was asked for, but {path} holds "
            f"{describe_taxid(found[0])} (taxid {found[0]})."
        )
    return asked


def _without_taxon(protein: str) -> str:
    match = _TAXON.fullmatch(protein)
    return match[2] if match else protein
