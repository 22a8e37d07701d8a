"""Subnetworks of types in STRING, and edges that tell two apart: the examples of docs/guide/explain.md.

python scripts/explain_subnetworks.py DATA, where DATA holds cells/zheng_sorted_pbmc.h5ad and mirror/ with the
paths of the download hosts, which the script serves on this computer.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from _local_server import serve_string

from gene_gcn import GeneGCNClassifier, networks
from gene_gcn.explain import Explanation

NK, CYTOTOXIC = "CD56+ NK", "CD8+ Cytotoxic T"
TYPES = [NK, "CD19+ B", "CD14+ Monocyte", "CD34+", CYTOTOXIC]


def print_subnetworks(explanation: Explanation, n_permutations: int) -> None:
    """Print how large the subnetworks of types are, beside the bound and the controls."""
    for exclude in (0.95, 0.0):
        for name in TYPES:
            start = time.process_time()
            found = explanation.subnetwork(
                name, exclude=exclude, n_permutations=n_permutations if exclude else 0
            )
            spent = time.process_time() - start
            print(f"exclude {exclude}: {found}; gap {found.gap:.2f}; {spent:.0f} CPU seconds")
            connectors = found.genes["gene"][found.genes["is_connector"]]
            print(f"  {', '.join(found.genes['gene'][:12])}; connectors: {', '.join(connectors) or 'none'}")


def print_differing_edges(explanation: Explanation, labels: pd.Series) -> None:
    """Print edges that differ between NK and cytotoxic T cells, and between halves of the NK cells."""
    edges = explanation.differing_edges(NK, CYTOTOXIC, labels=labels)
    differs, known = edges["fdr"] < 0.05, edges["known"]
    print(f"{len(edges):,} edges, {known.sum():,} known")
    print(f"{differs.sum()} differ, {(differs & known).sum()} known")
    print(edges.head(8).round(4).to_string(index=False))
    cells = np.flatnonzero(labels == NK)
    halves = np.full(len(labels), "none", dtype=object)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(cells)
        halves[order[: len(cells) // 2]], halves[order[len(cells) // 2 :]] = NK, CYTOTOXIC
        null = explanation.differing_edges(NK, CYTOTOXIC, labels=halves)
        print(
            f"halves of NK: p < 0.05 in {np.mean(null['p'] < 0.05):.3f}, {(null['fdr'] < 0.05).sum()} differ"
        )


def main() -> None:
    """Read the folder of data from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with cells/ and mirror/")
    parser.add_argument("--permutations", type=int, default=39, help="networks of each control")
    options = parser.parse_args()
    adata = anndata.read_h5ad(options.data / "cells" / "zheng_sorted_pbmc.h5ad")
    with serve_string(options.data / "mirror"):
        network, _ = networks.for_genes("string", list(adata.var_names), version="12.0")
    clf = GeneGCNClassifier(network, random_state=0).fit(adata, "cell_type")
    print(f"λ = {clf.mixing_.loc[0, 'global']:.3g}; {network}")
    explanation = clf.explain(adata)
    print_differing_edges(explanation, adata.obs["cell_type"])
    print_subnetworks(explanation, options.permutations)


if __name__ == "__main__":
    main()
