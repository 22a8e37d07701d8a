"""The commands and the example of docs/guide/report.md run, word for word, on small cells."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import make_cells, run
from report_pages import Page, assert_sound

ROOT = Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "guide" / "report.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^gene-gcn (.+)$", DOCS, flags=re.MULTILINE)


@pytest.fixture
def folder(clf, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    clf.save("model")
    make_cells(1)[:15].copy().write_h5ad("query.h5ad")  # so few that no UMAP is computed
    return tmp_path


def test_commands_run(folder):
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        words = shlex.split(command)
        assert run(*words) == 0
        assert_sound(Page.read(folder / next(word for word in words if word.endswith(".html"))))


def test_example_runs(folder):
    (example,) = re.findall(r"```py\n(.*?)```", DOCS, flags=re.DOTALL)
    before = (
        "import anndata\nfrom gene_gcn import GeneGCNClassifier\n"
        "clf, query = GeneGCNClassifier.load('model'), anndata.read_h5ad('query.h5ad')\n"
    )
    path = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", before + example], cwd=folder, env=path, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert "Against known types" in Page.read(folder / "report.html").text
