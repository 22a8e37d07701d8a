"""The numbers that describe a network."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gene_gcn.networks.edge_arrays import Edges

_QUARTILES = {"min": 0, "25 %": 0.25, "median": 0.5, "75 %": 0.75, "max": 1}


def summarize(edges: Edges, num_genes: int) -> pd.Series:
    """Count genes, edges and components; see :meth:`GeneNetwork.summary`."""
    ends = np.concatenate([edges.low, edges.high])
    degree = np.bincount(ends, minlength=num_genes)
    connected = degree > 0
    ones, shape = np.ones(len(edges.low)), (num_genes, num_genes)
    adjacency = coo_array((ones, (edges.low, edges.high)), shape=shape)
    _, component = connected_components(adjacency, directed=False)
    sizes = np.bincount(component[connected], minlength=1)
    values: dict[str, float] = {
        "genes": num_genes,
        "connected genes": int(connected.sum()),
        "edges": len(edges.low),
        "components": int((sizes > 0).sum()),
        "largest component": int(sizes.max()),
    }
    for name, numbers in (("degree", degree[connected]), ("weight", edges.weight.astype(np.float64))):
        for label, q in _QUARTILES.items():
            values[f"{name} {label}"] = round(float(np.quantile(numbers, q)), 4) if len(numbers) else np.nan
    return pd.Series(values, dtype=object)
