"""Whether made cells are as hard to annotate as the real ones they are made from: docs/benchmarks/scale.md.

python scripts/made_and_real_cells.py CELLS... --label COLUMN divides the cells of each file as the maker
does, makes as many training cells as there are real ones, and prints the macro-F1 of logistic regression
(log1p CP10k) trained and tested on real and on made cells.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from anndata import AnnData

TEST_CELLS = 3000  # made


def compare(cells: AnnData, label: str, seed: int) -> dict[tuple[str, str], float]:
    """Return macro-F1 by what the classifier was trained and tested on, "real" or "made"."""
    import anndata

    from gene_gcn.benchmark.baselines import baselines
    from gene_gcn.benchmark.made_cells import PARTS, CellMaker
    from gene_gcn.benchmark.metrics import evaluate

    maker = CellMaker.prepare(cells, label, seed=seed)
    sides: dict[tuple[str, str], tuple[AnnData, np.ndarray]] = {}
    for part in PARTS:
        sizes = [len(of_type) for of_type in maker.members[part]]
        real = maker.X[np.concatenate(maker.members[part])]
        names = np.array(maker.types)
        sides["real", part] = anndata.AnnData(real), np.repeat(names, sizes)
        num_cells = real.shape[0] if part == "train" else TEST_CELLS
        types, _ = maker.types_and_batches(part, num_cells)
        sides["made", part] = anndata.AnnData(maker.cells(part, 0, num_cells)), names[types]
    for side, _ in sides.values():
        side.var_names = list(maker.genes)
    scores = {}
    for trained in ("real", "made"):
        train, y = sides[trained, "train"]
        classifier = baselines()["logistic regression, log1p CP10k"](train).fit(train, y)
        for tested in ("real", "made"):
            test, true = sides[tested, "test"]
            scores[trained, tested] = evaluate(true, classifier.predict(test))["macro_f1"]
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", nargs="+", type=Path, help=".h5ad files with raw counts")
    parser.add_argument("--label", required=True, help="column of obs with the types")
    parser.add_argument("--seeds", type=int, default=5, help="divisions of the real cells")
    arguments = parser.parse_args()
    import anndata

    print("| cells | trained on | tested on | macro-F1 (± sd over seeds) |\n|---|---|---|---|")
    for path in arguments.cells:
        cells = anndata.read_h5ad(path)
        runs = [compare(cells, arguments.label, seed) for seed in range(arguments.seeds)]
        for trained, tested in runs[0]:
            values = [scores[trained, tested] for scores in runs]
            print(f"| {path.stem} | {trained} | {tested} | {np.mean(values):.3f} ± {np.std(values):.3f} |")


if __name__ == "__main__":
    main()
