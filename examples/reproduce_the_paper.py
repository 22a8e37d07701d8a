"""The paper's experiments on scanpy's 700 blood cells: what `gene-gcn reproduce --quick` does, in Python.

Run it twice: finished rows are read from the folder.
"""

import scanpy as sc

from gene_gcn.benchmark import reproduce

experiment = reproduce.prepare(
    sc.datasets.pbmc68k_reduced(), "bulk_labels", "coexpression", seeds=range(2), use_raw=True
)
results = reproduce.run(experiment, reproduce.paper_rows(), "reproduced", max_epochs=3)
print(reproduce.summarize(results)[["system", "genes", "accuracy", "accuracy_sd", "paper"]].to_string())
print(reproduce.conclusions(results)[["conclusion", "difference", "low", "high", "verdict"]].to_string())
