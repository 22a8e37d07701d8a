"""The files of STRING: links, info and aliases, each a path in and a table out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from gene_gcn.storage.text_files import (
    AS_IS,
    errors_naming,
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
PRIOR = 0.041  # the chance that two proteins taken at random are associated

_ROWS_AT_A_TIME = 1_000_000


def parse_links(
    path: str | os.PathLike[str], *, min_score: int = 0, channels: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a ``protein.links`` file (also ``.detailed``, ``.full``) into a table ``source, target, weight``.

    Parameters
    ----------
    path
        The file, plain or gzip; space-separated, with columns ``protein1``, ``protein2`` and
        ``combined_score``.
    min_score
        Smallest score to keep, 0 to 1000. Rows below it are dropped while the file is read.
    channels
        Channels to combine again, of the ``detailed`` layout, see :func:`combined_score`; None for STRING's
        combined score.

    Returns
    -------
    pandas.DataFrame
        ``source`` and ``target`` are STRING ids (``9606.ENSP00000269305``), categorical with the same
        categories; ``weight`` is the score. STRING lists each pair both ways, and so does the table.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, damaged, a web page, has another header or no such channel, or no row reaches
        `min_score`.
    """
    check_min_score(min_score)
    path = existing_file(path)
    scores = list(check_channels(channels)) or ["combined_score"]
    wanted = {"protein1": "category", "protein2": "category", **dict.fromkeys(scores, "int32")}
    parts = []
    highest = 0
    with open_file(path) as file:
        header = _links_header(first_line(file, path), path, scores)
        with errors_naming(path):
            try:
                options = {"sep": " ", "names": header, "usecols": list(wanted), "dtype": wanted, **AS_IS}
                for rows in pd.read_csv(file, chunksize=_ROWS_AT_A_TIME, **options):
                    weight = combined_score(rows[scores]) if channels else rows["combined_score"]
                    highest = max(highest, weight.max())
                    parts.append(_kept(rows.assign(weight=weight)[weight >= max(min_score, bool(channels))]))
            except ValueError as error:
                if isinstance(error, (pd.errors.ParserError, pd.errors.EmptyDataError)):
                    raise
                raise ValueError(
                    f"{path}: {', '.join(scores)} must hold whole numbers on every line: {error}"
                ) from error
    if not sum(map(len, parts)):
        raise ValueError(
            f"{path}: no pair reaches min_score={min_score}; the highest combined score is {highest}."
        )
    columns = [part[name].array for name in ("protein1", "protein2") for part in parts]
    ids = union_categoricals(columns, sort_categories=True)
    half = len(ids) // 2
    weight = pd.concat([part["weight"] for part in parts], ignore_index=True)
    return pd.DataFrame({"source": ids[:half], "target": ids[half:], "weight": weight})


def combined_score(scores: pd.DataFrame) -> pd.Series:
    r"""Combine scores of channels as STRING does.

    With the scores s of a pair as probabilities and the prior p = 0.041 of any two proteins,

    .. math::
        s'_c = \max\left(0, \frac{s_c - p}{1 - p}\right), \quad
        s = p + (1 - p) \left(1 - \prod_c (1 - s'_c)\right),

    which is then cut to a whole number of thousandths. STRING also lowers co-occurrence and text mining for
    homologous proteins; the ``detailed`` files lack the homology, so that is left out here. A pair that none
    of the channels supports scores 0.

    Parameters
    ----------
    scores
        A column per channel, 0 to 1000.

    References
    ----------
    von Mering et al. (2005), STRING: known and predicted protein–protein associations, integrated and
    transferred across organisms, doi:10.1093/nar/gki005; https://string-db.org/help/faq/ ("How are the scores
    computed?").
    """
    without_prior = ((scores / 1000 - PRIOR) / (1 - PRIOR)).clip(lower=0)
    supported = 1 - (1 - without_prior).prod(axis=1)
    combined = np.floor(1000 * (PRIOR + (1 - PRIOR) * supported) + 1e-6)
    return combined.where(supported > 0, 0).astype("int32")


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
    check_info(path)
    with errors_naming(path), open_file(path) as file:
        table = pd.read_csv(
            file, sep="\t", skiprows=1, header=None, names=["id", "name"], usecols=[0, 1], dtype=str, **AS_IS
        )
    return table.drop_duplicates("id").set_index("id")["name"]


def parse_aliases(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a ``protein.aliases`` file: every name that STRING knows of a protein.

    Parameters
    ----------
    path
        The file, plain or gzip.

    Returns
    -------
    pandas.DataFrame
        ``protein`` (STRING id), ``alias`` and ``source`` (``"Ensembl_gene"``, …), all categorical. Versions
        before 12.0 name several sources at once, separated by spaces.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, damaged, a web page or has another header.
    """
    path = existing_file(path)
    check_aliases(path)
    names = ["protein", "alias", "source"]
    options = {"sep": "\t", "skiprows": 1, "header": None, "names": names, "usecols": [0, 1, 2], **AS_IS}
    with errors_naming(path), open_file(path) as file:
        return pd.read_csv(file, dtype="category", **options)


# ---- what a header must be ----


def check_links(*scores: str) -> Callable[[Path], None]:
    """Make a function that raises ValueError for a file that is no ``protein.links`` with these scores."""

    def check(path: Path) -> None:
        _links_header(read_header(path), path, scores or ("combined_score",))

    return check


def check_info(path: Path) -> None:
    """Raise ValueError for a file that is no ``protein.info``."""
    header = read_header(path).split("\t")
    first = header[0].lstrip("#")
    if first not in ("string_protein_id", "protein_external_id") or header[1:2] != ["preferred_name"]:
        raise ValueError(
            f"{path} is no protein.info file of STRING: its header is {' '.join(header)[:80]!r}, not "
            "'#string_protein_id preferred_name …'."
        )


def check_aliases(path: Path) -> None:
    """Raise ValueError for a file that is no ``protein.aliases``."""
    header = read_header(path).split("\t")
    # 11.0: '## string_protein_id ##', '## alias ##', '## source ##'
    if [field.strip("# ") for field in header[:3]] != ["string_protein_id", "alias", "source"]:
        raise ValueError(
            f"{path} is no protein.aliases file of STRING: its header is {' '.join(header)[:80]!r}, not "
            "'#string_protein_id alias source'."
        )


def _links_header(line: str, path: Path, scores: Sequence[str]) -> list[str]:
    header = line.split()
    if missing := [column for column in ("protein1", "protein2", *scores) if column not in header]:
        raise ValueError(
            f"{path} is no protein.links file of STRING: its header {' '.join(header)[:120]!r} lacks "
            f"{missing}."
        )
    return header


# ---- arguments ----


def check_min_score(min_score: int) -> None:
    """Raise ValueError for what is no score from 0 to 1000."""
    if isinstance(min_score, bool) or not isinstance(min_score, Real):
        raise ValueError(f"min_score={min_score!r} must be a number from 0 to 1000.")
    if 0 < min_score < 1:
        raise ValueError(
            f"min_score={min_score} looks like a score from 0 to 1, but those in STRING's files go from 0 to "
            f"1000; pass min_score={min_score * 1000:.0f}."
        )
    if not 0 <= min_score <= 1000:
        raise ValueError(f"min_score={min_score} is out of range; STRING's scores go from 0 to 1000.")


def check_channels(channels: Sequence[str] | None) -> tuple[str, ...]:
    """Return channels in STRING's spelling and order, none for None; ValueError for one that is unknown."""
    if channels is None:
        return ()
    asked = [channels] if isinstance(channels, str) else list(channels)
    spelled = {SPELLINGS.get(channel, channel) for channel in asked}
    if not spelled or spelled - set(CHANNELS):
        raise ValueError(f"channels={channels!r} must be some of {', '.join(CHANNELS)}.")
    return tuple(channel for channel in CHANNELS if channel in spelled)


def _kept(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop categories that no row is left of, so that memory goes with the rows kept."""
    ids = {name: rows[name].cat.remove_unused_categories() for name in ("protein1", "protein2")}
    return rows[["weight"]].assign(**ids)
