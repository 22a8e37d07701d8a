from __future__ import annotations

import numpy as np
import pytest
from small_networks import GENES, small

from gene_gcn.networks import GeneNetwork, NetworkSource


def test_summary():
    network = GeneNetwork(["A", "B", "C", "D", "E", "F"], [[0, 1, 3], [1, 2, 4]], [4, 2, 1])
    summary = network.summary()
    assert summary[:"largest component"].to_dict() == {
        "genes": 6, "connected genes": 5, "edges": 3, "components": 2, "largest component": 3,
    }  # fmt: skip
    assert summary[["degree min", "degree median", "degree max"]].tolist() == [1, 1, 2]
    assert summary[["weight min", "weight median", "weight max"]].tolist() == [0.25, 0.5, 1]
    assert network.with_diagonal(1).summary().equals(summary)
    assert small(source=NetworkSource("STRING", "12.0")).summary().name == "STRING 12.0"
    assert "edges" in str(summary)


@pytest.mark.parametrize("genes", [[], ["A"], GENES])
def test_summary_of_no_edges(genes):
    summary = GeneNetwork(genes, np.empty((2, 0))).summary()
    assert summary[:"largest component"].tolist() == [len(genes), 0, 0, 0, 0]
    assert summary["degree min":].isna().all()
