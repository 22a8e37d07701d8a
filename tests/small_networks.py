"""Small gene networks that several tests share."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from gene_gcn.networks import GeneNetwork, NetworkSource

GENES = ["TP53", "MDM2", "ACTB", "GAPDH"]


def small(**kwargs):
    return GeneNetwork(GENES, [[0, 1, 0], [1, 2, 2]], [900, 450, 225], **kwargs)


def random_network(num_genes=60, num_edges=300, seed=0):
    rng = np.random.default_rng(seed)
    return GeneNetwork(
        [f"G{i}" for i in range(num_genes)],
        rng.integers(0, num_genes, (2, num_edges)),
        rng.uniform(0.1, 5, num_edges),
        source=NetworkSource("made up"),
    )


def dense(network):
    return network.adj_t.to_dense().numpy()


@st.composite
def raw_edges(draw):
    num_genes = draw(st.integers(1, 8))
    node = st.integers(0, num_genes - 1)
    score = st.floats(1e-300, 1e300)
    edges = draw(st.lists(st.tuples(node, node, score), max_size=30))
    index = np.array([edge[:2] for edge in edges], dtype=np.int64).reshape(-1, 2).T
    return [f"G{i}" for i in range(num_genes)], index, [edge[2] for edge in edges]
