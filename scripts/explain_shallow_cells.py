"""Contributions with STRING, where the model uses it: the example of docs/guide/explain.md.

python scripts/explain_shallow_cells.py DATA, where DATA holds cells/zheng_sorted_pbmc.h5ad and mirror/ with
the paths of the download hosts, which the script serves on this computer. A tenth of the counts is kept.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import anndata
import numpy as np
from _local_server import serve_string

from gene_gcn import GeneGCNClassifier, networks

NK, CYTOTOXIC = "CD56+ NK", "CD8+ Cytotoxic T"


def print_example(data: Path) -> None:
    """Print the genes and edges that make cells NK, how the logits come about, and what it costs."""
    adata = anndata.read_h5ad(data / "cells" / "zheng_sorted_pbmc.h5ad")
    counts = np.random.default_rng(0).binomial(adata.X.data.astype(int), 0.1)
    adata.X.data = counts.astype(np.float32)
    adata.X.eliminate_zeros()
    network, _ = networks.for_genes("string", list(adata.var_names), version="12.0")
    clf = GeneGCNClassifier(network, random_state=0).fit(adata, "cell_type")
    print(f"λ = {clf.mixing_.loc[0, 'global']:.3g}")

    start = time.process_time()
    explanation = clf.explain(adata)
    cells = np.flatnonzero(adata.obs["cell_type"] == NK)
    print(explanation.genes(NK, 5, cells=cells).round(2).to_string(index=False))
    print(explanation.edges(NK, 5, cells=cells).round(2).to_string(index=False))
    print(explanation.summary(cells).loc[[NK]].round(2).to_string())
    print(f"{adata.n_obs:,} cells in {time.process_time() - start:.2f} CPU seconds")
    against = clf.explain(adata, NK, CYTOTOXIC)
    print(against.genes(top=5, cells=cells).round(2).to_string(index=False))

    half = np.random.default_rng(0).random(adata.n_vars) < 0.5
    print("half of the genes:")
    print(clf.explain(adata[:, half].copy()).summary(cells).loc[[NK]].round(2).to_string())

    some = range(0, adata.n_obs, 75)
    sums = np.stack([explanation.summary(cell)["logit"] for cell in some])
    exact = explanation.logits.of(explanation.X[list(some)].toarray().astype(np.float64))
    print(f"largest gap to the logits: {np.abs(sums - exact).max():.1g}, of up to {np.abs(exact).max():.0f}")


def main() -> None:
    """Read the folder of data from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with cells/ and mirror/")
    options = parser.parse_args()
    with serve_string(options.data / "mirror"):
        print_example(options.data)


if __name__ == "__main__":
    main()
