"""Every script can be imported and explains itself, as documentation cites them."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).resolve().parents[1] / "scripts").glob("[!_]*.py"))


def test_scripts_are_found():
    assert {path.name for path in SCRIPTS} >= {"import_cost.py", "matched_genes.py"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_can_be_imported(path, monkeypatch):
    monkeypatch.syspath_prepend(path.parent)  # as Python does for a script
    spec = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.__doc__ and callable(module.main)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_explain_themselves(path):
    if "argparse" not in path.read_text(encoding="utf-8"):
        pytest.skip("takes no arguments")
    done = subprocess.run([sys.executable, str(path), "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
