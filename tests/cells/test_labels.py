"""One label per cell, from a column or given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from example_cells import make_cells

from gene_gcn.cells import read_labels
from gene_gcn.errors import ArgumentError, LabelWarning


def test_labels_from_a_column_or_given():
    adata = make_cells()
    labels = adata.obs["cell_type"]
    expected = np.asarray(labels, dtype=object)
    for y in ("cell_type", labels, labels.astype(object), list(labels), expected[:, None]):
        out = read_labels(adata, y)
        assert out.shape == (60,)
        np.testing.assert_array_equal(out, expected)
    integers = pd.Series(pd.Categorical(np.arange(60) % 3))
    assert read_labels(adata.X, integers).dtype.kind == "i"


def test_unusable_labels():
    adata = make_cells()
    with pytest.raises(
        ArgumentError, match=r"y='celltype' is not.*Did you mean 'cell_type'\?.*\['cell_type'\]"
    ):
        read_labels(adata, "celltype")
    with pytest.raises(ArgumentError, match="names a column of .obs, but X is a csr_matrix"):
        read_labels(adata.X, "cell_type")
    with pytest.raises(ArgumentError, match=r"shape \(59,\), but X has 60 cells"):
        read_labels(adata, list(adata.obs["cell_type"])[1:])
    with pytest.raises(ArgumentError, match="y to be passed"):
        read_labels(adata, None)
    with pytest.raises(ArgumentError, match=r"shape \(1,\), but X has 60 cells.*, or y='cell_type'\."):
        read_labels(adata, ["cell_type"])
    with pytest.raises(ArgumentError, match="all 60 are missing or empty"):
        read_labels(adata, [None] * 60, allow_missing=True)
    with pytest.raises(ArgumentError, match="1 class .B., but at least 2"):
        read_labels(adata, ["B"] * 60, min_classes=2)
    twice = adata.copy()
    twice.obs = pd.concat([adata.obs, adata.obs], axis=1)
    with pytest.raises(ArgumentError, match="y='cell_type' names 2 columns of .obs; rename all but one"):
        read_labels(twice, "cell_type")
    for missing in (None, np.nan, pd.NA, ""):
        y = pd.Series(adata.obs["cell_type"].astype(object))
        y.iloc[[4, 7]] = missing
        adata.obs["holes"] = y
        with pytest.raises(ArgumentError, match="2 labels are missing or empty .cells cell4, cell7."):
            read_labels(adata, "holes")


@pytest.mark.parametrize("as_frame", [False, True])
@pytest.mark.parametrize("form", [pd.Series, pd.DataFrame])
def test_labels_are_aligned_by_the_names_of_the_cells(form, as_frame):
    adata = make_cells()
    X = adata.to_df() if as_frame else adata
    labels = form(adata.obs["cell_type"].astype(object))
    np.testing.assert_array_equal(read_labels(X, labels[::-1]), adata.obs["cell_type"])
    unnamed = labels.reset_index(drop=True)  # in the order of the cells
    np.testing.assert_array_equal(read_labels(X, unnamed), adata.obs["cell_type"])


def test_labels_of_other_cells_are_refused():
    adata = make_cells()
    labels = adata.obs["cell_type"]
    with pytest.raises(ArgumentError, match=r"60 cells, none of the cells of X among them .*pass y.to_numpy"):
        read_labels(adata, labels.rename(lambda name: f"{name}-1"))
    some = labels.rename({"cell3": "cell99"})
    with pytest.raises(ArgumentError, match="59 of the 60 cells of X among them"):
        read_labels(adata.to_df(), some)
    with pytest.raises(ArgumentError, match="60 of the 60 cells of X"):
        read_labels(adata, pd.concat([labels, labels.rename(lambda name: f"{name}-1")]))
    twice = adata.to_df()
    twice.index = ["a", *twice.index[1:-1], "a"]
    repeated = pd.Series(list(labels), index=twice.index)
    with pytest.raises(ArgumentError, match="names of cells that repeat, in a different order"):
        read_labels(twice, repeated.iloc[[1, 0, *range(2, 60)]])
    np.testing.assert_array_equal(read_labels(twice, repeated), labels)


def test_an_order_that_could_mean_two_things_is_refused():
    X = make_cells().to_df().reset_index(drop=True)
    labels = pd.Series(list("ab" * 30))
    with pytest.raises(ArgumentError, match="different order, but the index of X is only 0, 1"):
        read_labels(X, labels[::-1])
    moved = labels.set_axis(np.arange(60) + 7)
    np.testing.assert_array_equal(read_labels(X, moved), labels)


@pytest.mark.parametrize("text", ["nan", "NaN", "None", "NA", "<NA>", "null", " nan "])
def test_text_for_missing_labels_is_missing(text):
    adata = make_cells()
    labels = adata.obs["cell_type"].astype(str)
    labels.iloc[:5] = text
    adata.obs["cell_type"] = labels.astype("category")
    message = f"5 labels are missing or empty, 5 of them text .*{text.strip()!r}"
    with pytest.raises(ArgumentError, match=message):
        read_labels(adata, "cell_type")
    with pytest.warns(LabelWarning, match=message):
        read_labels(adata, "cell_type", allow_missing=True)


@pytest.mark.parametrize("kind", [np.int64, np.float32, int, np.uint8, bool, np.bool_])
def test_numbers_among_objects_become_an_array_of_numbers(kind):
    adata = make_cells()
    values = np.array([kind(i % 2) for i in range(60)], dtype=object)
    labels = read_labels(adata, values)
    assert labels.dtype.kind in "ifb" and labels.tolist() == values.tolist()
    values[3] = None
    labels = read_labels(adata, values, allow_missing=True)
    assert labels[3] is None and not isinstance(labels[4], np.generic)


GAPS = np.arange(60) < 5
NUMBERS = np.arange(60) % 3


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series(np.where(GAPS, None, NUMBERS), dtype="Int64"),
        pd.DataFrame({"y": pd.array(np.where(GAPS, None, NUMBERS), dtype="Int64")}),
        pd.array(np.where(GAPS, None, NUMBERS), dtype="Int8"),
        pd.Series(pd.Categorical(np.where(GAPS, None, NUMBERS), categories=[2, 1, 0, 7])),
        np.ma.masked_array(NUMBERS, mask=GAPS),
    ],
    ids=["Int64", "frame", "Int8", "categorical", "masked"],
)
def test_whole_numbers_stay_whole_beside_missing_ones(labels):
    found = read_labels(make_cells(), labels, allow_missing=True)
    assert found[:5].tolist() == [None] * 5 and repr(found[5:].tolist()) == repr(NUMBERS[5:].tolist())
    with pytest.raises(ArgumentError, match="5 labels are missing"):
        read_labels(make_cells(), labels)


def test_masked_text_is_missing():
    text = np.array(["a", "b", "c"])[NUMBERS]
    found = read_labels(make_cells(), np.ma.masked_array(text, mask=GAPS), allow_missing=True)
    assert found.tolist() == [None] * 5 + text[5:].tolist()
    np.testing.assert_array_equal(read_labels(make_cells(), np.ma.masked_array(text)), text)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_numbers_of_unusual_width_become_usual(dtype):
    assert read_labels(make_cells(), NUMBERS.astype(dtype)).dtype == np.float64


@pytest.mark.parametrize("value", [np.inf, -np.inf, 2**70])
def test_numbers_that_files_cannot_hold_are_refused(value):
    with pytest.raises(ArgumentError, match=f"y has the label {value}, which is not a number of 64 bits"):
        read_labels(make_cells(), np.array([1, value, 2], dtype=object)[NUMBERS])


@pytest.mark.parametrize("name", ["Cell Type", "CELLTYPE", "cell-types"])
def test_columns_of_a_similar_name_are_suggested(name):
    with pytest.raises(ArgumentError, match=r"Did you mean 'cell_type'\?"):
        read_labels(make_cells(), name)


def test_labels_of_no_single_kind_are_refused():
    adata = make_cells()
    with pytest.raises(
        ArgumentError, match=r"2 numbers \(0, 1\) and 1 text \('NK'\).*convert all of them to text"
    ):
        read_labels(adata, np.array([0, 1, "NK"] * 20, dtype=object))
    with pytest.raises(ArgumentError, match=r"mixes 1 truth value .* and 1 number"):
        read_labels(adata, np.array([True, 5] * 30, dtype=object))
    with pytest.raises(ArgumentError, match=r"labels of type Timestamp \(such as 2020-01-01"):
        read_labels(adata, [pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01")] * 30)
    with pytest.raises(ArgumentError, match="labels of type timedelta64"):
        read_labels(adata, np.timedelta64(1, "s") * np.arange(60))
    with pytest.raises(ArgumentError, match=r"the label 'T\\x00 cell'.*rename this type"):
        read_labels(adata, ["T\0 cell", "B"] * 30)
    with pytest.raises(ArgumentError, match=r"labels of type list \(such as \['a'\]"):
        read_labels(adata, pd.Series([["a"]] * 60))
