"""Annotate cells of another laboratory, with other genes in another order and values on another scale."""

import numpy as np
import scanpy as sc

from gene_gcn import GeneGCNClassifier

cells = sc.datasets.pbmc68k_reduced().raw.to_adata()  # log1p of 765 genes
reference, query = cells[::2].copy(), cells[1::2].copy()

rng = np.random.default_rng(0)
query = query[:, rng.permutation(query.n_vars)[:600]].copy()  # 165 genes are missing
query.X = query.X.expm1()  # not logarithms

clf = GeneGCNClassifier("coexpression", random_state=0).fit(reference, "bulk_labels")
clf.annotate(query)  # warns about the missing genes; the scale is inferred
print(f"accuracy with all genes, logarithms              {clf.score(cells[1::2], 'bulk_labels'):.3f}")
print(f"the same cells as of another laboratory          {clf.score(query, 'bulk_labels'):.3f}")
