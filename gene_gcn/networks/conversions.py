"""Genes and edges to and from tables, networkx graphs, PyG data and sparse tensors."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.networks.edge_arrays import Edges

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
    names = _edge_columns(list(frame.columns))
    for name in names[:2]:
        if missing := int(frame[name].isna().sum()):
            text = f"column {name!r} has {missing:,} missing gene names; drop these rows first."
            raise ArgumentError("frame", text)
    genes, edge_index = _encode(frame[names[0]], frame[names[1]])
    if len(names) == 2:
        return genes, edge_index, None
    try:
        return genes, edge_index, frame[names[2]].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        text = f"column {names[2]!r} must contain the scores, but is not numeric: {error}"
        raise ArgumentError("frame", text) from error


def _edge_columns(columns: list[Hashable]) -> list[Hashable]:
    """Return the columns of both genes and, if there is one, of the score."""
    if "source" in columns and "target" in columns:
        names: list[Hashable] = ["source", "target", *(["weight"] if "weight" in columns else [])]
    elif len(columns) in (2, 3):
        names = columns
    else:
        raise ArgumentError(
            "frame",
            f"the table has columns {columns}; name those of the edges 'source', 'target' and, if there are "
            "scores, 'weight', or pass only these two or three, in this order.",
        )
    if duplicates := [name for name in dict.fromkeys(names) if columns.count(name) > 1]:
        text = f"the table has several columns named {duplicates}; column names must be unique."
        raise ArgumentError("frame", text)
    return names


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
) -> tuple[list[Any], np.ndarray, list[Any] | None]:
    """Return the nodes of a graph, edges as positions (2, E), and the attribute `weight` if edges have it."""
    nodes = list(graph.nodes)
    position = {node: i for i, node in enumerate(nodes)}
    edges = [(position[u], position[v], score) for u, v, score in graph.edges(data=weight or "weight")]
    edge_index = np.array([edge[:2] for edge in edges], dtype=np.int64).reshape(-1, 2).T
    if weight is None:
        return nodes, edge_index, None
    scores = [edge[2] for edge in edges]
    if None in scores:
        if any(score is not None for score in scores):
            raise ArgumentError(
                "weight",
                f"{scores.count(None):,} of {len(scores):,} edges lack the attribute ",
                Argument("weight", weight),
                "; set it on all of them, or pass ",
                Argument("weight", None),
                " for 1 everywhere.",
            )
        return nodes, edge_index, None
    return nodes, edge_index, scores


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
