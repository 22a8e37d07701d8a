"""What agreeing over clusters and neighbors gains and costs: docs/benchmarks/clusters.md.

python scripts/consensus_gains.py CELLS.h5ad … compares macro-F1 of cells alone, of consensus and of majority
votes, at all and at a tenth of the counts: models are trained on half of the cells or on ten of each type,
with three seeds. python scripts/consensus_gains.py --cost measures seconds on simulated cells.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import scanpy as sc
from sklearn.metrics import f1_score

from gene_gcn import GeneGCNClassifier
from gene_gcn.benchmark.splits import downsample, few_labels, labeled_cells, without_rare_types
from gene_gcn.uncertainty import cluster_consensus, cluster_votes, leiden_clusters

SEEDS = range(3)
LABELS = {"half": 10**9, "10 per type": 10}  # few_labels trains on at most half of the cells of a type
DEPTHS = (1.0, 0.1)
OVER = {"found": "clusters", "Leiden": "leiden", "neighbors": "connectivities"}
PURE = 0.7


def compare(path: Path) -> Iterator[dict[str, object]]:
    """Yield the macro-F1 of each way to name the cells of a set, for each split and depth."""
    cells = without_rare_types(labeled_cells(anndata.read_h5ad(path), "cell_type"), "cell_type")
    y = cells.obs["cell_type"].to_numpy(str)
    for labels, per_type in LABELS.items():
        for seed, (train, test) in enumerate(few_labels(y, per_type, SEEDS)):
            clf = GeneGCNClassifier(random_state=0).fit(cells[train].copy(), "cell_type")
            for depth in DEPTHS:
                query = downsample(cells[test], depth, seed) if depth < 1 else cells[test].copy()
                add_usual_clusters(query)
                yield {"set": path.stem, "labels": labels, "depth": depth, **scores(clf, query)}


def add_usual_clusters(query: anndata.AnnData) -> None:
    """Write obs["leiden"] and obsp["connectivities"] by scanpy's usual steps."""
    usual = query.copy()
    sc.pp.normalize_total(usual)
    sc.pp.log1p(usual)
    sc.pp.highly_variable_genes(usual, n_top_genes=2000)
    sc.pp.pca(usual, n_comps=30)
    sc.pp.neighbors(usual, transformer="sklearn")
    sc.tl.leiden(usual, flavor="igraph", directed=False, n_iterations=2, random_state=0)
    query.obs["leiden"] = usual.obs["leiden"]
    query.obsp["connectivities"] = usual.obsp["connectivities"]


def scores(clf: GeneGCNClassifier, query: anndata.AnnData) -> dict[str, float]:
    """Return macro-F1 in percent, and how many mixed clusters are called heterogeneous."""
    true = query.obs["cell_type"]
    result = {}
    for name, over in OVER.items():
        clf.annotate(query, over=over)
        alone, made = query.obs["gene_gcn_cell"].astype(str), query.uns["gene_gcn"]
        result["alone"] = macro_f1(true, alone)
        result[f"consensus: {name}"] = macro_f1(true, query.obs["gene_gcn"].astype(str))
        if "clusters" in made:
            cluster = query.obs[made["over"]]
            vote = alone.groupby(cluster, observed=True).agg(lambda names: names.value_counts().idxmax())
            result[f"majority: {name}"] = macro_f1(true, cluster.map(vote).astype(str))
            purity = true.groupby(cluster, observed=True).agg(
                lambda t: t.value_counts(normalize=True).iloc[0]
            )
            called = made["clusters"]["heterogeneous"][purity.index.astype(str)].to_numpy()
            mixed = (purity < PURE).to_numpy()
            counts = {"mixed": mixed, "called": called, "both": mixed & called}
            result |= {f"{name} {key}": float(mask.sum()) for key, mask in counts.items()}
    return result


def macro_f1(true: pd.Series, named: pd.Series) -> float:
    """Return macro-F1 in percent, over the types that are there."""
    return 100 * float(f1_score(true, named, average="macro", labels=np.unique(true), zero_division=0))


def print_gains(paths: list[Path]) -> None:
    """Print means over seeds: cells alone, and what is gained over these."""
    table = pd.DataFrame([row for path in paths for row in compare(path)])
    means = table.groupby(["labels", "depth", "set"], sort=False).mean(numeric_only=True)
    f1 = [name for name in means if name == "alone" or ":" in name]
    gains = means[f1].copy()
    gains.iloc[:, 1:] = gains.iloc[:, 1:].sub(gains["alone"], axis=0)
    with pd.option_context("display.width", 200, "display.max_columns", None):
        print(gains.round(1).to_string())
        print(gains.groupby(["labels", "depth"], sort=False).mean().round(2).to_string())
        counts = [name for name in means if name not in f1]
        print(table.groupby("depth")[counts].sum().astype(int).to_string())


def print_cost() -> None:
    """Print CPU seconds of a million cells with given clusters, and of clusters that are found."""
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.full(20, 0.3), 1_000_000).astype(np.float32)
    cluster = rng.integers(0, 200, len(probability))
    start = time.process_time()
    name = cluster_consensus(probability, cluster).argmax(axis=1)
    cluster_votes(name, probability.argmax(axis=1), cluster)
    print(f"consensus, 1,000,000 cells of 20 types: {time.process_time() - start:.1f} CPU s")
    for n_cells in (5_000, 20_000, 60_000, 120_000, 1_000_000):
        centers = rng.normal(size=(20, 30))
        components = centers[rng.integers(20, size=n_cells)] + rng.normal(size=(n_cells, 30))
        start = time.process_time()
        found = leiden_clusters(components)
        seconds = time.process_time() - start
        print(f"{n_cells:,} cells: {found.max() + 1} clusters in {seconds:.1f} CPU s", flush=True)


def main() -> None:
    """Read the files of cells from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", type=Path, nargs="*", help="cells with counts and obs['cell_type']")
    parser.add_argument("--cost", action="store_true", help="measure seconds on simulated cells")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="scanpy")
    if options.cells:
        print_gains(options.cells)
    if options.cost:
        print_cost()


if __name__ == "__main__":
    main()
