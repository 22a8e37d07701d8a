"""Baselines read cells as our classifier does."""

from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.benchmark.baselines import baselines
from gene_gcn.benchmark.runners import InProcess
from gene_gcn.errors import MissingGenesWarning


@pytest.mark.parametrize("name", baselines())
def test_baselines_accept_cells_that_lack_genes(cells, name):
    labels = cells.obs["type"].to_numpy()
    with pytest.warns(MissingGenesWarning, match="are missing from X"):
        outcome = InProcess(baselines()[name](cells)).run(cells, labels, cells[:, :250].copy())
    assert (outcome.predicted == labels).mean() > 0.5
    if "SVM" in name:
        assert outcome.probabilities is None
    else:
        assert outcome.probabilities.shape == (60, 3)
        assert outcome.probabilities.sum(axis=1) == pytest.approx(np.ones(60), abs=1e-5)
