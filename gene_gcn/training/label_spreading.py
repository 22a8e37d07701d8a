"""Label spreading: types of unlabeled cells from those of their nearest neighbors."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.nn.kernels import product
from gene_gcn.nn.sparse import csr_from_scipy


def spread_labels(
    codes: Tensor, target: Tensor, start: Tensor, n_neighbors: int = 15, iterations: int = 20
) -> Tensor:
    """Spread types over the symmetric graph of nearest neighbors.

    A cell takes half of its types from its neighbors, weighted by a Gaussian affinity, and half from where it
    started: its label, or a first guess. Given labels stay.

    Parameters
    ----------
    codes : Tensor, shape (cells, width)
        Coordinates of all cells, the labeled ones first.
    target : Tensor, shape (labeled cells, K)
        Their types, one-hot.
    start : Tensor, shape (other cells, K)
        Probabilities of types of the others: a first guess.

    Returns
    -------
    Tensor, shape (cells, K)
        Probabilities of types.

    References
    ----------
    Zhou et al. (2004), Learning with local and global consistency, NIPS 16.
    """
    # Takes a fifth of a second to load, which models without unlabeled cells should not cost.
    from sklearn.neighbors import NearestNeighbors

    labeled = len(target)
    start = torch.cat([target, start])
    count = min(n_neighbors, len(codes) - 1)
    neighbors = NearestNeighbors(n_neighbors=count).fit(codes.cpu().numpy())
    distance, neighbor = neighbors.kneighbors()  # a cell is not its own neighbor
    affinity = np.exp(-(distance**2) / np.median(distance[:, -1] ** 2).clip(min=1e-12))
    graph = sparse.csr_matrix(
        (affinity.ravel(), neighbor.ravel(), np.arange(0, distance.size + 1, count)),
        shape=(len(codes), len(codes)),
    )
    graph = graph.maximum(graph.T)
    inverse_root = sparse.diags_array(1 / np.sqrt(np.asarray(graph.sum(1)).ravel()))
    normalized = csr_from_scipy(sparse.csr_matrix(inverse_root @ graph @ inverse_root)).to(codes.device)
    spread = start
    for _ in range(iterations):
        spread = (product(normalized, spread.contiguous()) + start) / 2
    spread = spread / spread.sum(1, keepdim=True)
    spread[:labeled] = target
    return spread
