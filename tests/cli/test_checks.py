from __future__ import annotations

import subprocess
import sys

import pytest

from gene_gcn.cli.checks import check_output_file, check_output_folder


@pytest.mark.parametrize(
    "options",
    [
        ["predict", "absent.h5ad", "-m", "m"],
        ["train", "absent.h5ad", "-l", "x", "-o", "m"],
        ["train", __file__, "-l", "x", "-o", "m"],
    ],
)
def test_mistakes_in_paths_are_found_before_libraries_are_loaded(tmp_path, options):
    code = (
        "import sys; from gene_gcn.cli import main; status = main(sys.argv[1:]); "
        "print([name for name in ('torch', 'numpy', 'pandas') if name in sys.modules]); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *options], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "[]\n"), done.stderr


def test_new_folders_and_files_are_accepted(tmp_path):
    check_output_folder(tmp_path / "a" / "b")
    check_output_file(tmp_path / "a" / "p.csv", tmp_path / "cells.h5ad", force=False)
    assert list(tmp_path.iterdir()) == []


def test_folders_without_permission_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(PermissionError, match="no permission to write"):
        check_output_folder(tmp_path / "a")
