"""Annotate cells without a labeled one, from marker genes of their types."""

import pandas as pd
import scanpy as sc

import gene_gcn

cells = sc.datasets.pbmc68k_reduced().raw.to_adata()  # log1p of 765 genes

markers = {
    "B": ["CD79A", "CD79B", "MS4A1"],
    "NK": ["GNLY", "NKG7", "PRF1"],
    "T": {"positive": ["CD3D", "CD3E", "IL7R"], "negative": ["CD79A"]},
    "Monocyte": ["LYZ", "S100A8", "FCN1"],
    "Dendritic": ["FCER1A", "CST3", "CLEC10A"],
}

clf = gene_gcn.from_markers(markers, "coexpression", random_state=0).fit(cells)
print(clf.markers_.to_string(index=False))

clf.annotate(cells)
print(pd.crosstab(cells.obs["bulk_labels"], cells.obs["gene_gcn"]).to_string())
