"""What annotate writes can be written to files."""

from __future__ import annotations

import numpy as np

from gene_gcn.estimators.annotation import column_names, types_of_cells


def test_columns_have_names_that_files_can_hold():
    names = column_names(
        np.array(["CD4+/CD25 T", "B", "a|b", "a/b", "_index", ".", "\u03b3\u03b4 T"]), "cell"
    )
    assert names == ["CD4+|CD25 T", "B", "a|b", "a|b_", "_index_", "._", "\u03b3\u03b4 T"]
    assert column_names(np.array(["a/b", "a|b"]), None) == ["a|b_", "a|b"]
    assert column_names(np.array(["cell", "B"]), "cell") == ["cell_", "B"]
    assert column_names(np.array([0, 1]), None) == ["0", "1"]


def test_empty_cells_are_unassigned():
    best, empty = np.array([0, 1, 1]), np.array([False, True, False])
    text = np.array(["A", "B"], object)
    assert list(types_of_cells(text, best, empty)) == ["A", "unassigned", "B"]
    assert list(types_of_cells(text, best, empty & False).categories) == ["A", "B"]
    known = types_of_cells(np.array(["A", "B", "unassigned"], object), best, empty)
    assert list(known) == ["A", "unassigned", "B"] and len(known.categories) == 3
    numbers = types_of_cells(np.array([4, 7]), best, empty)
    assert numbers.codes.tolist() == [0, -1, 1] and numbers.categories.dtype.kind == "i"
