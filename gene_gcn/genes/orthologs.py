"""Tables of orthologs: which gene of one species is which of another. Letters: M and N genes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.names import gene_kind, match_names

__all__ = ["OrthologPairs", "check_pairs", "match_pairs"]

SMALLEST_FRACTION = 0.01  # of the genes of either side that a column must have; species share a few symbols


class OrthologPairs(NamedTuple):
    """Orthologs among the genes of two species, as positions.

    Attributes
    ----------
    query : ndarray of int, shape (P,)
        Positions among M genes.
    model : ndarray of int, shape (P,)
        Positions of their orthologs among N genes. A gene may be in several pairs, and no pair occurs twice.
    """

    query: np.ndarray
    model: np.ndarray


def check_pairs(orthologs: pd.DataFrame) -> pd.DataFrame:
    """Return the distinct pairs of names of a table of two columns, as columns ``old, new``.

    Raises
    ------
    ArgumentError
        If `orthologs` is not such a table.
    """
    if not isinstance(orthologs, pd.DataFrame) or orthologs.shape[1] != 2:
        got = getattr(orthologs, "shape", type(orthologs).__name__)
        raise ArgumentError(
            "orthologs",
            "orthologs must be a DataFrame of two columns, gene names of this network and of the other "
            f"organism; got {got}.",
        )
    pairs = orthologs.set_axis(["old", "new"], axis="columns").dropna()
    strings = pairs.map(lambda name: isinstance(name, str)).to_numpy()
    if not strings.all():
        wrong = pairs.to_numpy()[~strings][0]
        raise ArgumentError("orthologs", f"orthologs contains {wrong!r}; gene names must be strings.")
    return pairs[(pairs != "").all(axis=1)].drop_duplicates()


def match_pairs(table: pd.DataFrame, query: Sequence[str], model: Sequence[str]) -> OrthologPairs:
    """Find the orthologs between two lists of genes in a table with a row per pair.

    The table may name genes in several ways, such as by symbols and by Ensembl ids, and have other columns.
    The two columns are taken that name most genes of the two lists.

    Parameters
    ----------
    table : DataFrame
        Names as text, or whole numbers as Entrez's; missing ones are NaN.
    query, model : sequence of str
        M and N unique names, whose spelling may differ from the table's as `match_names` allows.

    Raises
    ------
    ArgumentError
        If no two columns name genes of both lists.
    """
    columns = [name for name in table if table[name].dtype.kind not in "fbc"]
    if len(columns) < 2:
        text = f"orthologs has {len(columns)} columns of names ({', '.join(map(str, columns))}) instead of "
        raise ArgumentError("orthologs", f"{text}two or more, one for each species.")
    found = {
        column: (_positions(table[column], query), _positions(table[column], model)) for column in columns
    }
    named = {column: [_count(positions) for positions in sides] for column, sides in found.items()}
    first, second = max(permutations(columns, 2), key=lambda pair: named[pair[0]][0] + named[pair[1]][1])
    for side, column, genes, whose in ((0, first, query, "X"), (1, second, model, "the model")):
        count = named[column][side]
        if count < max(1, SMALLEST_FRACTION * min(len(genes), len(table))):
            raise _not_named(genes, whose, count, named)
    pairs = np.stack([found[first][0], found[second][1]])
    pairs = np.unique(pairs[:, (pairs >= 0).all(axis=0)], axis=1)
    if not pairs.size:
        text = "orthologs has genes of X and genes of the model, but no pair of them in one row."
        raise ArgumentError("orthologs", text)
    return OrthologPairs(pairs[0], pairs[1])


def _positions(names: pd.Series, genes: Sequence[str]) -> np.ndarray:
    """Return the position of each name among genes, −1 where there is none."""
    codes, unique = pd.factorize(names)
    found = match_names(genes, [str(name) for name in unique])
    return np.append(found, -1)[codes]  # the code of missing names is −1


def _count(positions: np.ndarray) -> int:
    """Return how many genes were found."""
    return len(np.unique(positions[positions >= 0]))


def _not_named(genes: Sequence[str], whose: str, count: int, named: dict[str, list[int]]) -> ArgumentError:
    """Say that no column names the genes of one side, given how many genes of both each column names."""
    columns = list(named)
    best = [columns[np.argmax([counts[side] for counts in named.values()])] for side in (0, 1)]
    if best[0] == best[1] and all(named[best[0]]):
        text = (
            f"orthologs names the genes of X and those of the model in one column, {best[0]!r}, so they are "
        )
        return ArgumentError("orthologs", text, "of one species; leave out ", Argument("organism"), ".")
    text = f"orthologs has {count or 'none'} of the genes of {whose} ({gene_kind(genes)}: "
    few = f"{', '.join(genes[:3])}, …); its columns are {', '.join(map(str, named))}. "
    return ArgumentError("orthologs", text + few + "Are they the genes of these species?")
