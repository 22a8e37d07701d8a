"""Types that files spell differently."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from gene_gcn.benchmark.type_map import read_type_map, rename_types

TABLE = """file,label,type
,B cells,B
blood,CD4,T
blood,doublet,
,CD4,CD4 T
"""


@pytest.fixture
def type_map(tmp_path):
    path = tmp_path / "types.csv"
    path.write_text(TABLE)
    return read_type_map(path)


def cells():
    obs = pd.DataFrame(
        {"type": pd.Categorical(["B cells", "CD4", "doublet", "NK", None])}, index=list("abcde")
    )
    return anndata.AnnData(np.ones((5, 2), dtype=np.float32), obs=obs)


def test_a_row_for_the_file_has_precedence(type_map):
    blood, other = cells(), cells()
    rename_types(blood, "blood", "type", type_map)
    assert blood.obs["type"].fillna("").tolist() == ["B", "T", "", "NK", ""]
    rename_types(other, "other", "type", type_map)
    assert other.obs["type"].fillna("").tolist() == ["B", "CD4 T", "doublet", "NK", ""]


def test_wrong_tables_are_refused(tmp_path):
    path = tmp_path / "types.csv"
    path.write_text("file,label\na,b\n")
    with pytest.raises(ValueError, match="has no column 'type'; its header must be file,label,type"):
        read_type_map(path)
    path.write_text(TABLE + "blood,CD4,NK\n")
    with pytest.raises(ValueError, match="lists 'CD4' twice for one file"):
        read_type_map(path)
    path.write_text("")
    with pytest.raises(ValueError, match="is not a table"):
        read_type_map(path)
