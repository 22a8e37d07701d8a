"""What annotate writes can be written to files."""

from __future__ import annotations

import numpy as np

from gene_gcn.estimators.annotation import types_of_cells


def test_empty_cells_are_unassigned():
    best, empty = np.array([0, 1, 1]), np.array([False, True, False])
    text = np.array(["A", "B"], object)
    assert list(types_of_cells(text, best, empty)) == ["A", "unassigned", "B"]
    assert list(types_of_cells(text, best, empty & False).categories) == ["A", "B"]
    known = types_of_cells(np.array(["A", "B", "unassigned"], object), best, empty)
    assert list(known) == ["A", "unassigned", "B"] and len(known.categories) == 3
    numbers = types_of_cells(np.array([4, 7]), best, empty)
    assert numbers.codes.tolist() == [0, -1, 1] and numbers.categories.dtype.kind == "i"
