"""Pickled arrays of texts are read as pickle would; whatever else a pickle holds is refused and not run."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from gene_gcn.cells.stored_objects import read_objects
from gene_gcn.errors import ArgumentError


class RunsCode:
    """An object whose pickle makes a folder when it is loaded."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "values",
    [
        ["T", "B", None, "T", 1.5, True, 70000, "naïve"],
        [],
        ["T"],
        ["a" * 300, "b" * 70_000],
        [-1, 2**40, -(2**70), 0.0, float("inf"), False],
        [f"type {i % 7}" for i in range(3000)],
        ["", "\n", "\\", "'", "日本語"],
    ],
)
def test_arrays_are_read_as_pickle_would_read_them(protocol, values):
    array = np.empty(len(values), object)
    array[:] = values
    assert read_objects(pickle.dumps(array, protocol)).tolist() == values


def test_repeated_values_are_read_from_the_memo():
    one = "a long name of a type"
    array = np.array([one] * 1000 + ["other"] + [one], object)
    data = pickle.dumps(array, 2)
    assert len(data) < 10_000 and read_objects(data).tolist() == array.tolist()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("nested", ["alone", "list", "array", "dictionary", "tuple"])
def test_code_is_refused_and_not_run(tmp_path, protocol, nested):
    evil = RunsCode(tmp_path / "ran")
    data = {
        "alone": evil,
        "list": ["T", evil],
        "array": np.array(["T", evil], object),
        "dictionary": {"T": evil},
        "tuple": ("T", (evil,)),
    }[nested]
    with pytest.raises(ArgumentError, match="it (names|has)"):
        read_objects(pickle.dumps(data, protocol))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["os\nsystem", "builtins\neval", "builtins\nexec", "numpy\nload", "a\nb"])
def test_any_other_name_is_refused(name):
    with pytest.raises(ArgumentError, match=f"it names '{name.replace(chr(10), ' ')}'"):
        read_objects(f"c{name}\n(S'x'\ntR.".encode())


@pytest.mark.parametrize(
    "value", ["text", ["T", "B"], {"T": 1}, np.arange(3), np.array([["T"], ["B"]]), np.array(["T"])]
)
def test_what_is_not_an_array_of_objects_is_refused(value):
    with pytest.raises((ArgumentError, KeyError)):
        read_objects(pickle.dumps(value, 2))


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, (1,), np.float64(1), 1j])
def test_other_values_are_refused(value):
    array = np.empty(1, object)
    array[0] = value
    with pytest.raises(ArgumentError, match=r"it (has|holds|names|is not)"):
        read_objects(pickle.dumps(array, 4))


def test_damaged_pickles_raise_and_run_nothing(tmp_path):
    data = pickle.dumps(np.array(["T", RunsCode(tmp_path / "ran")], object), 4)
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), 3):
            damaged[at] = rng.integers(256)
        try:
            values = read_objects(bytes(damaged[: rng.integers(1, len(data) + 1)]))
        except Exception:  # any type: the reader of HDFStores expects it
            continue
        assert all(v is None or isinstance(v, (str, int, float, bytes)) for v in values)
    assert not (tmp_path / "ran").exists()
