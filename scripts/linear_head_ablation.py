"""What each part of the default's linear head brings: the table of docs/accuracy.md, one part at a time left out.

python scripts/linear_head_ablation.py CELLS... --label COLUMN: macro-F1 without a network, on five folds and on
ten labelled cells of each type, or on whatever kinds of splits --splits names.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import anndata
import pandas as pd
import torch
from sklearn.metrics import f1_score

from gene_gcn import GeneGCNClassifier
from gene_gcn.benchmark.accuracy import CellSet
from gene_gcn.benchmark.splits import splits
from gene_gcn.training import linear_head
from gene_gcn.training.operators import Dense, Features

regression = linear_head._regression


def without(kind: type):
    """The regression, but for features of a kind, which say nothing."""

    def silent(features, target, *rest):
        if isinstance(features, kind):
            return torch.zeros(features.width, target.size(1)), torch.zeros(target.size(1)), 0.0
        return regression(features, target, *rest)

    return silent


# Changes of the module, of parameters.
VARIANTS = {
    "the default": ({}, {}),
    "types count by their cells": ({}, {"class_weight": None}),
    "without the view of faint genes": ({"VIEWS": {"sure": 1, "faint": 0}}, {}),
    "without the view of sure genes": ({"VIEWS": {"sure": 0, "faint": 1}}, {}),
    "without components": ({"_regression": without(Dense)}, {}),
    "components alone": ({"_regression": without(Features)}, {}),
    "components at full length": ({"_not_chance": lambda variances, left: torch.ones_like(variances)}, {}),
    "20 components": ({"COMPONENTS": 20}, {}),
    "50 components": ({"COMPONENTS": 50}, {}),
    "a tenth of the penalties": (
        {
            "GENE_PENALTY": linear_head.GENE_PENALTY / 10,
            "COMPONENT_PENALTY": linear_head.COMPONENT_PENALTY / 10,
        },
        {},
    ),
    "ten times the penalties": (
        {
            "GENE_PENALTY": linear_head.GENE_PENALTY * 10,
            "COMPONENT_PENALTY": linear_head.COMPONENT_PENALTY * 10,
        },
        {},
    ),
}

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("cells", nargs="+", type=Path)
parser.add_argument("--label", required=True)
parser.add_argument("--splits", default="folds,few")
options = parser.parse_args()

rows = []
for path in options.cells:
    cells = CellSet.prepare(path.stem, anndata.read_h5ad(path), options.label).cells
    for split in splits(cells, options.label, options.splits.split(","))[0]:
        train, test = split.cells(cells)
        for name, (attributes, parameters) in VARIANTS.items():
            with ExitStack() as patched:
                for attribute, value in attributes.items():
                    patched.enter_context(patch.object(linear_head, attribute, value))
                fitted = GeneGCNClassifier(random_state=0, **parameters).fit(train, options.label)
            score = f1_score(test.obs[options.label], fitted.predict(test), average="macro")
            rows.append((name, split.name, path.stem, score))
table = pd.DataFrame(rows, columns=["step", "splits", "set", "macro_f1"]).pivot_table(
    index="step", columns=["splits", "set"], values="macro_f1", sort=False
)
for name in table.columns.levels[0]:
    table[name, "mean"] = table[name].mean(axis=1)
print(table.round(3).to_string())
