"""Annotated cells that tests of reports share."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
from command_line import GENES, make_cells

from gene_gcn import GeneGCNClassifier, GeneNetwork


@pytest.fixture(scope="session")
def clf() -> GeneGCNClassifier:
    chain = GeneNetwork(GENES, [np.arange(29), np.arange(1, 30)])
    cells = make_cells(0)[2:].copy()  # the first two have no label
    return GeneGCNClassifier(network=chain, random_state=0).fit(cells, "cell_type")


@pytest.fixture
def annotated(clf) -> anndata.AnnData:
    """Cells with types and coordinates, so that no UMAP is computed."""
    cells = make_cells(1)
    cells.obsm["X_umap"] = np.random.default_rng(0).normal(size=(cells.n_obs, 2))
    clf.annotate(cells, unknown=True, alpha=0.1)
    return cells
