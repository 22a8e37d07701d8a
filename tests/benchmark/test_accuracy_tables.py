"""Tables of the accuracy benchmark."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gene_gcn.benchmark import accuracy_tables as tables
from gene_gcn.benchmark.accuracy import METRICS


@pytest.fixture
def results():
    """Two sets, four splits, the default, a control and two baselines; one run failed."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "set": set_name,
            "splits": "5 folds",
            "split": split,
            "method": method,
            "role": role,
            "error": "",
            **dict.fromkeys(METRICS, 0.5),
            "macro_f1": mean + rng.normal(0, 0.01),
        }
        for set_name in ("a", "b")
        for split in range(4)
        for method, role, mean in (
            ("default: global graph", "default", 0.8),
            ("no graph", "control", 0.7),
            ("SVM", "baseline", 0.75),
            ("MLP", "baseline", 0.6),
        )
    ]
    rows[3].update(macro_f1=np.nan, error="too small")
    return pd.DataFrame(rows)


def test_tables_by_hand(results):
    summary = tables.summarize(results)
    assert summary.loc[("5 folds", "a", "MLP"), ["runs", "failed"]].tolist() == [4, 1]
    means = tables.over_sets(summary).loc["5 folds"]
    assert means["rank"].to_dict() == {"default: global graph": 1, "SVM": 2, "no graph": 3, "MLP": 4}
    of_sets = results[results["method"] == "SVM"].groupby("set")["macro_f1"].mean()
    assert means.loc["SVM", "macro_f1"] == pytest.approx(of_sets.mean())
    text = list(tables.markdown(results))
    row = next(line for line in text if line.startswith("| MLP |"))
    assert "(3 of 4)" in row.split("|")[2] and "(3 of 4)" not in row.split("|")[3]


def test_differences_against_scipy(results):
    table = tables.differences(results).set_index(["set", "than"])
    assert list(table.index) == [
        (name, than) for name in ("a", "b", "all sets") for than in ("no graph", "best baseline")
    ]
    assert table.loc[("a", "best baseline"), "method"] == "SVM"
    scores = results[results["set"] == "a"].pivot(index="split", columns="method", values="macro_f1")
    t = stats.ttest_rel(scores["default: global graph"], scores["no graph"])
    found = table.loc[("a", "no graph")]
    assert found["pairs"] == 4 and [found["low"], found["high"]] == pytest.approx(
        list(t.confidence_interval())
    )
    of_sets = [table.loc[(name, "best baseline"), "difference"] for name in ("a", "b")]
    assert table.loc[("all sets", "best baseline"), "difference"] == pytest.approx(np.mean(of_sets))
    assert tables.differences(results[results["role"] == "baseline"]).empty
