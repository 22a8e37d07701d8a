"""Three cells, as a table and as an AnnData."""

from __future__ import annotations

import anndata
import pandas as pd
import pytest
from example_cells import CELLS, COUNTS, GENES, TYPES
from scipy import sparse


@pytest.fixture
def frame() -> pd.DataFrame:
    table = pd.DataFrame(COUNTS, index=CELLS, columns=GENES)
    table.insert(1, "cell_type", TYPES)
    return table


@pytest.fixture
def adata() -> anndata.AnnData:
    return anndata.AnnData(
        sparse.csr_matrix(COUNTS),
        obs=pd.DataFrame({"cell_type": TYPES}, index=CELLS),
        var=pd.DataFrame(index=GENES),
    )
