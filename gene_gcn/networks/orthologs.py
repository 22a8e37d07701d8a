"""Edges between the genes of one organism as edges between their orthologs in another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.genes.names import check_gene_names
from gene_gcn.genes.organisms import find_organism
from gene_gcn.genes.orthologs import check_pairs
from gene_gcn.networks.edge_arrays import Edges, keep_largest, undirected


class OrthologousEdges(NamedTuple):
    """What :func:`map_to_orthologs` returns.

    Attributes
    ----------
    genes : tuple of str
        Genes of the other organism.
    edges : Edges
        Edges between them.
    num_mapped : int
        How many of the original genes have an ortholog.
    """

    genes: tuple[str, ...]
    edges: Edges
    num_mapped: int


def map_to_orthologs(
    genes: tuple[str, ...], edges: Edges, orthologs: pd.DataFrame, many: str
) -> OrthologousEdges:
    """Replace genes by their orthologs; see :meth:`GeneNetwork.to_organism`."""
    if many not in ("drop", "copy"):
        text = " is unknown; choose 'drop' (only one-to-one orthologs) or 'copy' (all of them)."
        raise ArgumentError("many", Argument("many", many), text)
    pairs = check_pairs(orthologs)
    own = pd.Index(genes, dtype=object)
    _check_direction(own, pairs, orthologs)
    if many == "drop":
        # Before genes outside the network are dropped: one of several orthologs must not become the only one.
        pairs = pairs[~pairs["old"].duplicated(keep=False) & ~pairs["new"].duplicated(keep=False)]
    pairs = pairs[pairs["old"].isin(own)]
    new_genes = check_gene_names(dict.fromkeys(pairs["new"]))
    old, new = own.get_indexer(pairs["old"]), pd.Index(new_genes, dtype=object).get_indexer(pairs["new"])
    return OrthologousEdges(new_genes, _copied(edges, old, new, len(new_genes)), pairs["old"].nunique())


def describe_orthologs(
    organism: str | int | None, column: object, many: str, origin: str | None, counts: str
) -> str:
    """Describe the organism of a mapped network, for its source.

    Parameters
    ----------
    organism : str or int, optional
        The other organism; by default `column`, the name of the column of its genes.
    column : object
    many : str
    origin : str, optional
        Organism of the original network.
    counts : str
        How many genes were mapped.
    """
    if organism is not None:
        name = str(find_organism(organism))
    else:
        try:
            name = str(find_organism(str(column)))
        except ArgumentError:
            name = str(column)
    kind = "one-to-one orthologs" if many == "drop" else "orthologs"
    return f"{name} by {kind}{f' of {origin}' if origin else ''} ({counts})"


def _check_direction(own: pd.Index, pairs: pd.DataFrame, orthologs: pd.DataFrame) -> None:
    """Refuse a table with the network's genes in the second column; a few symbols occur in both species."""
    first, second = (int(pairs[side].isin(own).sum()) for side in ("old", "new"))
    if first > second / 2:
        return
    old, new = orthologs.columns
    remedy = "name the network's genes as in the first column."
    if second:
        remedy = f"they are in the second column; pass orthologs[[{new!r}, {old!r}]]."
    raise ArgumentError(
        "orthologs",
        f"orthologs: the first column, {old!r} ({', '.join(pairs['old'].head(3))}…), contains "
        f"{first or 'none'} of the genes of this network ({', '.join(own[:3])}…): {remedy}",
    )


def _copied(edges: Edges, old: np.ndarray, new: np.ndarray, num_genes: int) -> Edges:
    """Connect every ortholog of one end of an edge to every ortholog of the other end."""
    names = pd.DataFrame({"old": old, "new": new})
    table = pd.DataFrame({"low": edges.low, "high": edges.high, "weight": edges.weight})
    for end in ("low", "high"):
        table = table.merge(names.set_axis([end, f"new_{end}"], axis="columns"), on=end)
    ends = table[["new_low", "new_high"]].to_numpy(dtype=np.int64).T
    # Two genes with the same ortholog would make a self-loop, which `undirected` drops.
    return keep_largest(undirected(ends, table["weight"].to_numpy(dtype=np.float32)), num_genes)
