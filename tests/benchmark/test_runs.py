"""Finished runs of several processes in one folder."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gene_gcn.benchmark.runs import RunStore
from gene_gcn.errors import ArgumentError

ADD = """
import sys
from gene_gcn.benchmark.runs import RunStore
store = RunStore(sys.argv[1])
for i in range(40):
    store[f"{sys.argv[2]}{i}"] = {"accuracy": i}
"""


def test_benchmarks_in_one_folder_lose_nothing(tmp_path):
    processes = [subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path), name]) for name in "ab"]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    stored = json.loads((tmp_path / "runs.json").read_text())
    assert stored == {f"{name}{i}": {"accuracy": i} for name in "ab" for i in range(40)}
    assert [file.name for file in tmp_path.iterdir()] == ["runs.json"]


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000])
def test_damaged_runs_are_reported(tmp_path, text):
    (tmp_path / "runs.json").write_text(text)
    with pytest.raises(ArgumentError, match="delete it to run all again"):
        RunStore(tmp_path)
