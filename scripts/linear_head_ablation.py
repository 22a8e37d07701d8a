"""How much each part of the linear head matters, one left out at a time: docs/benchmarks/ablations.md.

python scripts/linear_head_ablation.py CELLS... --label COLUMN prints macro-F1 without a network, on five
folds and on ten labeled cells per type, or on the kinds of splits that --splits names.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from sklearn.metrics import f1_score
from sklearn.utils.class_weight import compute_class_weight

from gene_gcn.benchmark.accuracy import CellSet
from gene_gcn.benchmark.splits import make_splits
from gene_gcn.cells import Normalizer, read_expression
from gene_gcn.training.linear_head import fit_linear_head
from gene_gcn.training.options import LinearHeadOptions

DEFAULT = LinearHeadOptions()
VARIANTS = {
    "default": DEFAULT,
    "without the standardized weighting": replace(DEFAULT, weightings=(("shrunken", 1.0),)),
    "without the shrunken weighting": replace(DEFAULT, weightings=(("standardized", 1.0),)),
    "without components": replace(DEFAULT, members=("genes",)),
    "components alone": replace(DEFAULT, members=("components",)),
    "components not shrunken": replace(DEFAULT, shrink_components=False),
    "20 components": replace(DEFAULT, n_components=20),
    "50 components": replace(DEFAULT, n_components=50),
    "a tenth of the penalties": replace(
        DEFAULT, gene_penalty=DEFAULT.gene_penalty / 10, component_penalty=DEFAULT.component_penalty / 10
    ),
    "ten times the penalties": replace(
        DEFAULT, gene_penalty=DEFAULT.gene_penalty * 10, component_penalty=DEFAULT.component_penalty * 10
    ),
    "no temperature": replace(DEFAULT, temperatures=(1.0,)),
}
UNBALANCED = "types weighted by their cells"


def macro_f1(train: AnnData, test: AnnData, label: str, options: LinearHeadOptions, balanced: bool) -> float:
    expression = read_expression(train)
    normalizer = Normalizer.fit(expression)
    types, y = np.unique(train.obs[label].to_numpy(), return_inverse=True)
    weight = compute_class_weight("balanced", classes=np.arange(len(types)), y=y) if balanced else None
    head, *_ = fit_linear_head(
        normalizer.transform(expression),
        y,
        len(types),
        class_weight=None if weight is None else torch.tensor(weight, dtype=torch.float32),
        options=options,
    )
    query = normalizer.transform(read_expression(test))
    logits = query @ head.folded(None).numpy() + head.bias.numpy()
    return float(f1_score(test.obs[label], types[logits.argmax(1)], average="macro"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="+", type=Path)
    parser.add_argument("--label", required=True)
    parser.add_argument("--splits", default="folds,few-label")
    arguments = parser.parse_args()

    rows = []
    for path in arguments.cells:
        cells = CellSet.prepare(path.stem, anndata.read_h5ad(path), arguments.label).cells
        for split in make_splits(cells, arguments.label, arguments.splits.split(","))[0]:
            train, test = split.cells(cells)
            for name, options in VARIANTS.items():
                score = macro_f1(train, test, arguments.label, options, balanced=True)
                rows.append((name, split.name, path.stem, score))
            score = macro_f1(train, test, arguments.label, DEFAULT, balanced=False)
            rows.append((UNBALANCED, split.name, path.stem, score))
    table = pd.DataFrame(rows, columns=["variant", "splits", "set", "macro_f1"]).pivot_table(
        index="variant", columns=["splits", "set"], values="macro_f1", sort=False
    )
    for name in table.columns.levels[0]:
        table[name, "mean"] = table[name].mean(axis=1)
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
