"""Small cells with the names that the documentation uses."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

# Of each type, genes that it alone expresses.
MARKERS = {
    "B": ["MS4A1", "CD79A", "CD79B", "CD19", "BANK1", "TCL1A"],
    "NK": ["GNLY", "NKG7", "GZMB", "PRF1", "KLRD1", "KLRF1"],
    "T": ["CD3D", "CD3E", "IL32", "CD2", "TRAC", "CD3G"],
    "CD4 T": ["CD4", "IL7R", "CCR7", "LEF1", "MAL", "TCF7"],
    "CD8 T": ["CD8A", "CD8B", "GZMK", "CCL5", "GZMH", "CST7"],
}
OTHERS = ["LYZ", "ACTB", "B2M", "MALAT1", "TP53", "MDM2", "FTL", "TMSB4X", "RPL3", "EEF1A1"]
GENES = [gene for genes in MARKERS.values() for gene in genes] + OTHERS
COARSE = {"B": "B cells", "NK": "NK cells", "T": "T cells", "CD4 T": "T cells", "CD8 T": "T cells"}


def make_blood(seed: int, n: int = 200) -> anndata.AnnData:
    """Counts of five types, of three donors, with clusters and a graph of neighbors."""
    rng = np.random.default_rng(seed)
    types = rng.permutation(np.arange(n) % len(MARKERS))
    own = np.arange(len(GENES)) // 6 == types[:, None]
    names = np.array(list(MARKERS), object)[types]
    cells = anndata.AnnData(
        sparse.csr_matrix(rng.poisson(np.where(own, 6.0, 1.0)).astype(np.float32)),
        obs=pd.DataFrame(
            {
                "cell_type": names,
                "coarse_type": [COARSE[name] for name in names],
                "lineage": ["B lineage" if name == "B" else "T lineage" for name in names],
                "donor": rng.choice(["donor1", "donor2", "donor3"], n),
                "leiden": types.astype(str),
            },
            index=[f"cell{i}" for i in range(n)],
        ),
        var=pd.DataFrame({"gene_ids": [f"ENSG{i:011d}" for i in range(len(GENES))]}, index=GENES),
    )
    cells.layers["counts"] = cells.X.copy()
    cells.obsm["X_umap"] = rng.normal(size=(n, 2))
    neighbors = sparse.csr_matrix(types[:, None] == types) * sparse.random(n, n, 0.2, rng=rng, format="csr")
    cells.obsp["spatial_connectivities"] = sparse.csr_matrix(neighbors + neighbors.T)
    return cells
