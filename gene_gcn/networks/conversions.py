"""Genes and edges to and from tables, networkx graphs, PyG data and sparse tensors."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.networks.edge_arrays import Edges
from gene_gcn.networks.edge_columns import (
    EdgeColumns,
    are_by_position,
    checked_scores,
    choose_scores,
    find_edge_attribute,
    find_edge_columns,
    has_fractions,
    refuse_distances,
)

if TYPE_CHECKING:
    import networkx as nx
    import torch
    import torch_geometric

# ---- tables ----


def to_frame(genes: tuple[str, ...], edges: Edges) -> pd.DataFrame:
    """Return a table ``source, target, weight`` with a row per edge."""
    names = np.empty(len(genes), dtype=object)
    names[:] = genes
    return pd.DataFrame({"source": names[edges.low], "target": names[edges.high], "weight": edges.weight})


def from_frame(frame: pd.DataFrame) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    """Return the sorted genes of a table, edges as positions (2, E), and scores (E,) if there are any."""
    headings = list(frame.columns)
    columns = _edge_columns(frame, headings)
    chosen = [at for at in (columns.source, columns.target, columns.weight) if at is not None]
    source, target, *scores = (frame.iloc[:, at] for at in chosen)
    for column in (source, target):
        if missing := int(column.isna().sum()):
            text = f"column {column.name!r} has {missing:,} missing gene names; drop these rows first."
            raise ArgumentError("frame", text)
    genes, edge_index = _encode(source, target)
    if not scores:
        return genes, edge_index, None
    name = headings[chosen[2]]
    return (
        genes,
        edge_index,
        checked_scores(scores[0], lambda at: (source.iloc[at], target.iloc[at]), name, "frame"),
    )


def _edge_columns(frame: pd.DataFrame, headings: list[Hashable]) -> EdgeColumns:
    """Return the columns of both genes and, if there is one, of the score."""
    columns = find_edge_columns(headings, "frame", "the table")
    if are_by_position(headings, columns):
        if duplicates := [name for name in dict.fromkeys(headings) if headings.count(name) > 1]:
            text = f"the table has several columns named {duplicates}; column names must be unique."
            raise ArgumentError("frame", text)
        if len(headings) == 3:
            refuse_distances(headings[2], "frame", "the table")
        return EdgeColumns(0, 1, 2 if len(headings) == 3 else None)
    if columns is None:
        raise ArgumentError(
            "frame",
            f"the table has columns {headings}; name those of the edges 'source', 'target' and, if there are "
            "scores, 'weight', or pass only these two or three, in this order.",
        )
    return choose_scores(columns, headings, lambda at: _looks_like_scores(frame.iloc[:, at]), "The table")


def _looks_like_scores(column: pd.Series) -> bool:
    return is_numeric_dtype(column) and has_fractions(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _encode(source: pd.Series, target: pd.Series) -> tuple[list[str], np.ndarray]:
    """Return the sorted names in both columns and the positions of each row's two, shape (2, E)."""
    columns = [pd.Categorical(column) for column in (source, target)]
    names = np.concatenate([column.categories.to_numpy(dtype=object) for column in columns])
    used = np.zeros(len(names), dtype=bool)
    offsets = (0, len(columns[0].categories))
    codes = [column.codes.astype(np.int64) + offset for column, offset in zip(columns, offsets, strict=True)]
    for code in codes:
        used[code] = True
    for name in names[used]:
        if not isinstance(name, str) or not name:
            text = f"a gene is named {name!r}; every gene must be named by a non-empty string."
            raise ArgumentError("frame", text)
    genes = sorted(set(names[used]))
    position = np.full(len(names), -1, dtype=np.int64)
    position[used] = pd.Index(genes, dtype=object).get_indexer(names[used])
    return genes, np.stack([position[code] for code in codes])


# ---- networkx ----


def is_networkx_graph(graph: object) -> bool:
    """Return whether this looks like a networkx graph, without importing networkx."""
    return hasattr(graph, "is_directed") and hasattr(graph, "edges")


def to_networkx(genes: tuple[str, ...], edges: Edges) -> nx.Graph:
    """Return a graph of all genes with ``weight`` on each edge."""
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(genes)
    ends = ([genes[i] for i in side.tolist()] for side in (edges.low, edges.high))
    graph.add_weighted_edges_from(zip(*ends, edges.weight.tolist(), strict=True))
    return graph


def from_networkx(
    graph: nx.Graph, weight: str | None = "weight"
) -> tuple[list[Any], np.ndarray, np.ndarray | None]:
    """Return the nodes of a graph, edges as positions (2, E), and the attribute `weight` if edges have it."""
    nodes = list(graph.nodes)
    position = {node: i for i, node in enumerate(nodes)}
    edges = list(graph.edges(data=True))
    edge_index = np.array([[position[u], position[v]] for u, v, _ in edges], dtype=np.int64).reshape(-1, 2).T
    attributes = list(dict.fromkeys(str(name) for _, _, values in edges for name in values))
    if weight == "weight" and attributes and weight not in attributes:
        weight = find_edge_attribute(attributes)
    if weight is None or not attributes:
        return nodes, edge_index, None
    scores = [values.get(weight) for _, _, values in edges]
    if None in scores:
        lacking = f"{scores.count(None):,} of {len(scores):,} edges lack the attribute "
        remedy = "; set it on all of them" if any(score is not None for score in scores) else ""
        remedy = remedy or f"; choose one of {', '.join(attributes)}"
        none = Argument("weight", None)
        parts = (lacking, Argument("weight", weight), f"{remedy}, or pass ", none, " for 1 everywhere.")
        raise ArgumentError("weight", *parts)
    return nodes, edge_index, checked_scores(scores, lambda at: edges[at][:2], weight, "graph")


# ---- tensors ----


def to_data(
    genes: tuple[str, ...], edge_index: torch.Tensor, edge_weight: torch.Tensor
) -> torch_geometric.data.Data:
    """Return PyG data with `edge_index`, `edge_weight`, `num_nodes` and `genes`."""
    from torch_geometric.data import Data

    return Data(edge_index=edge_index, edge_weight=edge_weight, num_nodes=len(genes), genes=list(genes))


def to_csr(edge_index: np.ndarray, edge_weight: torch.Tensor, num_genes: int) -> torch.Tensor:
    """Return the (N, N) matrix of edges, sorted by (row, column), as a CSR tensor."""
    import torch

    from gene_gcn.nn.sparse import csr_tensor

    rows, columns = edge_index
    starts = np.zeros(num_genes + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=num_genes), out=starts[1:])
    parts = (torch.from_numpy(starts), torch.from_numpy(columns.copy()), edge_weight)
    return csr_tensor(*parts, (num_genes, num_genes))


def to_sparse_tensor(edge_index: torch.Tensor, edge_weight: torch.Tensor, num_genes: int) -> Any:
    """Return the (N, N) matrix of sorted edges, see :func:`to_csr`, as a ``torch_sparse.SparseTensor``."""
    try:
        from torch_sparse import SparseTensor
    except ImportError as error:
        raise ImportError(
            "to_sparse_tensor needs torch-sparse: pip install --no-build-isolation 'gene-gcn[sparse]'. "
            "Without it, adj_t is the same matrix as a torch.sparse_csr tensor."
        ) from error
    row, col = edge_index
    shape = (num_genes, num_genes)
    return SparseTensor(row=row, col=col, value=edge_weight, sparse_sizes=shape, is_sorted=True)
