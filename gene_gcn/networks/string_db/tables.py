"""STRING's files as tables: links, info, aliases and terms."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from numbers import Real
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.networks.categoricals import read_categoricals, select_categories
from gene_gcn.storage.text_files import (
    VERBATIM,
    damage_as_argument_error,
    existing_file,
    first_line,
    open_file,
    read_header,
)

CHANNELS = (
    "neighborhood",
    "fusion",
    "cooccurence",  # as STRING spells it
    "coexpression",
    "experimental",
    "database",
    "textmining",
)
SPELLINGS = {"cooccurrence": "cooccurence", "experiments": "experimental", "databases": "database"}
IN_FULL = {"experimental": "experiments"}  # how the full layout spells channels
TERMS_COLUMNS = ("protein", "category", "term", "description")
LARGEST_SCORE = 1000
PRIOR = 0.041  # probability that two random proteins are associated

_ROWS_AT_A_TIME = 1_000_000
_ROWS_TO_CHECK = 1000  # of a new file, before it is stored


@dataclass(frozen=True)
class LinkFilter:
    """Which links to use.

    Parameters
    ----------
    min_score : int
        Smallest score, 0 to 1000.
    network : {"functional", "physical"}
    channels : tuple of str
        Channels to combine, as :func:`check_channels` returns them; none for STRING's combined score.
    """

    min_score: int = 400
    network: str = "functional"
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_min_score(self.min_score)
        check_network(self.network)


def parse_links(
    path: str | os.PathLike[str],
    *,
    min_score: int = 0,
    channels: Sequence[str] | None = None,
    corrects_homology: bool = False,
) -> pd.DataFrame:
    """Read a ``protein.links`` file (also ``.detailed``, ``.full``) into a table ``source, target, weight``.

    Parameters
    ----------
    path : path
        The file, plain or gzip; space-separated, with columns ``protein1``, ``protein2`` and
        ``combined_score``.
    min_score : int
        Smallest score to keep, 0 to 1000. Rows below it are dropped while the file is read.
    channels : sequence of str, optional
        Channels of the ``detailed`` or ``full`` layout to combine, see :func:`combined_score`; by default
        STRING's combined score is used. In the ``full`` layout, a channel is its direct score and that
        transferred from other organisms.
    corrects_homology : bool
        Whether to reduce the scores of co-occurrence and text mining in the ``full`` layout for homologous
        proteins, as STRING did before version 12.

    Returns
    -------
    pandas.DataFrame
        ``source`` and ``target`` are STRING ids (``9606.ENSP00000269305``), categorical with the same
        categories; ``weight`` is the score. STRING lists each pair in both directions, and so does the table.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ArgumentError
        If the file is empty, damaged, a web page, has another header or no such channel, a score is not an
        integer from 0 to 1000 (the message names its line), or no row reaches `min_score`.
    """
    check_min_score(min_score)
    path = existing_file(path)
    wanted = check_channels(channels)
    parts = []
    highest = 0
    with open_file(path) as file:
        line = first_line(file, path)
        header = _links_header(line, path, wanted)
        scores = _score_columns(header, wanted)
        with damage_as_argument_error(path), np.errstate(invalid="ignore"):
            try:
                for rows in _read_in_chunks(file, header, scores, "\t" if "\t" in line else " "):
                    values = rows[scores].to_numpy()
                    if values.min() < 0 or values.max() > LARGEST_SCORE:
                        _refuse_first_bad_row(path)
                    weight = _weight(rows, wanted, corrects_homology)
                    highest = max(highest, weight.max())
                    parts.append(
                        _compact(rows.assign(weight=weight)[weight >= max(min_score, bool(channels))])
                    )
            except ArgumentError:
                raise
            except (ValueError, OverflowError) as error:
                if isinstance(error, (pd.errors.ParserError, pd.errors.EmptyDataError)):
                    raise
                _refuse_first_bad_row(path)
                text = f"{path}: {', '.join(scores)} must contain an integer on every line: {error}"
                raise ArgumentError("path", text) from error
    if not parts:
        raise ArgumentError("path", f"{path} has a header but no links; download it again.")
    if not sum(map(len, parts)):
        raise ArgumentError(
            "min_score",
            f"{path}: no pair reaches ",
            Argument("min_score", min_score),
            f"; the highest combined score is {highest}.",
        )
    columns = [part[name].array for name in ("protein1", "protein2") for part in parts]
    ids = union_categoricals(columns, sort_categories=True)
    half = len(ids) // 2
    weight = pd.concat([part["weight"] for part in parts], ignore_index=True)
    return pd.DataFrame({"source": ids[:half], "target": ids[half:], "weight": weight})


def _score_columns(header: list[str], channels: Sequence[str]) -> list[str]:
    """Return the columns that channels are combined from, or the combined score without channels."""
    if not channels:
        return ["combined_score"]
    columns = [_spelled(channel, header) for channel in channels]
    columns += [name for column in columns if (name := f"{column}_transferred") in header]
    return columns + [name for name in ("homology",) if name in header]


def _spelled(channel: str, header: list[str]) -> str:
    """Return the column of a channel, as this layout spells it."""
    return channel if channel in header else IN_FULL.get(channel, channel)


def _weight(rows: pd.DataFrame, channels: Sequence[str], corrects_homology: bool) -> pd.Series:
    """Return the combined score of some channels, or STRING's own without channels."""
    if not channels:
        return rows["combined_score"]
    homology = rows["homology"] if corrects_homology and "homology" in rows else None
    scores = rows.drop(columns=["protein1", "protein2", "homology"], errors="ignore")
    return combined_score(scores, homology)


def _refuse_first_bad_row(path: Path, taxid: str | None = None, limit: int | None = None) -> None:
    """Raise ArgumentError for the first wrong line of a file of links; check at most `limit` lines."""
    with damage_as_argument_error(path), open_file(path) as file:
        lines = (line.decode("utf-8-sig", errors="replace").split() for line in file)
        numbered = ((number, fields) for number, fields in enumerate(lines, 1) if fields)
        _, header = next(numbered)
        columns = [at for at, name in enumerate(header) if not name.startswith("protein")]
        number = 0
        for number, fields in islice(numbered, limit):
            fault = _fault(fields, header, columns, taxid)
            if fault is not None:
                where = f"{path}: line {number:,} ({' '.join(fields)[:80]}) "
                raise ArgumentError("path", f"{where}{fault}; the file is damaged, so download it again.")
    if not number:
        raise ArgumentError("path", f"{path} has a header but no links; download it again.")


def _fault(fields: list[str], header: list[str], columns: list[int], taxid: str | None) -> str | None:
    """Say what is wrong with a line, or return None."""
    if len(fields) != len(header):
        return f"has {len(fields)} fields, but the header {len(header)}"
    if taxid is not None and not all(protein.startswith(f"{taxid}.") for protein in fields[:2]):
        return f"has proteins of another organism than {taxid}"
    for at in columns:
        if not (fields[at].isascii() and fields[at].isdigit() and int(fields[at]) <= LARGEST_SCORE):
            return f"has the {header[at]} {fields[at]}, but STRING's scores are integers from 0 to 1,000"
    return None


def _read_in_chunks(
    file: IO[bytes], header: list[str], scores: list[str], separator: str
) -> Iterator[pd.DataFrame]:
    wanted = {"protein1": "category", "protein2": "category", **dict.fromkeys(scores, "int32")}
    options: dict[str, Any] = {
        "sep": separator,
        "names": header,
        "usecols": list(wanted),
        "dtype": wanted,
        **VERBATIM,
    }
    yield from pd.read_csv(file, chunksize=_ROWS_AT_A_TIME, **options)


def _compact(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop unused categories, so that memory is proportional to the rows that are kept."""
    ids = {name: rows[name].cat.remove_unused_categories() for name in ("protein1", "protein2")}
    return rows[["weight"]].assign(**ids)


def combined_score(scores: pd.DataFrame, homology: pd.Series | None = None) -> pd.Series:
    r"""Combine the scores of channels as STRING does.

    With the scores s of a pair as probabilities and the prior p = 0.041 of two random proteins,

    .. math::
        s'_c = \max\left(0, \frac{s_c - p}{1 - p}\right), \quad
        s = p + (1 - p) \left(1 - \prod_c (1 - s'_c)\right),

    truncated to thousandths. The ``full`` files have two scores of most channels, direct and transferred from
    other organisms; they enter the product like two channels. Before version 12, STRING multiplied
    :math:`s'_c` of co-occurrence and of text mining by 1 - h for the homology h of the two proteins; channels
    of the ``detailed`` files include this. A pair that no channel supports scores 0.

    Parameters
    ----------
    scores : pandas.DataFrame
        A column per channel, or per score of a channel, 0 to 1000.
    homology : pandas.Series, optional
        0 to 1000, to correct ``cooccurence``, ``textmining`` and ``textmining_transferred`` for.

    Returns
    -------
    pandas.Series of int32

    References
    ----------
    von Mering et al. (2005), STRING: known and predicted protein–protein associations, integrated and
    transferred across organisms, doi:10.1093/nar/gki005; https://string-db.org/help/faq/ ("How are the scores
    computed?").
    """
    without_prior = ((scores / 1000 - PRIOR) / (1 - PRIOR)).clip(lower=0)
    if homology is not None:
        without_prior = _corrected(without_prior, 1 - homology / 1000)
    supported = 1 - (1 - without_prior).prod(axis=1)
    combined = np.floor(1000 * (PRIOR + (1 - PRIOR) * supported) + 1e-6)
    return combined.where(supported > 0, 0).astype("int32")


def _corrected(without_prior: pd.DataFrame, factor: pd.Series) -> pd.DataFrame:
    """Multiply co-occurrence and text mining, direct and transferred together, by a factor."""
    corrected = without_prior.copy()
    for channel in ("cooccurence", "textmining"):
        names = [name for name in (channel, f"{channel}_transferred") if name in corrected]
        if names:
            both = 1 - (1 - corrected[names]).prod(axis=1)
            corrected = corrected.drop(columns=names).assign(**{channel: both * factor})
    return corrected


def parse_info(path: str | os.PathLike[str], taxid: str | None = None) -> pd.Series:
    """Read a ``protein.info`` file: the preferred name of each protein, indexed by its STRING id.

    Parameters
    ----------
    path : path
        The file, plain or gzip. The id column is ``#string_protein_id``, or ``protein_external_id`` in
        version 11.0.
    taxid : str, optional
        The organism that all proteins must be of; by default any.

    Returns
    -------
    pandas.Series of str

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ArgumentError
        If the file is empty, damaged, a web page or has another header.
    """
    path = existing_file(path, "info")
    _check_info_header(path)
    table = _read_first_columns(path, ["id", "name"], "info", taxid).astype(str)
    return table.drop_duplicates("id").set_index("id")["name"]


def parse_aliases(path: str | os.PathLike[str], taxid: str | None = None) -> pd.DataFrame:
    """Read a ``protein.aliases`` file: every name that STRING knows of a protein.

    Parameters
    ----------
    path : path
        The file, plain or gzip.
    taxid : str, optional
        The organism that all proteins must be of; by default any.

    Returns
    -------
    pandas.DataFrame
        ``protein`` (STRING id), ``alias`` and ``source`` (``"Ensembl_gene"``, …), all categorical. Versions
        before 12.0 list several sources in one field, separated by spaces.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ArgumentError
        If the file is empty, damaged, a web page or has another header.
    """
    path = existing_file(path)
    _check_aliases_header(path)
    return _read_first_columns(path, ["protein", "alias", "source"], "path", taxid)


def parse_terms(path: str | os.PathLike[str], taxid: str | None = None) -> pd.DataFrame:
    """Read a ``protein.enrichment.terms`` file: the terms that each protein is annotated with.

    Parameters
    ----------
    path : path
        The file, plain or gzip.
    taxid : str, optional
        The organism that all proteins must be of; by default any.

    Returns
    -------
    pandas.DataFrame
        ``protein`` (STRING id), ``category`` (``"Reactome Pathways"``, …), ``term`` (``"HSA-202403"``, …) and
        ``description``, all categorical.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ArgumentError
        If the file is empty, damaged, a web page or has another header, or a row has no protein, category or
        term.
    """
    path = existing_file(path)
    _check_terms_header(path)
    return _read_first_columns(path, list(TERMS_COLUMNS), "path", taxid, required=("category", "term"))


def _read_first_columns(
    path: Path, names: list[str], argument: str, taxid: str | None, required: Sequence[str] = ()
) -> pd.DataFrame:
    """Read the first columns of a table of proteins; refuse rows of something else and a last one cut off.

    If columns are `required`, no field of theirs may be empty, and others may.
    """
    columns = list(range(len(names)))
    options: dict[str, Any] = {"sep": "\t", "skiprows": 1, "header": None, "names": names, **VERBATIM}
    with damage_as_argument_error(path, argument), open_file(path) as file:
        table = read_categoricals(file, usecols=columns, **options)
    if table.empty:
        raise ArgumentError(argument, f"{path} has a header but no proteins; download it again.")
    ids = table.iloc[:, 0].cat
    is_protein = re.compile(rf"{taxid or '[0-9]+'}\.\S+").fullmatch
    wrong = np.array([is_protein(name) is None for name in ids.categories], dtype=bool)[ids.codes]
    wrong[-1] |= not required and not table.iloc[-1, -1]
    for name in required:
        wrong |= select_categories(table[name], lambda text: not text.strip())
    if wrong.any():
        row = " ".join(table.iloc[at := int(np.argmax(wrong))])[:80]
        whose = f" of organism {taxid}" if taxid else ""
        text = f"{path}: row {at + 1:,} ({row}) does not describe a protein{whose}; the file is damaged, so "
        raise ArgumentError(argument, f"{text}download it again.")
    return table


# ---- headers ----


def check_links(taxid: str | None = None, *channels: str) -> Callable[[Path], None]:
    """Return a check of a new file of links: its header and its first rows.

    It raises ArgumentError unless the file is ``protein.links`` with these channels, of this organism, with
    scores from 0 to 1000.
    """

    def check(path: Path) -> None:
        _links_header(read_header(path), path, channels)
        _refuse_first_bad_row(path, taxid, _ROWS_TO_CHECK)

    return check


def check_info(taxid: str) -> Callable[[Path], Any]:
    """Return a check of a new file: it raises ArgumentError unless that is an organism's ``protein.info``."""
    return lambda path: parse_info(path, taxid)


def check_aliases(taxid: str) -> Callable[[Path], Any]:
    """Return a check of a new file: it raises ArgumentError unless that is its ``protein.aliases``."""
    return lambda path: parse_aliases(path, taxid)


def check_terms(taxid: str) -> Callable[[Path], Any]:
    """Return a check of a new file: it raises ArgumentError unless that is its ``enrichment.terms``."""
    return lambda path: parse_terms(path, taxid)


def _check_info_header(path: Path) -> None:
    header = read_header(path, "info").split("\t")
    first = header[0].lstrip("#")
    if first not in ("string_protein_id", "protein_external_id") or header[1:2] != ["preferred_name"]:
        raise ArgumentError(
            "info",
            f"{path} is not a protein.info file of STRING: its header is {' '.join(header)[:80]!r}, not "
            "'#string_protein_id preferred_name …'.",
        )


def _check_aliases_header(path: Path) -> None:
    header = read_header(path).split("\t")
    # 11.0: '## string_protein_id ##', '## alias ##', '## source ##'
    if [field.strip("# ") for field in header[:3]] != ["string_protein_id", "alias", "source"]:
        raise ArgumentError(
            "path",
            f"{path} is not a protein.aliases file of STRING: its header is {' '.join(header)[:80]!r}, not "
            "'#string_protein_id alias source'.",
        )


def _check_terms_header(path: Path) -> None:
    header = read_header(path).split("\t")
    if [field.strip("# ") for field in header] != ["string_protein_id", *TERMS_COLUMNS[1:]]:
        raise ArgumentError(
            "path",
            f"{path} is not a protein.enrichment.terms file of STRING: its header is "
            f"{' '.join(header)[:80]!r}, not '#string_protein_id category term description'.",
        )


def _links_header(line: str, path: Path, channels: Sequence[str]) -> list[str]:
    header = line.split()
    if missing := [column for column in ("protein1", "protein2", "combined_score") if column not in header]:
        raise ArgumentError(
            "path",
            f"{path} is not a protein.links file of STRING: its header {' '.join(header)[:120]!r} lacks "
            f"{missing}.",
        )
    if missing := [channel for channel in channels if _spelled(channel, header) not in header]:
        raise ArgumentError(
            "path",
            f"{path} lacks {missing}: its header is {' '.join(header)[:120]!r}. Channels are in STRING's "
            "files protein.links.detailed and protein.links.full; files of physical links have some of them.",
        )
    return header


# ---- arguments ----


def check_min_score(min_score: int) -> None:
    """Raise ArgumentError unless this is a score from 0 to 1000."""
    shown = Argument("min_score", min_score)
    if isinstance(min_score, bool) or not isinstance(min_score, Real):
        raise ArgumentError("min_score", shown, " must be a number from 0 to 1000.")
    if 0 < min_score < 1:
        raise ArgumentError(
            "min_score",
            shown,
            " looks like a score from 0 to 1, but those in STRING's files go from 0 to 1000; pass ",
            Argument("min_score", round(min_score * 1000)),
            ".",
        )
    if not 0 <= min_score <= 1000:
        raise ArgumentError("min_score", shown, " is out of range; STRING's scores go from 0 to 1000.")


def check_network(network: str) -> None:
    """Raise ArgumentError unless this is a kind of STRING network."""
    if network not in ("functional", "physical"):
        text = " is unknown; choose 'functional' or 'physical'."
        raise ArgumentError("network", Argument("network", network), text)


def check_channels(channels: Sequence[str] | None) -> tuple[str, ...]:
    """Return channels in STRING's spelling and order, or none for None; refuse unknown ones."""
    if channels is None:
        return ()
    requested = [channels] if isinstance(channels, str) else list(channels)
    spelled = {SPELLINGS.get(channel, channel) for channel in requested}
    if not spelled or spelled - set(CHANNELS):
        text = f" must be some of {', '.join(CHANNELS)}."
        raise ArgumentError("channels", Argument("channels", channels), text)
    return tuple(channel for channel in CHANNELS if channel in spelled)
