"""Types are found by value, and close spellings are suggested."""

from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.errors import ArgumentError
from gene_gcn.explain.checks import check_top, position_of


def test_types_are_found_by_value():
    assert position_of("T", ["B", "T"], "type") == 1
    assert position_of(np.int64(3), [1, 3], "type") == 1
    with pytest.raises(ArgumentError, match="against='T cel' is not .* pass one such as T cell"):
        position_of("T cel", ["B", "T cell"], "against")


@pytest.mark.parametrize("top", [0, -1, 1.5, "3", True, None])
def test_numbers_of_rows_are_checked(top):
    with pytest.raises(ArgumentError, match="must be a whole number of at least 1"):
        check_top(top)
    check_top(np.int64(1))
