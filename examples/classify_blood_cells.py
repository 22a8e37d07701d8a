"""Train on half of the 700 blood cells of scanpy, classify the other half, and compare with no network."""

import scanpy as sc

from gene_gcn import GeneGCNClassifier

cells = sc.datasets.pbmc68k_reduced()
train, query = cells[::2].copy(), cells[1::2].copy()

for name, clf in {
    "with network": GeneGCNClassifier("coexpression", use_raw=True, random_state=0),
    "no network": GeneGCNClassifier(None, use_raw=True, random_state=0),
}.items():
    clf.fit(train, "bulk_labels")
    print(f"{name:<13} accuracy on {query.n_obs} cells: {clf.score(query, 'bulk_labels'):.3f}")
