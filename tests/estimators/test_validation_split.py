"""Validation cells come from all types, unless they would be too few."""

from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.estimators.validation_split import CELLS, CELLS_PER_TYPE, split, split_by_type


def test_types_have_the_same_share():
    y = np.repeat([0, 1, 2], [100, 50, 1])
    train, validation = split_by_type(y, 0.2, seed=0)
    np.testing.assert_array_equal(np.sort(np.r_[train, validation]), np.arange(len(y)))
    np.testing.assert_array_equal(
        np.bincount(y[validation], minlength=3), [20, 10, 0]
    )  # a single cell trains
    np.testing.assert_array_equal(split_by_type(y, 0.2, seed=0)[1], validation)
    assert not np.array_equal(split_by_type(y, 0.2, seed=1)[1], validation)


@pytest.mark.parametrize("n", [CELLS_PER_TYPE * 2 - 1, CELLS_PER_TYPE * 2])
def test_too_few_of_each_type_are_all_for_training(n):
    y = np.repeat([0, 1], n)
    train, validation = split_by_type(y, 0.5, seed=0)
    assert len(validation) == (n if n >= CELLS_PER_TYPE * 2 else 0)
    assert len(train) + len(validation) == 2 * n


def test_cells_without_types():
    train, validation = split(10 * CELLS, 0.1, seed=0)
    assert len(validation) == CELLS and sorted([*train, *validation]) == list(range(10 * CELLS))
    train, validation = split(10 * CELLS - 1, 0.1, seed=0)
    assert len(validation) == 0 and len(train) == 10 * CELLS - 1
