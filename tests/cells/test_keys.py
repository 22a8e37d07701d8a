"""Names that .h5ad files cannot hold are refused."""

from __future__ import annotations

import pytest

from gene_gcn.cells.keys import check_key
from gene_gcn.errors import ArgumentError


@pytest.mark.parametrize("key", ["a/b", "", "_index", ".."])
def test_keys_that_files_cannot_hold_are_refused(key):
    with pytest.raises(ArgumentError, match=f"key_added='{key}' .*pass (one such as )?key_added='"):
        check_key(key)
    check_key("a.b")
