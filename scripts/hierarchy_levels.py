"""Measure coarse labels and back-off of a hierarchy, on folds and on pairs of batches.

    python scripts/hierarchy_levels.py zheng_sorted_pbmc.h5ad --label coarse_type --label cell_type
    python scripts/hierarchy_levels.py symphony_pbmc_3tech.h5ad -l coarse_type -l cell_type --batch batch

Coarse labels: from probabilities summed upwards, by a model that was trained on coarse labels, and the coarse
label of the most probable type. Back-off: what fraction of cells it concerns, what fraction is called by the
root, and what fraction is of the type, or under the node, that it is called by. Set sizes: types and nodes in
the sets of `alpha=0.1`. With --batch, every batch is a reference for every other one; without it, five folds.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score

from gene_gcn import GeneGCNClassifier
from gene_gcn.benchmark.splits import folds
from gene_gcn.errors import GeneGCNWarning

BACKOFF = {"auto": True, "0.8": 0.8, "0.9": 0.9, "0.95": 0.95}


def splits(cells: anndata.AnnData, label: str, batch: str | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows to train on and rows to annotate."""
    if batch is None:
        yield from folds(cells.obs[label].astype(str).to_numpy())
        return
    values = cells.obs[batch].astype(str).to_numpy()
    for one, other in permutations(np.unique(values), 2):
        yield np.flatnonzero(values == one), np.flatnonzero(values == other)


def measure(reference: anndata.AnnData, query: anndata.AnnData, levels: list[str]) -> dict[str, float]:
    """Return accuracies and fractions of one split."""
    coarse, fine = levels[-2], levels[-1]
    query = query[query.obs[fine].isin(reference.obs[fine])].copy()
    y_coarse, y_fine = (query.obs[name].astype(str).to_numpy() for name in (coarse, fine))
    clf = GeneGCNClassifier(random_state=0).fit(reference, levels)
    hierarchy = clf.hierarchy_
    clf.annotate(query, alpha=0.1)
    sets = query.obsm["gene_gcn_set"].to_numpy()
    parent = dict(
        zip(hierarchy.types, np.array(hierarchy.nodes)[list(hierarchy.levels[coarse])], strict=True)
    )
    answers = {
        "summed": query.obs[f"gene_gcn_level_{coarse}"].astype(str),
        "parent": query.obs["gene_gcn"].astype(str).map(parent),
    }
    direct = GeneGCNClassifier(random_state=0).fit(reference, coarse)
    direct.annotate(query, "direct")
    answers["trained"] = query.obs["direct"].astype(str)
    result = {f"accuracy {name}": accuracy_score(y_coarse, found) for name, found in answers.items()}
    result |= {f"F1 {name}": f1_score(y_coarse, found, average="macro") for name, found in answers.items()}
    result["fine accuracy"] = accuracy_score(y_fine, query.obs["gene_gcn"].astype(str))
    result |= {"types in a set": sets.sum(1).mean(), "nodes in a set": hierarchy.cover(sets).sum(1).mean()}
    own = np.array([hierarchy.types.index(name) for name in y_fine])
    for name, backoff in BACKOFF.items():
        clf.annotate(query, backoff=backoff)
        node = np.array([hierarchy.nodes.index(each) for each in query.obs["gene_gcn"].astype(str)])
        result |= {
            f"{name}: threshold": query.uns["gene_gcn"]["backoff"],
            f"{name}: backed off": (
                query.obs["gene_gcn"].astype(str) != query.obs["gene_gcn_type"].astype(str)
            ).mean(),
            f"{name}: root": (node == len(hierarchy.nodes) - 1).mean(),
            f"{name}: right": hierarchy.members[own, node].mean(),
        }
    return result


def main() -> None:
    """Measure a file of cells and print means over splits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", type=Path)
    parser.add_argument("--label", "-l", action="append", help="columns of labels, from coarse to fine")
    parser.add_argument("--batch", help="column of batches")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", GeneGCNWarning)
    cells = anndata.read_h5ad(arguments.cells)
    rows = [
        measure(cells[train].copy(), cells[test].copy(), arguments.label)
        for train, test in splits(cells, arguments.label[-1], arguments.batch)
    ]
    table = pd.DataFrame(rows)
    summary = pd.DataFrame({"mean": table.mean(), "least": table.min(), "most": table.max()})
    print(f"{arguments.cells.name}, {len(rows)} splits")
    print(summary.to_string(float_format="{:.3f}".format))


if __name__ == "__main__":
    main()
