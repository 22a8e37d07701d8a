from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gene_gcn.cli.memory import LEAST

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are those of Linux")


def run_within(limit: int, *arguments: object) -> subprocess.CompletedProcess:
    code = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))\n"
        "from gene_gcn.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_limit_that_libraries_exceed_is_refused(folder, tmp_path):
    """Below some 700 MB the C library ends the process; somewhat above, OpenBLAS waits forever."""
    train = ["train", folder / "train.h5ad", "-l", "cell_type", "-o", tmp_path / "m"]
    predict = ["predict", folder / "query.h5ad", "-m", folder / "model", "-o", tmp_path / "p.csv"]
    demo = ["demo", "--out", tmp_path / "demo"]
    reproduce = ["reproduce", "--out", tmp_path / "r"]
    accuracy = ["benchmark", "accuracy", folder / "train.h5ad", "-l", "cell_type", "-o", tmp_path / "b"]
    edges = folder / "edges.tsv"
    epochs = ["benchmark", "epochs", folder / "train.h5ad", "-l", "cell_type", "--network", edges]
    flips = ["benchmark", "label-errors", folder / "train.h5ad", "-l", "cell_type", "-o", tmp_path / "f.csv"]
    suspicious = ["suspicious", folder / "train.h5ad", "-l", "cell_type", "-o", tmp_path / "s.csv"]
    measured = [epochs, flips, ["benchmark", "attention"], ["benchmark", "kernels", edges]]
    for arguments in (train, predict, demo, reproduce, accuracy, suspicious, *measured):
        result = run_within(600 << 20, *arguments)
        assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.stderr
        assert "limited to 629 MB, but loading its libraries takes about 1,000 MB; raise" in result.stderr
    assert os.listdir(tmp_path) == []
    assert run_within(600 << 20, "--help").returncode == 0


def test_a_limit_gives_the_right_result_or_one_sentence(folder, tmp_path):
    """How much the libraries take depends on their build."""
    expected = (folder / "model" / "model.safetensors").read_bytes()
    edges = folder / "edges.tsv"
    for i, limit in enumerate((LEAST, 1300 << 20, 8 << 30)):
        model = tmp_path / f"m{i}"
        options = ["-l", "cell_type", "-o", model, "--seed", "0", "--max-epochs", "4", "--network", edges]
        result = run_within(limit, "train", folder / "train.h5ad", *options)
        if result.returncode == 0:
            assert (model / "model.safetensors").read_bytes() == expected
        else:
            assert result.returncode == 2 and limit < 8 << 30, result.stderr
            assert result.stderr.startswith("gene-gcn: error: There is not enough memory; free some")
            assert result.stderr.count("\n") == 1 and not model.exists()


def test_openblas_starts_no_threads_within_a_limit(monkeypatch):
    import resource

    from gene_gcn.cli.memory import prepare_for_memory_limit

    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "to be restored")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    monkeypatch.setattr(resource, "getrlimit", lambda what: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    prepare_for_memory_limit()
    assert "OPENBLAS_NUM_THREADS" not in os.environ
    monkeypatch.setattr(resource, "getrlimit", lambda what: (4 << 30, resource.RLIM_INFINITY))
    prepare_for_memory_limit()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    prepare_for_memory_limit()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
