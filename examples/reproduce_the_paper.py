"""The paper's experiments on the 700 blood cells of scanpy: `gene-gcn reproduce --quick` in Python.

Run it twice: finished runs are read from the folder.
"""

import scanpy as sc

from gene_gcn.benchmark import reproduce, reproduce_tables
from gene_gcn.benchmark.systems import paper_systems

experiment = reproduce.prepare(
    sc.datasets.pbmc68k_reduced(), "bulk_labels", "coexpression", seeds=range(2), use_raw=True
)
results = reproduce.run(experiment, paper_systems(), "reproduced", max_epochs=3)
summary = reproduce_tables.summarize(results)
print(summary[["system", "genes", "accuracy", "accuracy_sd", "paper"]].to_string())
conclusions = reproduce_tables.conclusions(results)
print(conclusions[["conclusion", "difference", "low", "high", "verdict"]].to_string())
