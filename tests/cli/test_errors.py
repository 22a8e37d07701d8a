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


def test_too_little_memory_is_one_line(monkeypatch):
    refused = (
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 26342400 bytes. Error code 12"
    )
    for error, reason in [
        (MemoryError(), "cells or genes. Files"),
        (MemoryError("Unable to allocate 7 GiB"), "(Unable to allocate 7 GiB)"),
        (RuntimeError(f"[enforce fail at alloc_cpu.cpp:127] {refused}"), "(Unable to allocate 25.1 MiB)"),
        (ImportError("a.so: failed to map segment"), "(a.so: failed to map segment)"),
        (OSError(12, "Cannot allocate memory"), "Cannot allocate memory)"),
    ]:
        message = message_for_user(error, spell)
        assert message is not None and message.startswith("There is not enough memory; free some")
        assert reason in message and "\n" not in message
    assert message_for_user(RuntimeError("a bug"), spell) is None
    failed = SystemError("error return without exception set")
    assert message_for_user(failed, spell) is None
    monkeypatch.setattr("gene_gcn.cli.errors.is_memory_limited", lambda: True)
    assert "error return without exception set" in message_for_user(failed, spell)
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
