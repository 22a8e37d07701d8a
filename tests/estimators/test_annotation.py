"""What annotate writes can be written to files."""

from __future__ import annotations

import anndata
import numpy as np

from gene_gcn.estimators.annotation import Annotation, types_of_cells


def test_empty_cells_are_unassigned():
    best, empty = np.array([0, 1, 1]), np.array([False, True, False])
    text = np.array(["A", "B"], object)
    assert list(types_of_cells(text, best, empty)) == ["A", "unassigned", "B"]
    assert list(types_of_cells(text, best, empty & False).categories) == ["A", "B"]
    known = types_of_cells(np.array(["A", "B", "unassigned"], object), best, empty)
    assert list(known) == ["A", "unassigned", "B"] and len(known.categories) == 3
    numbers = types_of_cells(np.array([4, 7]), best, empty)
    assert numbers.codes.tolist() == [0, -1, 1] and numbers.categories.dtype.kind == "i"


def write(cells, classes, best):
    """Write the types at the positions `best`."""
    probability = np.eye(len(classes))[best]
    empty = np.zeros(len(best), bool)
    Annotation(np.array(classes, object), probability, empty, None, None, None).write(cells, "key", {})


def test_only_types_of_cells_are_categories():
    cells = anndata.AnnData(np.ones((3, 1)))
    write(cells, ["A", "B", "C"], [2, 0, 2])
    assert list(cells.obs["key"].cat.categories) == ["A", "C"]
    assert cells.uns["key"]["types"].tolist() == ["A", "B", "C"]


def test_types_keep_their_colors():
    cells = anndata.AnnData(np.ones((3, 1)))
    write(cells, ["A", "B", "C"], [0, 1, 2])
    cells.uns["key_colors"] = ["red", "green", "blue"]
    write(cells, ["A", "B", "C"], [2, 0, 2])
    assert list(cells.uns["key_colors"]) == ["red", "blue"]
    write(cells, ["A", "D"], [0, 1, 1])
    assert "key_colors" not in cells.uns
