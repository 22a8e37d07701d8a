"""Types under coarser types: probabilities summed upwards, and types that are only as fine as they are sure.

    python examples/cell_hierarchy.py

With cells of your own, `gene-gcn ontology cells.h5ad --label cell_type --out map.csv` finds terms of the Cell
Ontology, and `fit(cells, "cell_type", parents="map.csv")` takes what is above the types from there.
"""

from __future__ import annotations

import scanpy as sc

from gene_gcn import GeneGCNClassifier
from gene_gcn.ontology import hierarchical_scores

cells = sc.datasets.pbmc68k_reduced()
PARENTS = {
    "CD4+/CD25 T Reg": "CD4 T cell",
    "CD4+/CD45RA+/CD25- Naive T": "CD4 T cell",
    "CD4+/CD45RO+ Memory": "CD4 T cell",
    "CD8+ Cytotoxic T": "CD8 T cell",
    "CD8+/CD45RA+ Naive Cytotoxic": "CD8 T cell",
    "CD4 T cell": "T cell",
    "CD8 T cell": "T cell",
    "T cell": "lymphocyte",
    "CD19+ B": "lymphocyte",
    "CD56+ NK": "lymphocyte",
    "CD14+ Monocyte": "myeloid cell",
    "Dendritic": "myeloid cell",
    "CD34+": [],  # under the root only
}

reference, query = cells[::2].copy(), cells[1::2].copy()
clf = GeneGCNClassifier(use_raw=True, random_state=0).fit(reference, "bulk_labels", parents=PARENTS)
print(clf.hierarchy_)

for backoff in (False, True, 0.9):
    clf.annotate(query, backoff=backoff)
    found = query.obs["gene_gcn"].astype(str)
    scores = hierarchical_scores(query.obs["bulk_labels"], found, clf.hierarchy_)
    coarser = (~found.isin(clf.classes_)).mean()
    print(f"\nbackoff={backoff}: {coarser:.0%} of the cells are called by a coarser type")
    print({name: round(value, 3) for name, value in scores.items()})

print(query.obs["gene_gcn"].value_counts().to_string())
