"""Columns of names as categoricals keep every text as it is."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from gene_gcn.networks import categoricals
from gene_gcn.networks.categoricals import (
    as_categorical,
    categories,
    read_categoricals,
    rename_categories,
    select_categories,
)

TABLE = b"a\tb\nNA\t007\nTP53\t12\nNA\t7\nMYC\t007\n"


def test_blocks_give_the_same_as_the_whole(monkeypatch):
    whole = read_categoricals(io.BytesIO(TABLE), sep="\t", na_filter=False)
    assert whole["a"].tolist() == ["NA", "TP53", "NA", "MYC"] and whole["b"].tolist() == [
        "007",
        "12",
        "7",
        "007",
    ]
    assert all(isinstance(name, str) for column in whole for name in whole[column].cat.categories)
    monkeypatch.setattr(categoricals, "_ROWS_AT_A_TIME", 1)
    blocks = read_categoricals(io.BytesIO(TABLE), sep="\t", na_filter=False)
    assert all(blocks[column].dtype == "category" for column in "ab")
    assert blocks.astype(object).equals(whole.astype(object))


def test_categories_that_get_one_name_become_one():
    names = as_categorical(["b", "a", "b", None])
    assert categories(names).tolist() == ["a", "b"]
    renamed = rename_categories(names.array, ["X", "X"])
    assert list(renamed.categories) == ["X"] and list(renamed[:3]) == ["X", "X", "X"] and pd.isna(renamed[3])
    assert len(rename_categories(as_categorical([]).array, [])) == 0


def test_rows_are_selected_by_category():
    chosen = select_categories(as_categorical(["genetic", "Physical", "PHYSICAL", None]), "physical".__eq__)
    np.testing.assert_array_equal(chosen, [False, True, True, False])
    assert not select_categories(as_categorical([None]), lambda name: True).any()
