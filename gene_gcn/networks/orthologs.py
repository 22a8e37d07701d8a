"""A network of one organism under the names of another's orthologous genes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gene_gcn.genes.names import check_gene_names
from gene_gcn.genes.organisms import find_organism
from gene_gcn.networks.edge_arrays import largest_of_each
from gene_gcn.networks.source import NetworkSource

if TYPE_CHECKING:
    from gene_gcn.networks.network import GeneNetwork


def through_orthologs(
    network: GeneNetwork, orthologs: pd.DataFrame, organism: str | int | None = None, many: str = "drop"
) -> GeneNetwork:
    """Carry a network over to another organism, see :meth:`GeneNetwork.to_organism`."""
    if many not in ("drop", "copy"):
        raise ValueError(
            f"many={many!r} is unknown; choose 'drop' (one-to-one orthologs only) or 'copy' (all of them)."
        )
    pairs = _pairs(orthologs)
    own = pd.Index(network.genes, dtype=object)
    _check_direction(network, own, pairs, orthologs)
    if many == "drop":
        # Counted before genes outside the network go: what is one of many stays one of many.
        pairs = pairs[~pairs["old"].duplicated(keep=False) & ~pairs["new"].duplicated(keep=False)]
    pairs = pairs[pairs["old"].isin(own)]
    genes = check_gene_names(dict.fromkeys(pairs["new"]))
    source = _source(network, organism, orthologs.columns[1], many, pairs["old"].nunique())
    edges = _carried(network, pairs, genes)
    return network._with_edges(genes, *edges, source=source)


def _pairs(orthologs: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(orthologs, pd.DataFrame) or orthologs.shape[1] != 2:
        got = getattr(orthologs, "shape", type(orthologs).__name__)
        raise ValueError(
            f"orthologs must be a DataFrame of two columns, names in this network and names in the other "
            f"organism; got {got}."
        )
    pairs = orthologs.set_axis(["old", "new"], axis="columns").dropna()
    strings = pairs.map(lambda name: isinstance(name, str)).to_numpy()
    if not strings.all():
        wrong = pairs.to_numpy()[~strings][0]
        raise ValueError(f"orthologs holds {wrong!r}; names of genes must be strings.")
    return pairs[(pairs != "").all(axis=1)].drop_duplicates()


def _check_direction(
    network: GeneNetwork, own: pd.Index, pairs: pd.DataFrame, orthologs: pd.DataFrame
) -> None:
    """Refuse a table that does not name the network's genes first; a few symbols are alike in two species."""
    first, second = (int(pairs[side].isin(own).sum()) for side in ("old", "new"))
    if first > second / 2:
        return
    old, new = orthologs.columns
    remedy = "its genes must be named as in the first column."
    if second:
        remedy = f"its genes are in the second; pass orthologs[[{new!r}, {old!r}]]."
    raise ValueError(
        f"orthologs: the first column, {old!r} ({', '.join(pairs['old'].head(3))}…), names {first or 'none'} "
        f"of the genes of this network ({', '.join(network.genes[:3])}…): {remedy}"
    )


def _carried(
    network: GeneNetwork, pairs: pd.DataFrame, genes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each edge between every new name of one end and every new name of the other."""
    place = pd.Index(genes, dtype=object).get_indexer(pairs["new"])
    names = pd.DataFrame({"old": pairs["old"].to_numpy(), "at": place})
    edges = network.to_frame().merge(names.rename(columns={"old": "source"}), on="source")
    edges = edges.merge(names.rename(columns={"old": "target"}), on="target", suffixes=("", "_target"))
    ends = np.sort(edges[["at", "at_target"]].to_numpy(dtype=np.int64), axis=1).T
    keep = ends[0] < ends[1]  # two genes with one ortholog would be connected to themselves
    weight = edges["weight"].to_numpy(dtype=np.float32)[keep]
    return largest_of_each(*ends[:, keep], weight, len(genes))


def _source(
    network: GeneNetwork, organism: str | int | None, column: object, many: str, kept: int
) -> NetworkSource:
    if organism is not None:
        name = str(find_organism(organism))
    else:
        try:
            name = str(find_organism(str(column)))
        except ValueError:
            name = str(column)
    old = network.source or NetworkSource()
    kind = "one-to-one orthologs" if many == "drop" else "orthologs"
    origin = f" of {old.organism}" if old.organism else ""
    return replace(old, organism=f"{name} by {kind}{origin} ({kept:,} of {network.num_genes:,} genes)")
