"""Which columns of a table of edges are the genes and the scores, and whether the scores can be used."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError, NetworkWarning, warn

# Headings as plain_heading() returns them. The first pair that a table has is used: names before ids.
GENE_PAIRS = (
    ("sourcegenesymbol", "targetgenesymbol"),  # OmniPath, whose source and target are UniProt ids
    ("preferrednamea", "preferrednameb"),  # STRING's service
    ("source", "target"),
    ("node1", "node2"),  # STRING's website
    ("from", "to"),  # R: igraph, STRINGdb
    ("fromnode", "tonode"),  # R: WGCNA
    ("protein1", "protein2"),
    ("gene1", "gene2"),
    ("genea", "geneb"),
    ("entity1", "entity2"),  # GeneMANIA
    ("participanta", "participantb"),  # Pathway Commons
    ("tf", "target"),
    ("regulator", "target"),
)
STRING_SCORE = "combinedscore"
# Other headings of scores. A column is used under one of these, and a warning says so.
OTHER_SCORES = (
    "score",
    "scores",
    "weights",
    "edgeweight",
    "confidence",
    "confidencescore",
    "interactionscore",
    "importance",
    "correlation",
    "probability",
    "strength",
    "similarity",
)
# Headings of numbers that are small where genes are close, the opposite of scores.
DISTANCES = (
    *("pval", "pvalue", "padj", "adjpval", "adjpvalue", "pvaladj", "pvalueadj", "adjustedpvalue"),
    *("fdr", "qval", "qvalue", "evalue", "distance", "dist", "rank"),
)
LARGEST_STRING_SCORE = 1000


class EdgeColumns(NamedTuple):
    """Positions of columns in a table.

    Attributes
    ----------
    source, target : int
    weight : int or None
        None if no column is known to contain scores.
    is_guess : bool
        Whether `weight` was chosen by a heading that others use for something else.
    others : tuple of int
        Columns that are none of these, if every edge weighs 1.
    """

    source: int
    target: int
    weight: int | None = None
    is_guess: bool = False
    others: tuple[int, ...] = ()


def plain_heading(heading: Hashable) -> str:
    """Return the letters and digits of a heading in lower case."""
    return re.sub(r"[^a-z0-9]", "", str(heading).lower())


def find_edge_columns(headings: Sequence[Hashable], argument: str, where: str) -> EdgeColumns | None:
    """Find the columns of genes and scores by their headings; return None if no pair of genes is found.

    Raises
    ------
    ArgumentError
        If several columns could be the scores, or have the same heading.
    """
    plain = [plain_heading(heading) for heading in headings]
    pair = next((pair for pair in GENE_PAIRS if set(pair) <= set(plain)), None)
    if pair is None:
        return None
    source, target = (_only(headings, plain, name, argument, where) for name in pair)
    if pair == GENE_PAIRS[0] and {"source", "target"} <= set(plain):
        text = f"{where} names genes by {headings[source]} and {headings[target]}, so these are used as the "
        warn(NetworkWarning(f"{text}gene names, not source and target."))
    for name in ("weight", STRING_SCORE):
        if name in plain:
            return EdgeColumns(source, target, _only(headings, plain, name, argument, where))
    found = [at for at, name in enumerate(plain) if name in OTHER_SCORES]
    if len(found) > 1:
        names = ", ".join(str(headings[at]) for at in found)
        text = f"{where} has several columns that can be scores ({names}); rename the right one to weight."
        raise ArgumentError(argument, text)
    if found:
        return EdgeColumns(source, target, found[0], is_guess=True)
    ids = {name for names in GENE_PAIRS for name in names}
    # R writes names of rows under no heading, which pandas reads as "Unnamed: 0".
    ignored = {name for name in plain if re.fullmatch(r"(unnamed\d+)?", name)} | ids
    others = [at for at, name in enumerate(plain) if at not in (source, target) and name not in ignored]
    return EdgeColumns(source, target, others=tuple(others))


def _only(headings: Sequence[Hashable], plain: list[str], name: str, argument: str, where: str) -> int:
    """Return the position of the column of this heading; of several, of the one that is spelled like it."""
    found = [at for at, heading in enumerate(plain) if heading == name]
    exact = [at for at in found if headings[at] == name]
    if len(exact) == 1 or len(found) == 1:
        return (exact or found)[0]
    duplicates = list(dict.fromkeys(headings[at] for at in exact or found))
    text = f"{where} has several columns named {duplicates}; column names must be unique."
    raise ArgumentError(argument, text)


def are_by_position(headings: Sequence[Hashable], columns: EdgeColumns | None) -> bool:
    """Return whether the columns of a table are source, target and, if there are three, score, in this order.

    So they are in tables of two or three columns, unless their headings say otherwise.
    """
    if len(headings) not in (2, 3):
        return False
    if columns is None:
        return True
    named = {plain_heading(headings[at]) for at in (columns.source, columns.target)}
    return {columns.source, columns.target} == {0, 1} and named != {"source", "target"}


def choose_scores(
    columns: EdgeColumns, headings: Sequence[Hashable], is_score: Callable[[int], bool], where: str
) -> EdgeColumns:
    """Take the only other column for the scores if it looks like them; warn of guesses and of weights 1."""
    only = columns.others[0] if columns.weight is None and len(columns.others) == 1 else None
    if only is not None and plain_heading(headings[only]) not in DISTANCES and is_score(only):
        columns = columns._replace(weight=columns.others[0], is_guess=True, others=())
    if columns.weight is not None and columns.is_guess:
        text = f"{where}: the scores are read from the column {str(headings[columns.weight])!r}, which is a "
        warn(NetworkWarning(f"{text}guess; rename it to weight if it is right, or else drop it."))
    if columns.others:
        names = ", ".join(str(headings[at]) for at in columns.others[:5])
        more = ", …" if len(columns.others) > 5 else ""
        warn(
            NetworkWarning(
                f"{where}: every edge weighs 1, because no column is known to contain scores (it has "
                f"{names}{more} besides the genes); if one does, rename it to weight."
            )
        )
    return columns


def checked_scores(
    scores: Sequence[object] | np.ndarray | pd.Series,
    ends: Callable[[int], tuple[object, object]],
    name: Hashable,
    argument: str,
    where: str = "",
) -> np.ndarray:
    """Return scores as a float64 array, all of them positive and finite, those of STRING at most 1000.

    Parameters
    ----------
    scores : sequence, shape (E,)
    ends : callable
        Returns the names of the two genes of a row, for messages.
    name : hashable
        Heading of the scores.
    argument : str
        Argument that contains them.
    where : str
        Context, to begin a message with.

    Raises
    ------
    ArgumentError
        If a score is not a number or out of range. The message names the row, counted from 1, and its genes.
    """
    largest = LARGEST_STRING_SCORE if plain_heading(name) == STRING_SCORE else np.inf
    try:
        values = np.asarray(scores, dtype=np.float64)
        text = ""
    except (TypeError, ValueError):
        listed = list(scores)
        at = next(at for at, score in enumerate(listed) if not is_number(score))
        text = f"is {listed[at]!r:.40}, which is not a number; correct or omit this edge."
    else:
        wrong = ~(np.isfinite(values) & (values > 0) & (values <= largest))
        reason = "scores must be positive and finite; omit such edges."
        if (values[wrong] < 0).any():
            reason = f"{reason[:-1]}, or take absolute values if signs are directions of regulation."
        if not wrong.any():
            wrong = (values < 1) & (largest < np.inf) & (values.max(initial=0) > 1)
            reason = "others are above 1: bring all scores of STRING to one scale, 0 to 1 or 0 to 1,000."
        if not wrong.any():
            return values
        at = int(np.argmax(wrong))
        if values[at] > largest and np.isfinite(values[at]):
            reason = f"STRING's scores go up to {largest:,}; the file may be damaged."
        text = f"is {values[at]:g}, but {reason}"
    first, second = ends(at)
    raise ArgumentError(argument, f"{where}row {at + 1:,} ({first}, {second}): {name} {text}")


def refuse_distances(heading: Hashable, argument: str, where: str) -> None:
    """Raise ArgumentError if the column of scores has, by its heading, p-values or distances."""
    if plain_heading(heading) in DISTANCES:
        text = f"{where}: {str(heading)!r} is small where genes are close, but scores must be large there; "
        raise ArgumentError(argument, f"{text}convert it to scores and rename it to weight, or drop it.")


def is_number(value: object) -> bool:
    """Return whether a value can be a number, such as text from a file."""
    try:
        float(value)  # type: ignore[arg-type]  # that is the question
    except (TypeError, ValueError):
        return False
    return True


def has_fractions(values: np.ndarray) -> bool:
    """Return whether numbers look like scores: not all whole, as flags, counts and numbers of papers are."""
    return bool((np.isfinite(values) & (values % 1 != 0)).any())


# ---- networkx ----


def find_edge_attribute(attributes: Sequence[str]) -> str | None:
    """Return the attribute of a graph's edges that contains scores; None, with a warning, if none is known.

    Raises
    ------
    ArgumentError
        If several could be.
    """
    found = [name for name in attributes if plain_heading(name) in ("weight", STRING_SCORE)]
    found = found or [name for name in attributes if plain_heading(name) in OTHER_SCORES]
    choose = Argument("weight", found[0] if found else attributes[0])
    if len(found) > 1:
        text = (
            f"the edges have several attributes that can be scores ({', '.join(found)}); choose one, as in "
        )
        raise ArgumentError("weight", text, choose, ".")
    if not found:
        text = (
            f"Every edge weighs 1, because no attribute of the edges ({', '.join(attributes[:5])}) is known "
        )
        warn(NetworkWarning(f"{text}to contain scores; if one does, choose it, as in ", choose, "."))
        return None
    if plain_heading(found[0]) in OTHER_SCORES:
        text = (
            f"The scores are read from the edges' attribute {found[0]!r}, which is a guess; to say so, pass "
        )
        warn(NetworkWarning(text, choose, "."))
    return found[0]
