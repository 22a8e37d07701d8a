"""Clusters of cells: Leiden communities of their nearest neighbors.

Reference: Traag, Waltman & van Eck (2019), doi:10.1038/s41598-019-41695-z.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

__all__ = ["leiden_clusters"]

N_NEIGHBORS = 15
RESOLUTION = 8.0  # many small clusters: those of one type vote alike, those of two do no harm
EXACT_CELLS = 100_000  # up to which all distances take no longer than compiling the approximate search
SEED = 0


def leiden_clusters(components: np.ndarray) -> np.ndarray:
    """Return the cluster of each cell, shape (B,): 0 to L − 1, the largest first.

    Parameters
    ----------
    components : ndarray, shape (B, R)
    """
    if len(components) < 3:
        return np.zeros(len(components), np.int64)
    import anndata
    import scanpy as sc

    neighbor = _nearest(np.ascontiguousarray(components, np.float32))
    cells = np.repeat(np.arange(len(neighbor)), neighbor.shape[1])
    directed = sparse.csr_matrix(
        (np.ones(neighbor.size, np.float32), (cells, neighbor.ravel())), (len(neighbor),) * 2
    )
    graph = (directed + directed.T).tocsr()
    graph.setdiag(0)
    graph.eliminate_zeros()
    holder = anndata.AnnData(shape=(len(components), 0))
    sc.tl.leiden(
        holder,
        RESOLUTION,
        adjacency=graph,
        flavor="igraph",
        directed=False,
        n_iterations=2,
        random_state=SEED,
    )
    found = holder.obs["leiden"].cat.codes.to_numpy()
    rank = np.argsort(np.argsort(-np.bincount(found), kind="stable"), kind="stable")
    return rank[found].astype(np.int64)


def _nearest(components: np.ndarray) -> np.ndarray:
    """Return the positions (B, n) of the nearest neighbors of each cell, itself among them."""
    count = min(N_NEIGHBORS + 1, len(components))
    if len(components) <= EXACT_CELLS:
        from sklearn.neighbors import NearestNeighbors

        search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(components)
        return np.asarray(search.kneighbors(components, return_distance=False))
    from pynndescent import NNDescent

    return np.asarray(NNDescent(components, n_neighbors=count, random_state=SEED, n_jobs=1).neighbor_graph[0])
