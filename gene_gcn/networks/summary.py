"""What a network looks like in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from gene_gcn.networks.network import GeneNetwork

_QUARTILES = {"min": 0, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "max": 1}


def summarize(network: GeneNetwork) -> pd.Series:
    """Count genes, edges and components, see :meth:`GeneNetwork.summary`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    degree = network.degree
    connected = degree > 0
    rows, columns = network.arrays()["edge_index"]
    shape = (network.num_genes, network.num_genes)
    adjacency = coo_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    _, component = connected_components(adjacency, directed=False)
    sizes = np.bincount(component[connected], minlength=1)
    values = {
        "genes": network.num_genes,
        "connected genes": int(connected.sum()),
        "edges": network.num_edges,
        "components": int((sizes > 0).sum()),
        "largest component": int(sizes.max()),
    }
    weight = network.to_frame()["weight"].to_numpy(dtype=np.float64)
    for name, numbers in (("degree", degree[connected]), ("weight", weight)):
        for label, q in _QUARTILES.items():
            values[f"{name} {label}"] = round(float(np.quantile(numbers, q)), 4) if len(numbers) else np.nan
    return pd.Series(values, dtype=object, name=str(network.source or "") or None)
