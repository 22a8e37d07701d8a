from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from gene_gcn.report.comparison import Comparison


def test_unknown_cells_are_mistakes_but_unknown_is_no_type(clf, annotated):
    types = annotated.obs["gene_gcn"].astype(str).to_numpy(object)
    types[5:8] = "unknown"
    annotated.obs["gene_gcn"] = types
    found = Comparison.of(clf, annotated, "cell_type", "gene_gcn")
    true = annotated.obs["cell_type"].to_numpy(object)[2:]
    assert found.rows.tolist() == list(range(2, 90)) and found.n_without == 2
    assert found.metrics["accuracy"] == pytest.approx(np.mean(types[2:] == true))
    each = [f1_score(true == name, types[2:] == name) for name in ("B", "NK", "T")]
    assert found.metrics["macro_f1"] == pytest.approx(np.mean(each))
    assert sum(known.cells - known.correct for known in found.types) == (types[2:] != true).sum()


def test_most_frequent_mistake_of_each_type_is_told(clf, annotated):
    true = annotated.obs["gene_gcn"].astype(str).to_numpy(object)
    cells = np.flatnonzero(true == "NK")[:3]
    true[cells] = "B"  # so three cells of B are called NK
    found = Comparison.of(clf, annotated, true, "gene_gcn")
    (b,) = (known for known in found.types if known.name == "B")
    assert (b.mistaken_for, b.mistakes, b.cells - b.correct) == ("NK", 3, 3)
    assert found.n_foreign == 0 and found.label == "the labels given"


def test_types_that_are_numbers_are_compared_by_value(annotated):
    from gene_gcn import GeneGCNClassifier

    codes = annotated.obs["cell_type"].map({"B": 0.0, "NK": 1.0, "T": 2.0}).astype(float)
    cells = annotated[codes.notna().to_numpy()].copy()
    codes = codes.dropna().to_numpy()
    clf = GeneGCNClassifier(random_state=0).fit(cells, codes)
    clf.annotate(cells)
    found = Comparison.of(clf, cells, codes.astype(int).astype(str), "gene_gcn")
    assert found.metrics["accuracy"] == pytest.approx(clf.score(cells, codes)) and found.n_foreign == 0
