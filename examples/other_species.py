"""Annotate cells of another species: their genes are mapped to the model's by a table of orthologs."""

import pandas as pd
import scanpy as sc

from gene_gcn import GeneGCNClassifier

cells = sc.datasets.pbmc68k_reduced().raw.to_adata()  # human, log1p of 765 genes
reference, query = cells[::2].copy(), cells[1::2].copy()

# Human cells under the symbols of mice stand in for mice: scanpy ships none with such types.
query.var_names = [name.capitalize() for name in query.var_names]
orthologs = pd.DataFrame({"human": reference.var_names, "mouse": query.var_names})

clf = GeneGCNClassifier(random_state=0).fit(reference, "bulk_labels")
clf.annotate(query, organism="mouse", orthologs=orthologs)  # without a table, HCOP's is downloaded
print(f"accuracy {(query.obs['gene_gcn'].astype(str) == query.obs['bulk_labels'].astype(str)).mean():.3f}")
