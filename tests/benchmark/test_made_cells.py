"""Made cells are like the real ones they are made from, and the same however they are written."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn.benchmark.made_cells import STREAM, CellMaker, write_made_cells
from gene_gcn.errors import ArgumentError


@pytest.fixture(scope="module")
def real():
    """Counts of 400 cells of three types, of different depths."""
    rng = np.random.default_rng(0)
    y = rng.choice(3, 400, p=[0.6, 0.3, 0.1])
    profile = rng.lognormal(0, 1.5, (3, 300))
    depth = rng.lognormal(6, 0.3, 400)
    X = rng.poisson(depth[:, None] * (profile / profile.sum(axis=1, keepdims=True))[y])
    obs = pd.DataFrame({"type": [f"t{k}" for k in y]}, index=[f"c{i}" for i in range(400)])
    var = pd.DataFrame(index=[f"G{i}" for i in range(300)])
    return anndata.AnnData(sparse.csr_matrix(X.astype(np.float32)), obs=obs, var=var)


def made(maker, num_cells, part="train"):
    types, _ = maker.types_and_batches(part, num_cells)
    return maker.cells(part, 0, num_cells), types


def test_file_is_the_same_for_any_block_size_and_the_first_cells_for_any_number(real, tmp_path):
    maker = CellMaker.prepare(real, "type")
    for block_size in (7 * 31, STREAM, 10_000):
        num_values = write_made_cells(
            tmp_path / f"{block_size}.h5ad", maker, "train", 1300, block_size=block_size
        )
    files = [anndata.read_h5ad(path) for path in sorted(tmp_path.iterdir())]
    again = CellMaker.prepare(real, "type")
    for file in files:
        assert file.shape == (1300, 300) and file.X.nnz == num_values
        assert (again.cells("train", 0, 1300) != file.X).nnz == 0
        pd.testing.assert_frame_equal(file.obs, files[0].obs)
    assert (again.cells("train", 0, 1300)[600:700] != maker.cells("train", 600, 700)).nnz == 0
    assert (again.types_and_batches("train", 40)[0] == maker.types_and_batches("train", 1300)[0][:40]).all()
    other = CellMaker.prepare(real, "type", seed=1)
    assert (other.cells("train", 0, 600) != maker.cells("train", 0, 600)).nnz > 0


def test_file_holds_sorted_csr_whose_positions_never_overflow(real, tmp_path):
    maker = CellMaker.prepare(real, "type")
    write_made_cells(tmp_path / "made.h5ad", maker, "test", 600)
    with h5py.File(tmp_path / "made.h5ad") as file:
        dtypes = [file["X"][name].dtype for name in ("data", "indices", "indptr")]
        assert dtypes == [np.float32, np.int32, np.int64]
        assert file["X/data"].chunks and file["X/data"].compression is None
    cells = anndata.read_h5ad(tmp_path / "made.h5ad")
    assert cells.X.has_canonical_format and (cells.X.data > 0).all()
    np.testing.assert_array_equal(cells.X.data, np.round(cells.X.data))
    assert list(cells.obs) == ["cell_type", "batch"] and set(cells.obs["cell_type"]) == {"t0", "t1", "t2"}
    assert tuple(cells.var_names) == maker.genes == tuple(real.var_names)


def test_failed_writing_leaves_no_file(real, tmp_path, monkeypatch):
    maker = CellMaker.prepare(real, "type")

    def fail(self, part, start, stop):
        raise OSError("the disk is gone")

    monkeypatch.setattr(CellMaker, "cells", fail)
    with pytest.raises(OSError, match="is gone"):
        write_made_cells(tmp_path / "made.h5ad", maker, "train", 100)
    assert list(tmp_path.iterdir()) == []


def test_depths_means_and_frequencies_are_those_of_the_real_cells(real):
    maker = CellMaker.prepare(real, "type")
    X, types = made(maker, 4000)
    depth = np.asarray(X.sum(axis=1)).ravel()
    for k, name in enumerate(maker.types):
        members = maker.members["train"][maker.real_type[k]]
        assert set(real.obs["type"].iloc[members]) == {name}
        of_type = real.X[members]
        real_depth = np.asarray(of_type.sum(axis=1)).ravel()
        assert depth[types == k].mean() == pytest.approx(real_depth.mean(), rel=0.05)
        assert depth[types == k].std() == pytest.approx(real_depth.std(), rel=0.25)
        means = [np.asarray(cells.mean(axis=0)).ravel() for cells in (of_type, X[types == k])]
        assert np.corrcoef(means)[0, 1] > 0.99
    np.testing.assert_allclose(np.bincount(types) / 4000, maker.frequency, atol=0.03)


def test_parts_are_made_from_different_real_cells(real):
    """Each real cell has a gene of its own, so every made count tells where it comes from."""
    marked = anndata.AnnData(
        sparse.csr_matrix(np.eye(400, dtype=np.float32) * 50),
        obs=real.obs,
        var=pd.DataFrame(index=[f"G{i}" for i in range(400)]),
    )
    maker = CellMaker.prepare(marked, "type")
    seen = {}
    for part in ("train", "test"):
        X, types = made(maker, 2000, part)
        seen[part] = set(X.indices)
        parents = X.getnnz(axis=1)
        assert set(parents) <= {1, 2, 3} and (parents == 3).any() and (parents == 2).mean() > 0.3
        of_parent = real.obs["type"].to_numpy()[X.indices]
        assert (of_parent == np.repeat(np.array(maker.types)[types], parents)).all()
    assert not seen["train"] & seen["test"] and len(seen["train"] | seen["test"]) > 390


def test_more_types_are_subtypes_that_differ_in_a_module(real):
    maker = CellMaker.prepare(real, "type", num_types=12)
    assert len(set(maker.types)) == 12 and maker.frequency.sum() == pytest.approx(1)
    assert maker.frequency.max() < 2 * maker.frequency[maker.types.index("t2")]  # frequent types are split
    assert maker.types[0] == "t0 (subtype 1)" and "t2" in maker.types
    changed = (maker.fold_change != 1).sum(axis=1)
    assert changed[maker.types.index("t2")] == 0 and (np.delete(changed, maker.types.index("t2")) > 5).all()
    X, types = made(maker, 6000)
    of_pair = [np.asarray(X[types == k].mean(axis=0)).ravel() for k in (0, 1)]
    module = maker.fold_change[:2].min(axis=0) < 0.4
    up_or_down = np.sign(maker.fold_change[0] - maker.fold_change[1])[module]
    expressed = sum(of_pair)[module] > 0.5
    assert expressed.any()
    assert (np.sign(of_pair[0] - of_pair[1])[module][expressed] == up_or_down[expressed]).all()


def test_fewer_types_are_the_most_frequent_and_genes_are_taken_or_copied(real):
    assert CellMaker.prepare(real, "type", num_types=2).types == ("t0", "t1")
    fewer = CellMaker.prepare(real, "type", num_genes=100)
    assert len(fewer.genes) == 100 and set(fewer.genes) < set(real.var_names)
    more = CellMaker.prepare(real, "type", num_genes=700)
    assert more.genes[:300] == tuple(real.var_names) and len(set(more.genes)) == 700
    X, _ = made(more, 3000)
    assert X.shape == (3000, 700)
    copy = more.genes[300]
    original = more.genes.index(copy.split("_copy")[0])
    columns = X[:, [original, 300]].toarray()
    assert (columns[:, 0] != columns[:, 1]).any()  # thinned independently
    assert columns[:, 1].mean() == pytest.approx(columns[:, 0].mean(), rel=0.15)


def test_what_no_cells_can_be_made_from_is_refused(real):
    normalized = real.copy()
    normalized.X = normalized.X.log1p()
    with pytest.raises(ArgumentError, match="raw counts"):
        CellMaker.prepare(normalized, "type")
    with pytest.raises(ArgumentError, match="two types"):
        CellMaker.prepare(real[real.obs["type"] == "t0"].copy(), "type")


def test_real_cells(shared_data):
    real = anndata.read_h5ad(shared_data / "cells" / "pbmc3k.h5ad")
    maker = CellMaker.prepare(real, "cell_type")
    X, types = made(maker, 3000)
    for k, name in enumerate(maker.types[:6]):
        means = [
            np.asarray(cells.mean(axis=0)).ravel()
            for cells in (real[real.obs["cell_type"] == name].X, X[types == k])
        ]
        assert np.corrcoef(means)[0, 1] > 0.95
    assert X.nnz / 3000 == pytest.approx(real.X.nnz / real.n_obs, rel=0.05)
    assert X.sum() / 3000 == pytest.approx(real.X.sum() / real.n_obs, rel=0.05)
