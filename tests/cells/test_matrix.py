"""Any matrix becomes the same canonical CSR."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from example_cells import assert_same, make_cells
from scipy import sparse

from gene_gcn.cells import Normalizer, read_expression
from gene_gcn.cells.matrix import structural_fault
from gene_gcn.errors import ArgumentError


@pytest.mark.parametrize(
    "form",
    [
        "csr",
        "csc",
        "coo",
        "lil",
        "sparray",
        "dense",
        "fortran",
        "frame",
        "sparse frame",
        "int",
        "float16",
        "list",
        "object",
    ],
)
def test_every_matrix_type_reads_the_same(form):
    X = make_cells().X
    dense = X.toarray()
    forms = {
        "csr": X,
        "csc": X.tocsc(),
        "coo": X.tocoo(),
        "lil": X.tolil(),
        "sparray": sparse.csc_array(X),
        "dense": dense,
        "fortran": np.asfortranarray(dense.astype(float)),
        "frame": pd.DataFrame(dense),
        "sparse frame": pd.DataFrame.sparse.from_spmatrix(X),
        "int": X.astype(np.int64),
        "float16": dense.astype(np.float16),
        "list": dense.tolist(),
        "object": dense.astype(object),
    }
    expr = read_expression(forms[form])
    assert expr.X.dtype == np.float32 and expr.X.format == "csr" and expr.X.has_canonical_format
    assert expr.genes is None
    assert_same(expr.X, X)


def test_canonical_float32_is_shared_and_other_input_is_not_changed():
    X = make_cells().X
    assert np.shares_memory(read_expression(X).X.data, X.data)
    data, indices, indptr = np.array([1, 2, 0, 4], np.float32), np.array([2, 2, 0, 1]), np.array([0, 3, 4])
    messy = sparse.csr_matrix((data, indices, indptr), shape=(2, 3))
    before = messy.data.copy(), messy.indices.copy(), messy.indptr.copy()
    expr = read_expression(messy)
    Normalizer.fit(expr).transform(expr)
    assert expr.X.nnz == 2 and expr.X.has_sorted_indices
    for old, now in zip(before, (messy.data, messy.indices, messy.indptr), strict=True):
        np.testing.assert_array_equal(old, now)


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("damage", ["large index", "negative index", "end", "order", "length"])
def test_damaged_index_arrays_are_refused_before_scipy_follows_them(form, damage):
    X = form(make_cells().X)
    assert structural_fault(X) is None
    if damage == "large index":
        X.indices[3] = 4000
    elif damage == "negative index":
        X.indices[3] = -2
    elif damage == "end":
        X.indptr[-1] = 10**9
    elif damage == "order":
        X.indptr[3] = X.indptr[-1]
    else:
        X.data = X.data[:-3]
    with pytest.raises(ArgumentError, match="X is damaged: "):
        read_expression(X)


def test_looking_for_damage_changes_nothing():
    X = make_cells().X
    data, indices = np.append(X.data, [7, 8]), np.append(X.indices, [1, 1])  # room that is not in use
    roomy = sparse.csr_matrix((data, indices, X.indptr), shape=X.shape)
    arrays = roomy.data, roomy.indices, roomy.indptr
    assert structural_fault(roomy) is None
    assert all(a is b for a, b in zip(arrays, (roomy.data, roomy.indices, roomy.indptr), strict=True))
    assert_same(read_expression(roomy).X, X)
