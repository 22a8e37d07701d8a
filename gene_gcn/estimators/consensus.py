"""Consensus of a query's cells: over a column of obs, a graph in obsp, or clusters of their components."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.uncertainty import (
    ClusterVotes,
    cluster_consensus,
    cluster_votes,
    leiden_clusters,
    neighbor_consensus,
    neighbor_shares,
)

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["OWN_CLUSTERS", "Clusters", "Neighbors", "find_clusters", "read_over"]

OWN_CLUSTERS = "clusters"


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of cells.

    Attributes
    ----------
    cluster : ndarray of int, shape (B,)
        0 to L − 1; −1 for cells of no cluster.
    names : list of str, length L
    are_own : bool
        Whether they were found here and not given by the user.
    """

    cluster: np.ndarray
    names: list[str]
    are_own: bool = False

    def consensus(self, probability: np.ndarray, votes: np.ndarray) -> np.ndarray:
        """Return probabilities (B, K) after the consensus of the cells that vote, a mask (B,)."""
        return cluster_consensus(probability, np.where(votes, self.cluster, -1))

    def votes(self, name: np.ndarray, name_before: np.ndarray) -> ClusterVotes:
        """Count the names (B,) in each cluster."""
        return cluster_votes(name, name_before, self.cluster)


@dataclass(frozen=True, eq=False)
class Neighbors:
    """A graph of neighbors.

    Attributes
    ----------
    graph : csr_matrix, shape (B, B)
        Weights from 0 to 1, zero on the diagonal.
    """

    graph: sparse.csr_matrix

    def consensus(self, probability: np.ndarray, votes: np.ndarray) -> np.ndarray:
        """Return probabilities (B, K) after the consensus of the cells that vote, a mask (B,)."""
        inside = np.flatnonzero(votes)
        result = probability.astype(np.float32)
        result[inside] = neighbor_consensus(probability[inside], self.graph[inside][:, inside])
        return result

    def shares(self, name: np.ndarray) -> np.ndarray:
        """Return the fraction (B,) of the neighbors of each cell that have its name (B,)."""
        return neighbor_shares(name, self.graph)


def read_over(adata: AnnData, over: str) -> Clusters | Neighbors | None:
    """Read the clusters or neighbors that `over` names; None for clusters that are still to be found.

    Raises
    ------
    ArgumentError
        `over` is neither a column of obs, nor a graph in obsp, nor "clusters", or holds what is none; or
        clusters are to be found without the libraries for it.
    """
    if isinstance(over, str) and over in adata.obs:
        return _read_clusters(adata.obs[over], over)
    if isinstance(over, str) and over in adata.obsp:
        return _read_graph(adata.obsp[over], over)
    if not isinstance(over, str) or over != OWN_CLUSTERS:
        graphs = f" or .obsp ({', '.join(adata.obsp)})" if len(adata.obsp) else " or .obsp"
        columns = [str(name) for name in adata.obs if _may_be_clusters(adata.obs[name])]
        found = f" Columns with few values, which it could be: {columns or 'none'}."
        text = (" is not in .obs", graphs, "; to find clusters, pass ", Argument("over", OWN_CLUSTERS), ".")
        raise ArgumentError("over", Argument("over", over), *text, found)
    _check_libraries(adata.n_obs)
    return None


def find_clusters(components: np.ndarray) -> Clusters:
    """Find the clusters of cells by their components (B, R)."""
    cluster = leiden_clusters(components)
    return Clusters(cluster, [str(index) for index in range(int(cluster.max(initial=-1)) + 1)], are_own=True)


def _check_libraries(n_cells: int) -> None:
    from gene_gcn.uncertainty.clusters import EXACT_CELLS

    needed = ["igraph"] if n_cells <= EXACT_CELLS else ["igraph", "pynndescent"]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        names = " and ".join(missing)
        remedy = "pip install 'gene-gcn[clusters]', or name a column of .obs that holds clusters."
        text = f" needs {names}, which cannot be imported here; {remedy}"
        raise ArgumentError("over", Argument("over", OWN_CLUSTERS), text)


def _read_clusters(values: pd.Series | pd.DataFrame, over: str) -> Clusters:
    if isinstance(values, pd.DataFrame):
        text = f" names {values.shape[1]} columns of .obs; rename all but one of them."
        raise ArgumentError("over", Argument("over", over), text)
    if pd.api.types.is_float_dtype(values) and not (values.dropna() % 1 == 0).all():
        text = " holds fractional numbers, not clusters; pass a column with the cluster of each cell."
        raise ArgumentError("over", Argument("over", over), text)
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.cat.remove_unused_categories()
        return Clusters(values.cat.codes.to_numpy(np.int64), [str(name) for name in values.cat.categories])
    codes, names = pd.factorize(values)
    return Clusters(codes.astype(np.int64), [str(name) for name in names])


def _may_be_clusters(values: pd.Series | pd.DataFrame) -> bool:
    is_column = isinstance(values, pd.Series) and not pd.api.types.is_float_dtype(values)
    return is_column and 1 < values.nunique() <= max(2, min(200, len(values) // 2))


def _read_graph(matrix: object, over: str) -> Neighbors:
    graph = sparse.csr_matrix(matrix, dtype=np.float64)
    graph.setdiag(0)
    graph.eliminate_zeros()
    wrong = not np.isfinite(graph.data).all() or (graph.data < 0).any()
    if wrong or "distance" in over:  # what scanpy and squidpy call it
        what = "has weights that are negative or not finite" if wrong else "holds distances"
        text = f" {what}; pass a graph with larger weights for nearer cells, such as "
        better = Argument("over", "connectivities")
        raise ArgumentError("over", Argument("over", over), text, better, ".")
    if graph.nnz:
        graph.data /= graph.data.max()
    return Neighbors(graph)
