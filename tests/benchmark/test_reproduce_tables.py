"""Tables of the paper's experiments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gene_gcn.benchmark.reproduce_tables import conclusions
from gene_gcn.benchmark.systems import paper_systems


def test_conclusions_pair_splits_and_seeds():
    rng = np.random.default_rng(0)
    results = pd.DataFrame(
        [
            {
                "system": system.name,
                "genes": system.genes,
                "split": split,
                "seed": seed,
                "accuracy": rng.normal(0.5, 0.1) if system.name == "FC" else 0.1 * seed + (split == "a"),
            }
            for system in paper_systems()
            for split in "ab"
            for seed in range(3)
        ]
    )
    tests = conclusions(results.sample(frac=1, random_state=0)).set_index(["better", "worse"])
    same = tests.loc[("global graph, diagonal 0, all", "global graph, diagonal 1, all")]
    assert same["pairs"] == 6 and same["difference"] == 0 and same["verdict"] == "not shown"
    assert tests["conclusion"].nunique() == 5
