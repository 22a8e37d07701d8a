"""The border to AnnData, data frames and arrays."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from example_cells import apply, assert_same, make_cells
from scipy import sparse

from gene_gcn.cells import read_expression
from gene_gcn.errors import ArgumentError, DuplicateGenesWarning


def test_layer_and_raw_of_an_anndata():
    adata = make_cells()
    adata.layers["twice"] = adata.X * 2
    adata.raw = adata
    adata.X = adata.X * 3
    assert_same(read_expression(adata, layer="twice").X, adata.raw.X * 2)
    assert_same(read_expression(adata, use_raw=True).X, adata.raw.X)
    assert read_expression(adata[:5, ::-1]).genes == tuple(adata.var_names[::-1])
    with pytest.raises(ArgumentError, match=r"layer='counts' is not in this AnnData; it has \['twice'\]"):
        read_expression(adata, layer="counts")
    with pytest.raises(
        ArgumentError, match=r"use_raw=True, but this AnnData has no \.raw; .* with layer= \(it has none\)"
    ):
        read_expression(make_cells(), use_raw=True)
    with pytest.raises(ArgumentError, match="select two different matrices; pass only one of them"):
        read_expression(adata, layer="twice", use_raw=True)
    with pytest.raises(
        ArgumentError, match="layer='twice' selects a part of an AnnData, but X is a csr_matrix"
    ):
        read_expression(adata.X, layer="twice")


@pytest.mark.parametrize("dense", [False, True])
def test_backed_anndata(tmp_path, dense):
    adata = make_cells()
    same_counts = adata.X.copy()
    if dense:
        adata.X = adata.X.toarray()
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    expr = read_expression(backed)
    backed.file.close()
    assert_same(expr.X, same_counts)


def test_gene_column_with_gaps():
    adata = make_cells(m=4)
    adata.var["symbol"] = ["A", None, "", "D"]
    assert read_expression(adata, gene_column="symbol").genes == ("A", "GENE1", "GENE2", "D")
    with pytest.raises(
        ArgumentError, match=r"gene_column='name' is not a column of \.var; it has \['symbol'\]"
    ):
        read_expression(adata, gene_column="name")


def test_column_labels_become_strings():
    frame = pd.DataFrame(np.eye(2), columns=[7157, 672])
    assert read_expression(frame).genes == ("7157", "672")


@pytest.mark.parametrize(("value", "what"), [(np.nan, "NaN"), (np.inf, "infinity"), (1e300, "infinity or a")])
def test_nonfinite_value_is_located(value, what):
    frame = pd.DataFrame(np.eye(3), index=list("abc"), columns=["X1", "X2", "X3"])
    frame.loc["b", "X3"] = value
    with pytest.raises(ArgumentError, match=f"Input X contains {what}.*cell 'b', gene 'X3'"):
        read_expression(frame)
    with pytest.raises(ArgumentError, match="cell 1, gene 2"):
        read_expression(frame.to_numpy())


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((0, 3)), r"0 sample\(s\)"),
        (sparse.csr_matrix((3, 0)), r"0 feature\(s\)"),
        (np.zeros(3), "Expected 2D"),
        (np.array([["a", "b"]]), "not numeric"),
        (np.array([["a", 1]], dtype=object), "must be numeric"),
        (np.eye(2) * 1j, "Complex data"),
        (sparse.eye(2, dtype=complex), "Complex data"),
        (pd.DataFrame({"A": [1.0], "cell_type": ["B"]}), r"not numeric: \['cell_type'\]"),
    ],
)
def test_unusable_matrix(X, message):
    with pytest.raises(ArgumentError, match=message):
        read_expression(X)


def test_duplicate_genes_are_summed_on_the_linear_scale():
    adata = make_cells(n=200)
    halves = sparse.hstack([adata.X, adata.X], format="csr")
    names = [*adata.var_names, *adata.var_names]
    for forward in (np.asarray, np.log1p, np.sqrt):
        frame = pd.DataFrame(apply(forward, halves).toarray(), columns=names)
        with pytest.warns(DuplicateGenesWarning, match=r"duplicate gene names \(80: .*summed"):
            expr = read_expression(frame)
        assert expr.genes == tuple(adata.var_names)
        assert_same(expr.X, apply(forward, adata.X * 2), atol=1e-4)
    with pytest.raises(ArgumentError, match="cannot be summed"):
        read_expression(frame - 1)
