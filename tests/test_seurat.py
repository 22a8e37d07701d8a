"""docs/guide/seurat.md runs from top to bottom, where there is R with Seurat."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from scipy.io import mmread

import gene_gcn

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "guide" / "seurat.md").read_text(encoding="utf-8")
CHECKS = """
stopifnot(identical(rownames(types), colnames(sce)), !anyNA(cells[["gene_gcn_label"]]), !anyNA(sce$label))
write.csv(cells[[]], "meta_data.csv")
"""


@pytest.fixture(scope="module")
def rscript() -> str:
    """The program Rscript, if it has the packages of the page."""
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("needs R: Rscript is not on the PATH")
    for package in sorted(set(re.findall(r"library\((\w+)\)", PAGE))):
        if subprocess.run([program, "-e", f"library({package})"], capture_output=True).returncode:
            pytest.skip(f"needs the R package {package}")
    return program


def as_r(kind: str, code: str) -> str:
    """Return a block of the page as R: all run in one session, so that they share its variables."""
    if kind == "r":
        return code
    if kind == "python":
        Path("block.py").write_text(code, encoding="utf-8")
        lines = ["block.py"]
    else:
        lines = [f"-m {line.replace('gene-gcn', 'gene_gcn', 1)}" for line in code.splitlines()]
    python = f"env -u LD_LIBRARY_PATH {sys.executable}"  # R sets it, to libraries of another Python
    return "".join(f"stopifnot(system('{python} {line}') == 0)\n" for line in lines)


def test_page_runs_and_types_reach_their_cells(rscript, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(gene_gcn.__file__).parents[1]))
    blocks = re.findall(r"^```(r|sh|python)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert {kind for kind, _ in blocks} == {"r", "sh", "python"}
    Path("page.R").write_text("".join(as_r(*block) for block in blocks) + CHECKS, encoding="utf-8")
    done = subprocess.run([rscript, "page.R"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "650 of the model's 765 genes" in done.stderr  # as the page says
    assert "650 of the 765 genes" in PAGE

    told, read = pd.read_csv("types.csv", index_col=0), pd.read_csv("meta_data.csv", index_col=0)
    assert list(told.columns) == ["label", "confidence", "second_label", "second_confidence"]
    assert (read.loc[told.index, "gene_gcn_label"] == told["label"]).all()
    assert (read["gene_gcn_confidence"] > 0).all()
    # The demo's model knows the cells that express a marker of B cells.
    genes = Path("my_cells/features.tsv").read_text().split()
    counts = mmread("my_cells/matrix.mtx").tocsr()
    is_b = (counts[genes.index("MS4A1")] + counts[genes.index("CD79A")]).toarray()[0] > 1
    assert (told["label"][is_b] == "CD19+ B").mean() > 0.7
