"""How closely integrated gradients sum to the logits, by their steps: the table of docs/guide/explain.md.

python scripts/integrated_gradients_steps.py DATA, where DATA holds cells/zheng_sorted_pbmc.h5ad and mirror/
with the paths of the download hosts, which the script serves on this computer. Models with STRING are trained
on 1,500 cells for 15 epochs; 16 other cells are explained.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import anndata
import numpy as np
from _local_server import serve_string

from gene_gcn import GeneGCNClassifier, networks
from gene_gcn.errors import ExplanationWarning

TYPE = "CD56+ NK"
MODELS = {
    "hidden layers": {"hidden_channels": (128, 64)},
    "and dot-product attention": {"hidden_channels": (128, 64), "attention": "embedded_dot"},
    "and additive attention": {"hidden_channels": (128, 64), "attention": "additive"},
}


def print_gaps(data: Path) -> None:
    """Print a row for each model and number of steps."""
    adata = anndata.read_h5ad(data / "cells" / "zheng_sorted_pbmc.h5ad")
    order = np.random.default_rng(0).permutation(adata.n_obs)
    training, query = adata[order[:1500]].copy(), adata[order[1500:1516]].copy()
    network, _ = networks.for_genes("string", list(adata.var_names), version="12.0")
    warnings.simplefilter("ignore", ExplanationWarning)
    for name, settings in MODELS.items():
        clf = GeneGCNClassifier(network, random_state=0, max_epochs=15, **settings)
        clf.fit(training, "cell_type")
        for n_steps in (8, 16, 32, 64):
            start = time.process_time()
            explanation = clf.explain(query, TYPE, n_steps=n_steps)
            gap = explanation.gap()[TYPE].abs().mean()
            seconds = (time.process_time() - start) / query.n_obs
            logits = [explanation.summary(cell).loc[TYPE] for cell in range(query.n_obs)]
            difference = np.mean([abs(row["logit"] - row["baseline"]) for row in logits])
            print(
                f"{name}, {n_steps} steps: gap {gap / difference:.2%}, {seconds:.3f} CPU s per cell",
                flush=True,
            )
        if clf.attention is not None:
            weight = explanation.attention("GNLY", 0, 1)["weight"].item()
            print(f"largest attention weight of GNLY in the first cell: {weight * adata.n_vars:.2f} / N")


def main() -> None:
    """Read the folder of data from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with cells/ and mirror/")
    options = parser.parse_args()
    with serve_string(options.data / "mirror"):
        print_gaps(options.data)


if __name__ == "__main__":
    main()
