"""AnnData files: as anndata writes them, and a full disk is an error like any other."""

from __future__ import annotations

import subprocess
import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn.cells.h5ad import write_h5ad

FULL = """
import os, resource, sys
import anndata as ad
from gene_gcn.cells.predictions import write_predictions
cells = ad.read_h5ad(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    write_predictions(sys.argv[2], cells)
except OSError as error:
    print(error)
"""


@pytest.fixture
def cells() -> ad.AnnData:
    rng = np.random.default_rng(0)
    cells = ad.AnnData(sparse.random(300, 200, 0.2, "csr", np.float32, random_state=0))
    cells.obs["gene_gcn"] = pd.Categorical(np.array(["B", "T"])[np.arange(300) % 2])
    cells.obs["gene_gcn_confidence"] = rng.random(300)
    cells.obs["text"] = [f"donor {i % 3}" for i in range(300)]
    cells.obsm["proba"] = pd.DataFrame(rng.random((300, 2)), index=cells.obs_names, columns=["B", "T"])
    cells.raw = cells
    return cells


def test_file_is_as_anndata_writes_it(cells, tmp_path):
    write_h5ad(tmp_path / "ours.h5ad", cells.copy())
    cells.write_h5ad(tmp_path / "theirs.h5ad", compression="gzip")
    ours, theirs = (ad.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("ours", "theirs"))
    pd.testing.assert_frame_equal(ours.obs, theirs.obs)
    pd.testing.assert_frame_equal(ours.obsm["proba"], theirs.obsm["proba"])
    assert (ours.X != theirs.X).nnz == 0 == (ours.raw.X != theirs.raw.X).nnz


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
@pytest.mark.parametrize("size", [100, 5_000, 60_000])
@pytest.mark.parametrize("ending", [".h5ad", ".csv"])
def test_full_disk_is_one_sentence_and_leaves_nothing(cells, tmp_path, ending, size):
    cells.write_h5ad(tmp_path / "cells.h5ad")
    out = tmp_path / "out" / f"o{ending}"
    command = [sys.executable, "-c", FULL, str(tmp_path / "cells.h5ad"), str(out), str(size)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    if ending == ".csv" and size >= 5_000:
        assert out.is_file()
        return
    assert "File too large, so nothing was written; free some space" in run.stdout
    assert run.stdout.count("\n") == 1 and "Traceback" not in run.stderr
    assert list(out.parent.iterdir()) == []
