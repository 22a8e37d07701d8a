"""How many known markers `explain_types` finds: the table of docs/explain.md.

python scripts/known_markers.py DATA, where DATA holds cells/*.h5ad.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import anndata

from gene_gcn import GeneGCNClassifier

# Well-known markers; where names or species differ, one of several genes counts.
MARKERS = {
    "B": ["MS4A1", "CD79A", "CD79B"],
    "T": ["CD3D", "CD3E", "IL7R"],
    "NK": ["NKG7", "GNLY", "KLRD1"],
    "CD14 monocyte": ["LYZ", "S100A8", "CD14"],
    "FCGR3A monocyte": ["FCGR3A", "MS4A7", "LST1"],
    "dendritic": ["FCER1A", "CST3", "HLA-DQA1"],
    "platelet": ["PPBP", "PF4", "GP9"],
    "alpha": ["GCG", "TTR", "LOXL4/ARX"],
    "beta": ["INS/INS1/INS2", "IAPP", "MAFA/PDX1"],
    "delta": ["SST", "RBP4", "HHEX"],
    "ductal": ["KRT19", "SPP1/SOX9", "CFTR"],
    "acinar": ["PRSS1", "CPA1", "CTRB1"],
}
# For each set the key of MARKERS of those labels that have one.
PANCREAS = {name: name for name in ("alpha", "beta", "delta", "ductal", "acinar")}
SETS = {
    "pbmc3k": {
        "B": "B",
        "Naive CD4 T": "T",
        "Memory CD4 T": "T",
        "CD8 T": "T",
        "NK": "NK",
        "CD14+ Mono": "CD14 monocyte",
        "FCGR3A+ Mono": "FCGR3A monocyte",
        "DC": "dendritic",
        "Platelet": "platelet",
    },
    "zheng_sorted_pbmc": {
        "CD19+ B": "B",
        "CD4+ T Helper2": "T",
        "CD4+/CD25 T Reg": "T",
        "CD4+/CD45RA+/CD25- Naive T": "T",
        "CD4+/CD45RO+ Memory": "T",
        "CD8+ Cytotoxic T": "T",
        "CD8+/CD45RA+ Naive Cytotoxic": "T",
        "CD56+ NK": "NK",
        "CD14+ Monocyte": "CD14 monocyte",
    },
    "baron_mouse_pancreas": PANCREAS | {"B_cell": "B", "T_cell": "T"},
    "panc8_small": PANCREAS,
}


def print_table(data: Path, top: int, merge: bool) -> None:
    """Print a Markdown row for each type: which of its markers are among the first genes, which are not."""
    print("| set | type | found | not found | not in the data |\n|---|---|---|---|---|")
    counts = []
    for name, keys in SETS.items():
        adata = anndata.read_h5ad(data / "cells" / f"{name}.h5ad")
        labels = adata.obs["cell_type"].astype(str)
        if merge:
            labels, keys = (
                labels.map(lambda label, keys=keys: keys.get(label, label)),
                {k: k for k in MARKERS},
            )
        clf = GeneGCNClassifier(random_state=0).fit(adata, labels)
        table = clf.explain_types(top=top)
        in_data = {gene.upper() for gene in adata.var_names}
        for label in (label for label in clf.classes_ if label in keys):
            chosen = table[(table["type"] == label) & (table["against"] == "others")]
            genes = {gene.upper() for gene in chosen["gene"]}
            known = MARKERS[keys[label]]
            found = [marker for marker in known if genes & {*marker.split("/")}]
            absent = [marker for marker in known if not in_data & {*marker.split("/")}]
            rest = [marker for marker in known if marker not in found + absent]
            counts.append((len(found), len(known) - len(absent)))
            print(f"| {name} | {label} | {' | '.join(', '.join(part) for part in (found, rest, absent))} |")
    for least in (1, 2):
        enough = sum(found >= least for found, _ in counts)
        print(f"{enough} of {len(counts)} types: {least} or more among the first {top}")
    print(f"{sum(f == k for f, k in counts)} of {len(counts)} types: all that are in the data")


def main() -> None:
    """Read the folder of data from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with cells/")
    parser.add_argument("--top", type=int, default=20, help="number of genes, by default 20")
    parser.add_argument("--merge", action="store_true", help="give types with the same markers one label")
    options = parser.parse_args()
    print_table(options.data, options.top, options.merge)


if __name__ == "__main__":
    main()
