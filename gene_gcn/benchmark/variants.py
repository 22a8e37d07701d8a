"""Variants of our classifier: the default, and controls that show what a graph contributes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gene_gcn.cells import Normalizer, read_expression
from gene_gcn.networks import GeneNetwork

if TYPE_CHECKING:
    from anndata import AnnData

N_BINS = 50  # of genes with similar expression; a permutation stays inside them


def variants(network: GeneNetwork | None) -> dict[str, dict[str, Any]]:
    """Return the parameters of `GeneGCNClassifier` for each variant, the default first.

    Parameters
    ----------
    network : GeneNetwork, optional
        Without one, only the variant without a graph is returned.

    Returns
    -------
    dict of str to dict
        Parameters by name. A network that depends on the training cells is a function of them.
    """
    no_graph = {"no graph": {"network": None}}
    if network is None:
        return no_graph
    deep = {"attention": "embedded_dot", "hidden_channels": (128, 64)}
    return {
        "default: global graph": {"network": network},
        **no_graph,
        "network rewired": {"network": network.rewired(0)},
        "network permuted": {"network": partial(permuted_within_expression, network)},
        "individual graph, hidden layers": {"network": None, **deep},
        "both graphs, hidden layers": {"network": network, **deep},
    }


def permuted_within_expression(network: GeneNetwork, cells: AnnData, seed: int = 0) -> GeneNetwork:
    """Permute the genes of a network among genes with similar expression: a control.

    Graph and weights stay, and well-connected genes stay highly expressed; only who interacts with whom is
    lost. Genes are binned by their mean share of a cell's expression, into 50 bins of equal size.

    Parameters
    ----------
    network : GeneNetwork
    cells : AnnData
        Training cells, for the expression.
    seed : int

    Returns
    -------
    GeneNetwork
        On the genes of the cells.
    """
    expression = read_expression(cells)
    share = Normalizer.fit(expression).gene_share
    rank = np.empty(len(share), dtype=np.int64)
    rank[np.argsort(share, kind="stable")] = np.arange(len(share))
    assert expression.genes is not None  # an AnnData names its genes
    return network.align(expression.genes).permuted(seed, rank * N_BINS // len(share))
