"""Measure what `predict_set` and `abundance` promise, on random splits of labeled cells.

    python scripts/coverage_and_fractions.py CELLS... --label cell_type --splits 50

Each split trains on two thirds of the cells. Sets: for each type with enough held-out cells, the share of its
test cells whose set holds the type, which should be 1 − alpha. Fractions: of ten samples of the test cells in
other mixtures of types (Dirichlet), the mean absolute error of `abundance` and of counting names.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import anndata
import numpy as np
from scipy.stats import binom
from sklearn.model_selection import StratifiedShuffleSplit

from gene_gcn import GeneGCNClassifier
from gene_gcn.errors import GeneGCNWarning

SAMPLES, CELLS_OF_A_SAMPLE = 10, 300
FEWEST_CELLS = 6  # of a type; fewer cannot be split


def resample(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return positions of cells in which the types have other shares than in y."""
    types = np.unique(y)
    share = rng.dirichlet(np.ones(len(types)))
    drawn = rng.choice(types, CELLS_OF_A_SAMPLE, p=share)
    return np.concatenate([rng.choice(np.flatnonzero(y == t), (drawn == t).sum()) for t in types])


def measure(cells: anndata.AnnData, label: str, splits: int, alpha: float) -> dict[str, float]:
    """Return coverage and errors, means over splits."""
    y = cells.obs[label].astype(str).to_numpy()
    covered: dict[str, list[tuple[int, int]]] = {}
    errors, sizes = [], []
    splitter = StratifiedShuffleSplit(splits, test_size=1 / 3, random_state=0)
    for train, test in splitter.split(y, y):
        clf = GeneGCNClassifier(random_state=0).fit(cells[train], label)
        sets = clf.predict_set(cells[test], alpha)
        column = np.searchsorted(clf.classes_, y[test])
        held_out = np.bincount(clf.fitted_.reference.held_out.types, minlength=len(clf.classes_))
        sizes.append(sets.sum(1).mean())
        for index, name in enumerate(clf.classes_):
            if held_out[index] >= 1 / alpha - 1:
                own = sets[column == index, index]
                covered.setdefault(name, []).append((int(own.sum()), len(own)))
        rng = np.random.default_rng(0)
        for _ in range(SAMPLES):
            sample = test[resample(y[test], rng)]
            query = anndata.AnnData(cells.X[sample], cells.obs.iloc[sample].reset_index(drop=True), cells.var)
            table = clf.abundance(query)
            true = query.obs[label].value_counts(normalize=True).reindex(table.index, fill_value=0.0)
            errors.append([np.abs(table[kind] - true).mean() for kind in ("fraction", "counted")])
    totals = {name: np.sum(pairs, axis=0) for name, pairs in covered.items()}
    inside = [
        binom.ppf(0.025, n, 1 - alpha) <= hits <= binom.ppf(0.975, n, 1 - alpha)
        for pairs in covered.values()
        for hits, n in pairs
    ]
    rates = {name: hits / n for name, (hits, n) in totals.items()}
    fraction, counted = np.mean(errors, axis=0)
    return {
        "types": len(rates),
        "coverage": float(np.mean(list(rates.values()))),
        "lowest": min(rates.values()),
        "in interval": float(np.mean(inside)),
        "set size": float(np.mean(sizes)),
        "error of abundance": fraction,
        "of counting": counted,
        "ratio": fraction / counted,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", nargs="+")
    parser.add_argument("--label", required=True)
    parser.add_argument("--splits", type=int, default=50)
    parser.add_argument("--alpha", type=float, default=0.1)
    args = parser.parse_args()
    warnings.simplefilter("ignore", GeneGCNWarning)
    for number, path in enumerate(args.cells):
        cells = anndata.read_h5ad(path)
        counts = cells.obs[args.label].value_counts()
        cells = cells[cells.obs[args.label].isin(counts.index[counts >= FEWEST_CELLS])].copy()
        row = measure(cells, args.label, args.splits, args.alpha)
        if not number:
            print(f"| set | {' | '.join(row)} |\n|{'---|' * (len(row) + 1)}")
        values = " | ".join(f"{value:.3f}" for value in row.values())
        print(f"| {Path(path).stem} | {values} |", flush=True)


if __name__ == "__main__":
    main()
