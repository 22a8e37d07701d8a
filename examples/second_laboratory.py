"""Name the cells of a second laboratory: other genes in another order, and values on another scale."""

import numpy as np
import scanpy as sc

from gene_gcn import GeneGCNClassifier

cells = sc.datasets.pbmc68k_reduced().raw.to_adata()  # log1p of 765 genes
first, second = cells[::2].copy(), cells[1::2].copy()

rng = np.random.default_rng(0)
second = second[:, rng.permutation(second.n_vars)[:600]].copy()  # 165 genes are missing
second.X = second.X.expm1()  # not logarithms

clf = GeneGCNClassifier("coexpression", random_state=0).fit(first, "bulk_labels")
clf.annotate(second)  # warns of the missing genes; the scale is told by itself
print(f"accuracy with all genes, logarithms              {clf.score(cells[1::2], 'bulk_labels'):.3f}")
print(f"the same cells, second laboratory                {clf.score(second, 'bulk_labels'):.3f}")
