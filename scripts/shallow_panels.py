"""Annotate cells of few genes and few counts by models that impute, refit, or are retrained.

    python scripts/shallow_panels.py CELLS... --label cell_type [--genes 400] [--counts 200,100] [--seeds 2]

Models are trained on 50 whole cells of each type; the others are cut to the genes that vary most among these,
and downsampled to a median of so many counts. A row per set and number of counts: macro-F1, the mean over
seeds, with `missing_genes="impute"`, `missing_genes="refit"`, and of a model trained on these genes only.
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
from gene_gcn.benchmark.metrics import evaluate
from gene_gcn.benchmark.splits import downsample, few_labels, labeled_cells, most_variable, without_rare_types

PER_TYPE = 50


def measure(
    path: Path, label: str, n_genes: int, counts: Sequence[int], seeds: int
) -> Iterator[dict[str, object]]:
    """Yield the rows of a set, one for each seed."""
    cells = without_rare_types(labeled_cells(anndata.read_h5ad(path), label), label)
    labels = cells.obs[label].to_numpy()
    for seed, (train, test) in enumerate(few_labels(labels, PER_TYPE, range(seeds))):
        training = cells[train].copy()
        genes = training.var_names[np.sort(most_variable(training, n_genes))]
        query = cells[test, genes].copy()
        models = {
            how: GeneGCNClassifier(missing_genes=how, random_state=0).fit(training, labels[train])
            for how in ("impute", "refit")
        }
        models["retrained"] = GeneGCNClassifier(random_state=0).fit(training[:, genes].copy(), labels[train])
        depth = float(np.median(np.asarray(query.X.sum(axis=1))))
        for target in counts:
            shallow = downsample(query, min(1.0, target / depth), (seed, 1))
            metrics = {
                name: evaluate(labels[test], model.predict(shallow))["macro_f1"]
                for name, model in models.items()
            }
            yield {"set": path.stem, "counts": target, **metrics}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", nargs="+", type=Path)
    parser.add_argument("--label", required=True)
    parser.add_argument("--genes", type=int, default=400)
    parser.add_argument("--counts", default="200,100,50")
    parser.add_argument("--seeds", type=int, default=2)
    given = parser.parse_args()
    counts = [int(count) for count in given.counts.split(",")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [
            row
            for path in given.cells
            for row in measure(path, given.label, given.genes, counts, given.seeds)
        ]
    table = pd.DataFrame(rows).groupby(["set", "counts"], sort=False).mean().round(3)
    print(table.to_csv(sep="|"))


if __name__ == "__main__":
    main()
