from __future__ import annotations

import copy
import errno
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial

import pytest

from gene_gcn import errors
from gene_gcn.errors import (
    Argument,
    ArgumentError,
    DivergenceError,
    GeneGCNWarning,
    MissingGenesWarning,
    ScaleWarning,
    is_out_of_memory,
    warn,
)


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        (Argument("layer", "counts"), "layer='counts'"),
        (Argument("channels", 2), "channels=2"),
        (Argument("gene_column", None), "gene_column=None"),
        (Argument("organism"), "organism="),
        (Argument("layer", "x" * 200), "layer='" + 79 * "x"),
    ],
)
def test_arguments_are_written_as_in_python(argument, text):
    assert str(argument) == text


def test_errors_have_an_argument_and_a_message_in_parts():
    parts = (Argument("layer", "a"), " is absent; pass ", Argument("use_raw", True), ".")
    error = ArgumentError("layer", *parts)
    assert isinstance(error, ValueError)
    assert error.argument == "layer" and error.parts == parts
    assert str(error) == "layer='a' is absent; pass use_raw=True."
    assert error.spelled(lambda argument: f"<{argument.name}>") == "<layer> is absent; pass <use_raw>."
    again = ArgumentError(error.argument, "X: ", *error.parts)
    assert str(again) == f"X: {error}" and again.parts[1:] == parts
    assert issubclass(DivergenceError, FloatingPointError)
    assert str(DivergenceError("try ", Argument("learning_rate", 0.1))) == "try learning_rate=0.1"


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@pytest.mark.parametrize(
    "message",
    [
        ArgumentError("layer", Argument("layer", "a"), " or ", Argument("use_raw")),
        DivergenceError("try ", Argument("learning_rate", 0.1)),
        MissingGenesWarning("no ", Argument("genes")),
    ],
    ids=lambda message: type(message).__name__,
)
def test_messages_survive_copies_between_processes(message, duplicate):
    again = duplicate(message)
    assert type(again) is type(message) and str(again) == str(message)
    assert again.parts == message.parts and vars(again) == vars(message)


def test_every_warning_has_a_category():
    categories = [value for name, value in vars(errors).items() if name.endswith("Warning")]
    assert len(categories) > 5 and all(issubclass(category, GeneGCNWarning) for category in categories)
    assert issubclass(GeneGCNWarning, UserWarning)


def test_warnings_are_filtered_by_category():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", MissingGenesWarning)
        warn(MissingGenesWarning("5 genes are missing"))
        warn(ScaleWarning("the scale of ", Argument("layer", "a"), " was guessed"))
    assert [str(warning.message) for warning in caught] == ["the scale of layer='a' was guessed"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", GeneGCNWarning)
        with pytest.raises(ScaleWarning):
            warn(ScaleWarning("guessed"))


def test_warnings_point_at_the_line_of_the_user():
    """However deep in the package they are issued."""
    deep = _function_of("gene_gcn", _function_of("gene_gcn.cells.scale", _warn))
    with pytest.warns(ScaleWarning) as caught:
        deep()
    assert caught[0].filename == __file__


def test_packages_with_a_similar_name_are_outside():
    with pytest.warns(ScaleWarning) as caught:
        _function_of("gene_gcn_extra", _function_of("gene_gcn.cells", _warn))()
    assert caught[0].filename == "gene_gcn_extra.py"


_warn = partial(warn, ScaleWarning("guessed"))


def _function_of(module: str, function: Callable[[], None]) -> Callable[[], None]:
    """Return a function of `module` that calls another one."""
    namespace: dict = {"__name__": module, "function": function}
    exec(compile("def call():\n    function()", f"{module}.py", "exec"), namespace)
    return namespace["call"]


def test_errors_import_nothing_heavy():
    code = "import sys, gene_gcn.errors; print([m for m in ('numpy', 'torch', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 7 GiB"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes"),
        RuntimeError("can't start new thread"),
        ValueError("Error tokenizing data. C error: out of memory"),
        ImportError("a.so: failed to map segment from shared object"),
    ],
)
def test_errors_for_want_of_memory_are_known_also_as_causes(error):
    assert is_out_of_memory(error)
    other = ImportError("This library seems to be broken.")
    assert not is_out_of_memory(other)
    other.__cause__ = error
    assert is_out_of_memory(other)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), RuntimeError("a bug"), ImportError("No module")]
)
def test_other_errors_are_not_for_want_of_memory(error):
    assert not is_out_of_memory(error)
