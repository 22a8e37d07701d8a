"""Names of genes are told from positions, and columns that are not genes are left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn.cells.gene_columns import find_name_column, keep_genes, names_in_frame, names_in_var
from gene_gcn.errors import ArgumentError, GeneNamesWarning

SYMBOLS = ["CD3E", "MS4A1", "LYZ"]


def var(index, **columns):
    return pd.DataFrame(columns, index=pd.Index(index))


def test_names_of_the_index_come_first():
    assert names_in_var(var(SYMBOLS, gene_ids=["E1", "E2", "E3"]), None) == tuple(SYMBOLS)
    assert names_in_var(var(["CD3E", np.nan, ""]), None) == ("CD3E", "", "")


@pytest.mark.parametrize("index", [["0", "1", "2"], ["1", "2", "3"], ["V1", "V2", "V3"], ["7", "3", "5"]])
def test_numbered_genes_are_named_by_a_column(index):
    table = var(index, n_cells=[5, 6, 7], _index=SYMBOLS)
    with pytest.warns(GeneNamesWarning, match=r"numbered .* taken from .var\['_index'\]"):
        assert names_in_var(table, None) == tuple(SYMBOLS)


@pytest.mark.parametrize("index", [["0", "1", "2"], ["1", "2", "3"]])
def test_positions_without_names_are_said(index):
    with pytest.warns(GeneNamesWarning, match="have no names .* matched by their position"):
        assert names_in_var(var(index, n_cells=[5, 6, 7]), None) is None


def test_some_of_the_positions_are_refused():
    part = [str(i) for i in range(0, 60, 3)]
    with pytest.raises(ArgumentError, match=r"positions are not names; .* \(it has \['mean'\]\)") as caught:
        names_in_var(var(part, mean=np.ones(len(part))), None)
    assert caught.value.argument == "gene_column"


def test_entrez_numbers_are_a_guess():
    numbers = [str(n) for n in np.random.default_rng(0).choice(100_000, 40, replace=False) + 900]
    with pytest.warns(GeneNamesWarning, match="taken for Entrez numbers, a guess"):
        assert names_in_var(var(numbers), None) == tuple(numbers)


def test_a_chosen_column():
    assert names_in_var(var(SYMBOLS, id=["E1", "E2", None]), "id") == ("E1", "E2", "LYZ")
    assert names_in_var(var(["0", "1", "2"], id=["E1", "E2", None]), "id") == ("E1", "E2", "")
    with pytest.raises(ArgumentError, match=r"gene_column='ID' is not a column of .var; it has \['id'\]"):
        names_in_var(var(SYMBOLS, id=["E1", "E2", "E3"]), "ID")
    with pytest.raises(ArgumentError, match="holds positions .* choose gene_column='symbol'"):
        names_in_var(var(["0", "1", "2"], number=["0", "1", "2"], symbol=SYMBOLS), "number")


def test_columns_of_names():
    table = var(["0", "1", "2"], gene_ids=["E1", "E2", "E3"], Symbol=SYMBOLS, feature_name=["G", "G", None])
    assert find_name_column(table) == "Symbol"  # symbols before ids; one name for several genes is none
    assert find_name_column(table[["feature_name"]]) is None
    assert find_name_column(var(["a"], gene_name=["12"])) is None


def test_names_in_a_frame():
    assert names_in_frame(pd.DataFrame(np.ones((2, 3)))) is None
    assert names_in_frame(pd.DataFrame(np.ones((2, 3)), columns=["V1", "V2", "V3"])) is None
    assert names_in_frame(pd.DataFrame(np.ones((2, 3)), columns=["CD3E", None, "LYZ"])) == ("CD3E", "", "LYZ")
    with pytest.raises(ArgumentError, match="positions name no genes; name the columns"):
        names_in_frame(pd.DataFrame(np.ones((2, 20)), columns=range(0, 60, 3)))


def test_nameless_columns_and_measures_of_cells_are_left_out():
    X = sparse.csr_matrix(np.arange(10.0).reshape(2, 5))
    names = ("CD3E", "", "LYZ", "nCount_RNA", "percent.mt")
    with pytest.warns(GeneNamesWarning) as said:
        kept, genes = keep_genes(X, names)
    texts = [str(warning.message) for warning in said]
    assert "1 of the 5 genes of X have no name" in texts[0] and "(nCount_RNA, percent.mt)" in texts[1]
    assert genes == ("CD3E", "LYZ")
    np.testing.assert_array_equal(kept.toarray(), X.toarray()[:, [0, 2]])
    assert keep_genes(kept, genes) == (kept, genes)
    with pytest.raises(ArgumentError, match="None of the columns of X has the name of a gene"):
        keep_genes(X[:, :2], ("", "nCount_RNA"))
