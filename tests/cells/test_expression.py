"""The border to AnnData, data frames and arrays."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from example_cells import apply, assert_same, make_cells
from scipy import sparse

from gene_gcn.cells import read_expression
from gene_gcn.errors import ArgumentError, DuplicateGenesWarning, GeneNamesWarning


def test_layer_and_raw_of_an_anndata():
    adata = make_cells()
    adata.layers["twice"] = adata.X * 2
    adata.raw = adata
    adata.X = adata.X * 3
    assert_same(read_expression(adata, layer="twice").X, adata.raw.X * 2)
    assert_same(read_expression(adata, use_raw=True).X, adata.raw.X)
    assert read_expression(adata[:5, ::-1]).genes == tuple(adata.var_names[::-1])
    with pytest.raises(
        ArgumentError,
        match=r"layer='counts' is not in this AnnData; it has \['twice'\]; read .X with layer=None",
    ):
        read_expression(adata, layer="counts")
    with pytest.raises(
        ArgumentError,
        match=r"use_raw=True, but this AnnData has no \.raw; read .X with use_raw=False.* \(it has none\)",
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


def numbered(numbers, **columns):
    adata = make_cells(m=len(numbers))
    adata.var = pd.DataFrame(columns, index=list(map(str, numbers)))
    return adata


@pytest.mark.parametrize("column", ["_index", "feature_name", "gene_symbols", "Gene_Symbol", "feature_id"])
@pytest.mark.parametrize("numbers", [range(4), range(1, 5), [5, 17, 30, 31], [3, 2, 1, 0]])
def test_positions_are_not_names_where_a_column_has_names(column, numbers):
    adata = numbered(numbers, other=[1, 2, 3, 4], **{column: ["CD3E", "LYZ", None, "MS4A1"]})
    adata.raw = adata
    for use_raw in (False, True):
        with pytest.warns(GeneNamesWarning, match=f"numbered .*gene_column='{column}'"):
            expression = read_expression(adata, use_raw=use_raw)
        assert expression.genes == ("CD3E", "LYZ", "MS4A1")
        assert_same(expression.X, adata.X[:, [0, 1, 3]])


def test_positions_without_names():
    with pytest.warns(
        GeneNamesWarning, match=r"no names \(0, 1, 2, …\), so they are matched by their position"
    ):
        assert read_expression(numbered(range(4))).genes is None
    with pytest.raises(
        ArgumentError, match=r"numbered \(5, 17, 30, …\), and positions are not names; choose .*gene_c"
    ):
        read_expression(numbered([5, 17, 30, 31], other=[1, 2, 3, 4]))
    adata = numbered(range(3), other=["0", "1", "2"], symbol=["A", "B", "C"])
    with pytest.raises(
        ArgumentError, match="gene_column='other' holds positions .*choose gene_column='symbol'"
    ):
        read_expression(adata, gene_column="other")
    with pytest.raises(ArgumentError, match=r"numbered \(0, 2, …*.*pass X.to_numpy"):
        read_expression(pd.DataFrame(np.eye(4)).iloc[:, ::2])
    assert read_expression(pd.DataFrame(np.eye(2), columns=["V1", "V2"])).genes is None


def test_genes_without_a_name_are_left_out():
    frame = pd.DataFrame(np.arange(1.0, 9).reshape(2, 4), columns=["A", None, "nan", "NA"])
    with pytest.warns(GeneNamesWarning, match="2 of the 4 genes of X have no name and are left out"):
        expression = read_expression(frame)
    assert expression.genes == ("A", "NA") and expression.X.toarray().tolist() == [[1, 4], [5, 8]]
    with pytest.raises(ArgumentError, match="None of the columns"):
        read_expression(frame.iloc[:, 1:3])


def test_measures_of_cells_are_left_out():
    frame = pd.DataFrame(np.arange(1.0, 7).reshape(2, 3), columns=["A", "nCount_RNA", "percent.mt"])
    with pytest.warns(GeneNamesWarning, match=r"not genes \(nCount_RNA, percent.mt\)"):
        assert read_expression(frame).genes == ("A",)


def test_versions_of_one_id_are_summed():
    frame = pd.DataFrame([[1.0, 2, 4], [0, 3, 5]], columns=["ENSG01.1", "ENSG01.2", "ENSG02.7"])
    with pytest.warns(DuplicateGenesWarning, match="ENSG01.*summed"):
        expression = read_expression(frame)
    assert expression.genes == ("ENSG01", "ENSG02.7") and expression.X.toarray().tolist() == [[3, 4], [3, 5]]


def test_path_is_read(tmp_path):
    adata = make_cells()
    adata.write_h5ad(tmp_path / "a.h5ad")
    for path in (tmp_path / "a.h5ad", str(tmp_path / "a.h5ad")):
        assert_same(read_expression(path).X, adata.X)
    with pytest.raises(FileNotFoundError, match="absent.h5ad"):
        read_expression("absent.h5ad")


def test_anndata_with_raw_only():
    adata = make_cells()
    adata.raw = adata
    adata.X = None
    with pytest.raises(ArgumentError, match=r"no .X; read .raw with use_raw=True, or choose a layer"):
        read_expression(adata)
    assert read_expression(adata, use_raw=True).X.shape == (60, 80)
