"""Compare what a model expects of panels of genes with what is measured on held-out cells.

    python scripts/panels.py CELLS... --label cell_type [--genes 40,300] [--per-type 50] [--seeds 2]

Models are trained on `--per-type` cells of each type. Panels are of the genes that vary most among these, and
of genes drawn at random among those with 50 counts or more. A row per set, size and kind of panel, the mean
over seeds: expected and measured recall, averaged over the types, and their correlation over types; macro-F1
of the panel, and with ten more genes: those that the model suggests, the next most variable, and random ones.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import anndata
import numpy as np
import pandas as pd

from gene_gcn import GeneGCNClassifier
from gene_gcn.benchmark.metrics import evaluate, recall_per_type
from gene_gcn.benchmark.splits import few_labels, labeled_cells, most_variable, without_rare_types

ADDED, FEWEST_COUNTS = 10, 50


def measure(
    path: Path, label: str, sizes: Sequence[int], per_type: int, seeds: int
) -> Iterator[dict[str, object]]:
    """Yield the rows of a set, one for each seed."""
    cells = without_rare_types(labeled_cells(anndata.read_h5ad(path), label), label)
    labels = cells.obs[label].to_numpy()
    for seed, (train, test) in enumerate(few_labels(labels, per_type, range(seeds))):
        training, query, true = cells[train].copy(), cells[test].copy(), labels[test]
        clf = GeneGCNClassifier(missing_genes="refit", random_state=0).fit(training, labels[train])

        def f1(genes: Sequence[str]) -> float:
            called = clf.predict(query[:, list(genes)].copy())  # noqa: B023 - used in this round only
            return evaluate(true, called)["macro_f1"]  # noqa: B023

        names = training.var_names.to_numpy()
        frequent = names[np.asarray(training.X.sum(axis=0)).ravel() >= FEWEST_COUNTS]
        for size in sizes:
            rng = np.random.default_rng(seed)
            variable = names[most_variable(training, size + ADDED)]
            drawn = rng.permutation(frequent)
            for kind, ranked in {"variable": variable, "random": drawn}.items():
                genes = list(ranked[:size])
                panel = clf.panel(genes, ADDED)
                called = clf.predict(query[:, genes].copy())
                recall = recall_per_type(true, called)["recall"]
                more = [gene for gene in variable if gene not in genes][:ADDED]
                yield {
                    "set": path.stem,
                    "genes": size,
                    "chosen": kind,
                    "recall, expected": panel.balanced_accuracy,
                    "measured": recall.mean(),
                    "correlation": np.corrcoef(recall, panel.recall[recall.index])[0, 1],
                    "macro-F1": f1(genes),
                    "+ 10 suggested": f1([*genes, *panel.added["gene"]]),
                    "+ 10 variable": f1([*genes, *more]),
                    "+ 10 random": f1([*genes, *[gene for gene in drawn if gene not in genes][-ADDED:]]),
                }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", nargs="+", type=Path)
    parser.add_argument("--label", required=True)
    parser.add_argument("--genes", default="40,300")
    parser.add_argument("--per-type", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    sizes = [int(size) for size in given.genes.split(",")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [
            row
            for path in given.cells
            for row in measure(path, given.label, sizes, given.per_type, given.seeds)
        ]
    keys = ["set", "genes", "chosen"]
    print(pd.DataFrame(rows).groupby(keys, sort=False).mean().round(2).to_csv(sep="|"))


if __name__ == "__main__":
    main()
