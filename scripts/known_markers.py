"""How many known markers `explain_types` and two plain tests find: the table of docs/guide/explain.md.

python scripts/known_markers.py DATA, where DATA holds cells/*.h5ad.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scanpy as sc

from gene_gcn import GeneGCNClassifier
from gene_gcn.cells import Normalizer, read_expression

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


def by_model(adata: anndata.AnnData, labels: pd.Series, top: int) -> pd.DataFrame:
    """Return "type", "gene" and "stability" of the first genes of `explain_types` against all others."""
    table = GeneGCNClassifier(random_state=0).fit(adata, labels).explain_types(adata, labels, top=top)
    return table[table["against"] == "others"]


def normalized(adata: anndata.AnnData, labels: pd.Series) -> anndata.AnnData:
    """Return the expression that models see, with the "type" of each cell."""
    expression = read_expression(adata)
    X = Normalizer.fit(expression).transform(expression)
    return anndata.AnnData(X, pd.DataFrame({"type": labels.astype("category")}), adata.var[[]])


def by_t_test(adata: anndata.AnnData, labels: pd.Series, top: int) -> pd.DataFrame:
    """Return "type" and "gene" of the first genes of scanpy's t-test."""
    cells = normalized(adata, labels)
    sc.tl.rank_genes_groups(cells, "type", method="t-test", n_genes=top)
    return sc.get.rank_genes_groups_df(cells, None).rename(columns={"group": "type", "names": "gene"})


def by_effect_size(adata: anndata.AnnData, labels: pd.Series, top: int) -> pd.DataFrame:
    """Return "type" and "gene" by the distance to the mean of other types, over the deviation in types."""
    cells = normalized(adata, labels)
    statistics = sc.get.aggregate(cells, by="type", func=["mean", "var"])
    mean, types = statistics.layers["mean"], statistics.obs_names
    within = np.sqrt(statistics.layers["var"].mean(axis=0) + 1e-6)  # some genes do not vary
    effect = (mean - (mean.sum(axis=0) - mean) / (len(types) - 1)) / within
    first = np.argsort(-effect, axis=1, kind="stable")[:, :top]
    return pd.DataFrame({"type": np.repeat(types, top), "gene": cells.var_names[first.ravel()]})


METHODS = {"explain_types": by_model, "t-test": by_t_test, "effect size": by_effect_size}


def find(markers: list[str], genes: set[str]) -> list[str]:
    """Return the markers that are among genes in capitals."""
    return [marker for marker in markers if genes & {*marker.split("/")}]


def print_table(data: Path, top: int, merge: bool) -> None:
    """Print a Markdown row for each type: which of its markers are among the first genes, which are not."""
    print("| set | type | found | not found | not in the data |\n|---|---|---|---|---|")
    counts: dict[str, list[tuple[int, int]]] = {method: [] for method in METHODS}
    stability = []
    for name, keys in SETS.items():
        adata = anndata.read_h5ad(data / "cells" / f"{name}.h5ad")
        labels = adata.obs["cell_type"].astype(str)
        if merge:
            labels = labels.map(lambda label, keys=keys: keys.get(label, label))
            keys = {key: key for key in MARKERS}
        tables = {method: rank(adata, labels, top) for method, rank in METHODS.items()}
        in_data = {gene.upper() for gene in adata.var_names}
        for label in sorted(set(labels) & set(keys)):
            known = find(MARKERS[keys[label]], in_data)
            for method, table in tables.items():
                genes = table.loc[table["type"] == label, "gene"].str.upper()
                found = find(known, set(genes))
                counts[method].append((len(found), len(known)))
                if method == "explain_types":
                    rest = [marker for marker in known if marker not in found]
                    absent = [marker for marker in MARKERS[keys[label]] if marker not in known]
                    row = " | ".join(", ".join(part) for part in (found, rest, absent))
                    print(f"| {name} | {label} | {row} |")
                    is_known = genes.isin([gene for marker in found for gene in marker.split("/")])
                    stability += table.loc[is_known[is_known].index, "stability"].tolist()
    print_summary(counts, top)
    print(f"stability of the markers found: median {pd.Series(stability).median():.2f}, ", end="")
    print(f"1 for {sum(value == 1 for value in stability)} of {len(stability)}")


def print_summary(counts: dict[str, list[tuple[int, int]]], top: int) -> None:
    """Print how many types have one marker or more among the first genes, and so on, by each method."""
    for method, found in counts.items():
        n, total, known = len(found), sum(f for f, _ in found), sum(k for _, k in found)
        one, two = (sum(f >= least for f, _ in found) for least in (1, 2))
        every = sum(f == k for f, k in found)
        print(
            f"{method}: among the first {top} genes, one marker or more of {one} of {n} types, two or more of"
        )
        print(f"  {two}, all that are in the data of {every}; {total} of {known} markers")


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
