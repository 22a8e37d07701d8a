"""AnnData files: as anndata writes them, and a full disk is an error like any other."""

from __future__ import annotations

import subprocess
import sys

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn.cells.h5ad import _ErrorKeepingFile, write_h5ad

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
    proba = pd.DataFrame(rng.random((300, 2)), index=cells.obs_names, columns=["B", "T"])
    cells.obsm["gene_gcn_proba"] = proba
    cells.uns["gene_gcn"] = {"types": np.array(["B", "T"], dtype=object)}
    cells.raw = cells
    return cells


def test_file_is_as_anndata_writes_it(cells, tmp_path):
    write_h5ad(tmp_path / "ours.h5ad", cells.copy())
    cells.write_h5ad(tmp_path / "theirs.h5ad", compression="gzip")
    ours, theirs = (ad.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("ours", "theirs"))
    pd.testing.assert_frame_equal(ours.obs, theirs.obs)
    pd.testing.assert_frame_equal(ours.obsm["gene_gcn_proba"], theirs.obsm["gene_gcn_proba"])
    assert (ours.X != theirs.X).nnz == 0 == (ours.raw.X != theirs.raw.X).nnz


def test_every_part_is_written(cells, tmp_path):
    cells.layers["counts"], cells.layers["dense"] = cells.X.tocsc(), cells.X.toarray()
    cells.obsm["X_umap"], cells.varm["loadings"] = np.ones((300, 2)), np.ones((200, 3))
    cells.obsp["distances"] = sparse.eye(300, format="csr")
    cells.uns.update({"log1p": {"base": None}, "colors": np.array(["#fff", "#000"]), "n": 3, "name": "é"})
    cells.var["symbol"] = [f"gene {i % 9}" for i in range(200)]
    write_h5ad(tmp_path / "a.h5ad", cells)
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    for name in ("counts", "dense"):
        np.testing.assert_array_equal(back.to_df(name), cells.to_df(name))
    np.testing.assert_array_equal(back.obsm["X_umap"], cells.obsm["X_umap"])
    np.testing.assert_array_equal(back.varm["loadings"], cells.varm["loadings"])
    assert (back.obsp["distances"] != cells.obsp["distances"]).nnz == 0
    assert back.uns["n"] == 3 and back.uns["name"] == "é" and back.uns["colors"].tolist() == ["#fff", "#000"]
    assert back.uns["log1p"].get("base") is None
    pd.testing.assert_frame_equal(back.var, cells.var)


def test_columns_of_text_become_categories_also_in_raw(cells, tmp_path):
    cells.var["symbol"] = [f"gene {i % 9}" for i in range(200)]
    cells.raw = cells
    write_h5ad(tmp_path / "a.h5ad", cells)
    back = ad.read_h5ad(tmp_path / "a.h5ad")
    for table in (back.obs["text"], back.var["symbol"], back.raw.var["symbol"]):
        assert isinstance(table.dtype, pd.CategoricalDtype)


def test_file_is_replaced_and_can_be_read_backed(cells, tmp_path):
    (tmp_path / "a.h5ad").write_bytes(bytes(10_000_000))
    write_h5ad(tmp_path / "a.h5ad", cells)
    assert (tmp_path / "a.h5ad").stat().st_size < 1_000_000
    backed = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    assert (backed.X[:5] != cells.X[:5]).nnz == 0
    backed.file.close()


@pytest.mark.parametrize("n", [0, 1])
def test_few_cells(cells, tmp_path, n):
    write_h5ad(tmp_path / "a.h5ad", cells[:n].copy())
    assert ad.read_h5ad(tmp_path / "a.h5ad").shape == (n, 200)


def test_first_error_is_kept_and_what_follows_ignored(tmp_path):
    class Full:
        """A file on a disk with room for five bytes."""

        def __init__(self, file):
            self.file, self.room, self.calls = file, 5, 0

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            self.calls += 1
            if not self.room:
                raise OSError(28, f"No space left on device, call {self.calls}")
            part = bytes(data)[: self.room]
            self.room -= len(part)
            return self.file.write(part)

    with open(tmp_path / "a", "w+b", buffering=0) as file:
        full = Full(file)
        kept = _ErrorKeepingFile(full)
        assert kept.write(b"abcdefgh") == 8 and kept.write(b"ijk") == 3
        assert str(kept.error) == "[Errno 28] No space left on device, call 2" and full.calls == 2
        kept.seek(0)
        buffer = bytearray(8)
        assert kept.readinto(buffer) == 8 and bytes(buffer) == b"abcde\0\0\0"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
@pytest.mark.parametrize("size", [100, 5_000, 60_000])
@pytest.mark.parametrize("ending", [".h5ad", ".csv"])
def test_full_disk_is_one_sentence_and_leaves_nothing(cells, tmp_path, ending, size):
    cells.write_h5ad(tmp_path / "cells.h5ad")
    out = tmp_path / "out" / f"o{ending}"
    command = [sys.executable, "-c", FULL, str(tmp_path / "cells.h5ad"), str(out), str(size)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    if ending == ".csv" and size == 60_000:
        assert out.is_file()
        return
    assert "File too large, so nothing was written; free some space" in run.stdout
    assert run.stdout.count("\n") == 1 and "Traceback" not in run.stderr
    assert list(out.parent.iterdir()) == []
