from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from command_line import run
from json_output import check, run_json

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
    "command",
    [
        "demo",
        "train",
        "predict",
        "evaluate",
        "explain",
        "suspicious",
        "fetch",
        "networks",
        "reproduce",
        "benchmark",
    ],
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


def test_bugs_raise_and_full_disks_do_not(folder, tmp_path, error_of, monkeypatch, capsys):
    arguments = ["predict", folder / "query.h5ad", "-m", folder / "model", "-o", tmp_path / "p.csv"]

    def fail_with(error):
        def fail(*args, **options):
            raise error

        monkeypatch.setattr("gene_gcn.cli.predict.write_predictions", fail)

    fail_with(KeyError("a bug"))
    with pytest.raises(KeyError):
        run(*arguments)
    capsys.readouterr()
    with pytest.raises(KeyError):
        run(*arguments, "--json")
    output = check(json.loads(capsys.readouterr().out), ("predict",))
    assert output["status"] == 1 and output["error"]["type"] == "KeyError"
    fail_with(ValueError("a bug of a library"))
    with pytest.raises(ValueError, match="a bug of a library"):
        run(*arguments)
    fail_with(OSError(28, "No space left on device", "p.csv"))
    assert "No space left" in error_of(*arguments)
    assert run_json(capsys, *arguments, status=2)["error"]["type"] == "OSError"
    fail_with(KeyboardInterrupt())
    assert run(*arguments) == 130
    assert run_json(capsys, *arguments, status=130)["error"]["message"] == "interrupted"


def environment(**variables):
    return {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **variables}


@pytest.mark.parametrize(
    "variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}, {}]
)
def test_output_that_is_not_utf8(folder, tmp_path, variables):
    query = tmp_path / "Zellen_é_細胞.h5ad"
    shutil.copy(folder / "query.h5ad", query)
    out = tmp_path / "typ_é.csv"
    result = subprocess.run(
        [*PROGRAM, "predict", query, "-m", folder / "model", "-o", out],
        capture_output=True,
        timeout=120,
        env=environment(**variables),
    )
    assert (result.returncode, result.stderr.count(b"Traceback")) == (0, 0), result.stderr
    assert out.exists() and b"typ_" in result.stdout
    missing = subprocess.run(
        [*PROGRAM, "predict", tmp_path / "fehlt_細.h5ad", "-m", folder / "model", "-o", out],
        capture_output=True,
        timeout=120,
        env=environment(**variables),
    )
    assert missing.returncode == 2 and missing.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux")
def test_file_names_that_are_not_utf8(folder, tmp_path):
    query = os.fsencode(tmp_path) + b"/query_\xff.h5ad"
    shutil.copy(folder / "query.h5ad", query)
    out = os.fsencode(tmp_path) + b"/types_\xfe.csv"
    command = [*PROGRAM, "predict", query, "-m", folder / "model", "-o", out]
    result = subprocess.run(command, capture_output=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, b"")
    assert os.path.exists(out)
    os.unlink(out)
    command[len(PROGRAM) + 1] = os.fsencode(tmp_path) + b"/absent_\xff.h5ad"
    result = subprocess.run(command, capture_output=True, timeout=120)
    assert result.returncode == 2 and result.stderr.startswith(b"gene-gcn: error: The cell file")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_closed_pipe_is_no_error_and_the_work_is_done(folder, tmp_path):
    out = tmp_path / "types.csv"
    predict = ["predict", folder / "query.h5ad", "-m", folder / "model", "-o", out]
    for arguments in (predict, ["--help"]):
        reader, writer = os.pipe()
        os.close(reader)
        result = subprocess.run(
            [*PROGRAM, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120
        )
        os.close(writer)
        assert (result.returncode, result.stderr) == (0, "")
    assert out.exists()
    command = " ".join(map(str, [*PROGRAM[:2], f"'{PROGRAM[2]}'", *predict, "--force", "--json"]))
    for redirected in ("| true", ">&-", "2>&-"):
        script = f"set -o pipefail; {command} {redirected}"
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)
        assert (result.returncode, "Traceback" in result.stderr) == (0, False), result.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_a_full_disk_behind_stdout_is_one_line(folder, tmp_path):
    for option in ((), ("--json",)):
        with open("/dev/full", "w") as full:
            arguments = ["predict", folder / "query.h5ad", "-m", folder / "model", "--force", *option]
            result = subprocess.run(
                [*PROGRAM, *arguments, "-o", tmp_path / "types.csv"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=120,
            )
        assert result.returncode == 2 and "Traceback" not in result.stderr
        assert result.stderr.splitlines()[-1].endswith("No space left on device")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupted_command_says_so_in_json(folder, tmp_path):
    code = (
        "import sys, time; from gene_gcn.cli import main; import gene_gcn.cli.predict as p\n"
        "def wait(*a, **k):\n    print('waiting', file=sys.stderr, flush=True)\n    time.sleep(60)\n"
        "p.write_predictions = wait\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["predict", folder / "query.h5ad", "-m", folder / "model", "-o", tmp_path / "p.csv", "--json"]
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert any(line == "waiting\n" for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    output = check(json.loads(out), ("predict",))
    assert process.returncode == output["status"] == 130 and err == "gene-gcn: interrupted\n"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process are those of Linux")
def test_a_memory_limit_is_one_sentence(folder, tmp_path):
    out = tmp_path / "types.csv"
    out.write_text("precious")
    code = (
        "import resource, sys, torch; from gene_gcn.cli import main; import gene_gcn.cli.predict as p\n"
        "import numpy as np\n"
        "def greedy(*a, **k): return np.ones(10**12)\n"
        "p.write_predictions = greedy\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["predict", folder / "query.h5ad", "-m", folder / "model", "-o", out, "--force"]
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))\n{code}"
    result = subprocess.run(
        [sys.executable, "-c", limit, *arguments], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 2 and result.stderr.count("\n") == 1
    assert result.stderr.startswith("gene-gcn: error: There is not enough memory; free some")
    assert out.read_text() == "precious"
