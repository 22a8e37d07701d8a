"""Cells and a network that several tests of the benchmark share."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn import GeneNetwork

N = 500


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    X = rng.poisson(np.where(np.arange(N) % 3 == y[:, None], 3.0, 0.5) * rng.uniform(0.1, 3, N))
    obs = pd.DataFrame({"type": [f"t{k}" for k in y]}, index=[f"c{i}" for i in range(60)])
    var = pd.DataFrame(index=[f"G{i}" for i in range(N)])
    return anndata.AnnData(sparse.csr_matrix(X.astype(np.float32)), obs=obs, var=var)


@pytest.fixture(scope="module")
def network(cells):
    rng = np.random.default_rng(0)
    return GeneNetwork(tuple(cells.var_names), rng.integers(0, N, (2, 900)), rng.uniform(0.1, 1, 900))
