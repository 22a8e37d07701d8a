from __future__ import annotations

import subprocess
import sys
import time

import pytest
from command_line import run

from gene_gcn import __version__
from gene_gcn.cli import main

PROGRAM = [sys.executable, "-c", "import sys; from gene_gcn.cli import main; sys.exit(main())"]


def run_process(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=120, **options)


def test_help_is_fast_and_lists_the_commands():
    start = time.perf_counter()
    result = run_process("--help")
    assert result.returncode == 0 and time.perf_counter() - start < 3  # 0.2 s on an idle core
    assert all(command in result.stdout for command in ("demo", "train", "predict", "evaluate"))
    code = (
        "import sys; import gene_gcn.cli.program; heavy = ('torch', 'pandas', 'numpy', 'scanpy', 'sklearn'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_version_and_no_arguments(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"gene-gcn {__version__}"
    assert main([]) == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["demo", "train", "predict", "evaluate", "fetch", "networks", "reproduce", "benchmark"]
)
def test_every_command_has_help(command):
    assert main([command, "--help"]) == 0


def test_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "gene_gcn", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"gene-gcn {__version__}\n")


def test_mistake_in_its_own_process(tmp_path):
    result = run_process("train", "absent.h5ad", "--label", "x", "--out", "m", cwd=tmp_path)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr == "gene-gcn: error: The cell file 'absent.h5ad' does not exist.\n"


def test_bugs_raise_and_full_disks_do_not(folder, tmp_path, error_of, monkeypatch):
    arguments = ["predict", folder / "query.h5ad", "-m", folder / "model", "-o", tmp_path / "p.csv"]

    def fail_with(error):
        def fail(*args, **options):
            raise error

        monkeypatch.setattr("gene_gcn.cli.predict.write_predictions", fail)

    fail_with(KeyError("a bug"))
    with pytest.raises(KeyError):
        run(*arguments)
    fail_with(ValueError("a bug of a library"))
    with pytest.raises(ValueError, match="a bug of a library"):
        run(*arguments)
    fail_with(OSError(28, "No space left on device", "p.csv"))
    assert "No space left" in error_of(*arguments)
    fail_with(KeyboardInterrupt())
    assert run(*arguments) == 130
