"""Names that .h5ad files cannot hold are refused or changed."""

from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.cells.keys import check_key, column_names
from gene_gcn.errors import ArgumentError


@pytest.mark.parametrize("key", ["a/b", "", "_index", ".."])
def test_keys_that_files_cannot_hold_are_refused(key):
    with pytest.raises(ArgumentError, match=f"key_added='{key}' .*pass (one such as )?key_added='"):
        check_key(key)
    check_key("a.b")


def test_columns_have_names_that_files_can_hold():
    names = column_names(
        np.array(["CD4+/CD25 T", "B", "a|b", "a/b", "_index", ".", "\u03b3\u03b4 T"]), "cell"
    )
    assert names == ["CD4+|CD25 T", "B", "a|b", "a|b_", "_index_", "._", "\u03b3\u03b4 T"]
    assert column_names(np.array(["a/b", "a|b"]), None) == ["a|b_", "a|b"]
    assert column_names(np.array(["cell", "B"]), "cell") == ["cell_", "B"]
    assert column_names(np.array([0, 1]), None) == ["0", "1"]
