from __future__ import annotations

import warnings

import numpy as np
import pytest

from gene_gcn.cli.errors import message_for_user, warnings_in_one_line
from gene_gcn.errors import Argument, ArgumentError, DivergenceError, MissingGenesWarning


def spell(argument: Argument) -> str:
    return f"<{argument.name}>"


def test_errors_of_the_package_are_spelled_as_options():
    parts = (Argument("layer", "a"), " is not\n  there; pass ", Argument("use_raw", True))
    assert message_for_user(ArgumentError("layer", *parts), spell) == "<layer> is not there; pass <use_raw>"
    assert message_for_user(DivergenceError("a smaller ", Argument("lr")), spell) == "a smaller <lr>"


def test_os_errors_are_one_line():
    error = OSError(28, "No space left on device", "p.csv")
    assert message_for_user(error, spell) == "No space left on device: p.csv"
    assert message_for_user(FileNotFoundError("There is\nno file."), spell) == "There is no file."


def test_too_little_memory_is_one_line():
    torch_error = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes")
    library_error = ImportError("a.so: failed to map segment from shared object")
    for error in (MemoryError(), MemoryError("Unable to allocate 7 GiB"), torch_error, library_error):
        message = message_for_user(error, spell)
        assert message is not None and message.startswith("There is not enough memory; free some")
        assert str(error) in message and "\n" not in message
    assert message_for_user(RuntimeError("a bug"), spell) is None
    assert message_for_user(ImportError("No module named x"), spell) is None


def test_errors_of_libraries_are_bugs():
    with pytest.raises(ValueError, match="reshape") as caught:
        np.zeros(2).reshape(3)
    assert message_for_user(caught.value, spell) is None
    assert message_for_user(TypeError("a bug"), spell) is None


def test_only_warnings_for_users_are_printed(capsys):
    with warnings_in_one_line(spell):
        warnings.warn(MissingGenesWarning("no ", Argument("genes")), stacklevel=1)
        warnings.warn("the driver\nis old", UserWarning, stacklevel=1)
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        warnings.warn("will change", FutureWarning, stacklevel=1)
    lines = ["gene-gcn: warning: no <genes>", "gene-gcn: warning: the driver is old"]
    assert capsys.readouterr().err.splitlines() == lines
