from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from gene_gcn.training.operators import CellsInMemory
from gene_gcn.training.sampling import draw_sample, rank_in_type, sample_cells


def test_ranks_count_the_cells_of_each_type():
    assert rank_in_type(np.array([2, 0, 2, 2, 0, 1])).tolist() == [0, 0, 1, 2, 1, 0]


@pytest.mark.parametrize("size", [10, 60, 500])
def test_samples_are_even_as_far_as_types_last(size):
    """Of 1,000, 100, 20 and 2 cells."""
    cells = np.array([1000, 100, 20, 2])
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(4), cells))
    rows = sample_cells(y, size, np.random.default_rng(1))
    assert len(rows) == size and (np.diff(rows) > 0).all()
    drawn = np.bincount(y[rows], minlength=4)
    level = drawn.max()
    assert (drawn[drawn < cells] >= level - 1).all()  # a type has fewer only if there are no more
    other = sample_cells(y, size, np.random.default_rng(2))
    assert not np.array_equal(rows, other)


def test_the_sample_has_the_drawn_cells():
    X = sparse.csr_matrix(np.arange(1, 61, dtype=np.float32).reshape(20, 3))
    y = np.arange(20) % 2
    sample = draw_sample(CellsInMemory(X), y, 8, seed=0)
    assert len(sample.rows) == 8
    np.testing.assert_array_equal(sample.X.toarray(), X.toarray()[sample.rows])
    np.testing.assert_array_equal(draw_sample(CellsInMemory(X), y, 8, seed=0).rows, sample.rows)
    assert draw_sample(CellsInMemory(X), y, 20, seed=0) is None
