"""Texts of HDF5 files become str, their gaps NaN, and numbers stay what they are."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from gene_gcn.cells.texts import decode


def stored(tmp_path, values, dtype):
    """Return values as HDF5 gives them back."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=values, dtype=dtype)
    with h5py.File(tmp_path / "a.h5") as file:
        return file["x"][()]


@pytest.mark.parametrize("kind", ["fixed", "variable"])
def test_texts_of_fixed_and_variable_length(tmp_path, kind):
    texts = ["CD3E", "", "NA", "naïve", "T cell, γδ"]
    encoded = np.array([text.encode() for text in texts])
    values, dtype = (encoded, encoded.dtype) if kind == "fixed" else (texts, h5py.string_dtype())
    decoded = decode(stored(tmp_path, values, dtype))
    assert decoded.tolist() == texts and decoded.dtype == object


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float32", "bool"])
def test_numbers_stay_the_same_array(tmp_path, dtype):
    numbers = stored(tmp_path, np.arange(3).astype(dtype), dtype)
    assert decode(numbers) is numbers and numbers.dtype == dtype


def test_gaps_become_nan():
    decoded = decode(np.array([b"T", None, float("nan"), "B", 7, True], object))
    assert [v for v in decoded if v == v] == ["T", "B", "7", "True"]
    assert [i for i, v in enumerate(decoded) if v != v] == [1, 2]


def test_bytes_that_are_not_utf8_are_kept_as_far_as_possible():
    assert decode(np.array([b"na\xefve"], "S")).tolist() == ["na\ufffdve"]


def test_empty_array():
    assert decode(np.array([], "S")).tolist() == [] == decode(np.array([], object)).tolist()
