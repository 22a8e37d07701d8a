from __future__ import annotations

import os

import anndata as ad
import h5py
import numpy as np
import pytest
from scipy import sparse
from stored_cells import Rows, log1p, typed_cells

from gene_gcn.cells.stored import is_sliceable, open_matrix, stored_values_of
from gene_gcn.errors import ArgumentError


@pytest.fixture
def cells():
    return typed_cells(50)


@pytest.fixture
def path(cells, tmp_path):
    """A file of cells, with a layer, and one more gene in raw."""
    more = typed_cells(50, 41, seed=1)
    more.obs_names = cells.obs_names
    cells.raw = more
    cells.layers["log"] = log1p(cells).X
    cells.write_h5ad(tmp_path / "cells.h5ad", compression="gzip")
    return tmp_path / "cells.h5ad"


def all_rows(matrix):
    return sparse.vstack([matrix.read(a, min(a + 20, 50)) for a in range(0, 50, 20)]).toarray()


@pytest.mark.parametrize("kind", ["csr", "dense", "float64", "int64", "64-bit indices"])
@pytest.mark.parametrize("ending", [".h5ad", ".zarr"])
def test_rows_of_files_are_those_in_memory(cells, tmp_path, kind, ending):
    expected = cells.X.toarray()
    if kind == "dense":
        cells.X = expected
    elif kind == "64-bit indices":  # SciPy writes these where there are more than 2³¹ values
        cells.X.indices, cells.X.indptr = cells.X.indices.astype(np.int64), cells.X.indptr.astype(np.int64)
    elif kind != "csr":
        cells.X = cells.X.astype(kind)
    file = tmp_path / f"cells{ending}"
    (cells.write_h5ad if ending == ".h5ad" else cells.write_zarr)(file)
    matrix = open_matrix(file)
    assert matrix.shape == cells.shape and list(matrix.frame.obs["cell_type"]) == list(cells.obs["cell_type"])
    np.testing.assert_array_equal(all_rows(matrix), expected)
    block = matrix.read(3, 7)
    assert block.dtype == np.float32 and block.indices.dtype == block.indptr.dtype == np.int32
    assert stored_values_of(file) == (expected.size if kind == "dense" else np.count_nonzero(expected))


def test_blocks_are_canonical_at_every_reading(cells, tmp_path):
    """Repeated entries are summed: the sum of roots is not the root of the sum."""
    X = sparse.csr_matrix((np.float32([1, 2, 0, 5]), [3, 3, 1, 0], [0, 4]), shape=(1, 40))
    ad.AnnData(X, var=cells.var).write_h5ad(tmp_path / "one.h5ad")
    matrix = open_matrix(tmp_path / "one.h5ad")
    for _ in range(2):
        block = matrix.read(0, 1)
        assert block.indices.tolist() == [0, 3] and block.data.tolist() == [5, 3]


def test_layers_and_raw_of_files_and_backed_cells(cells, path):
    backed = ad.read_h5ad(path, backed="r")
    for X in (path, str(path), backed, backed[:]):
        np.testing.assert_array_equal(all_rows(open_matrix(X)), cells.X.toarray())
        np.testing.assert_array_equal(all_rows(open_matrix(X, "log")), cells.layers["log"].toarray())
        raw = open_matrix(X, use_raw=True)
        assert raw.shape == (50, 41)
        np.testing.assert_array_equal(all_rows(raw), cells.raw.X.toarray())


@pytest.mark.parametrize("rows", [slice(10, 30), slice(None, None, -2), [3, 40, 4], np.arange(50) % 3 == 0])
def test_views_of_backed_cells(cells, path, rows):
    view = ad.read_h5ad(path, backed="r")[rows, 5:9]
    expected = cells.X.toarray()[rows]
    matrix, raw = open_matrix(view), open_matrix(view, use_raw=True)
    assert matrix.shape == (len(expected), 4)
    np.testing.assert_array_equal(matrix.read(1, 3).toarray(), expected[1:3, 5:9])
    np.testing.assert_array_equal(raw.read(1, 3).toarray(), cells.raw.X.toarray()[rows][1:3])
    assert list(matrix.frame.obs_names) == list(view.obs_names)


def test_obs_of_backed_cells_is_that_in_memory(path):
    backed = ad.read_h5ad(path, backed="r")
    backed.obs["mine"] = "x"
    assert list(open_matrix(backed).frame.obs["mine"]) == ["x"] * 50


@pytest.mark.parametrize("what", ["layer", "use_raw"])
def test_what_is_not_there_is_named(tmp_path, what):
    typed_cells(5).write_h5ad(tmp_path / "cells.h5ad")
    asked = {"layer": "log"} if what == "layer" else {"use_raw": True}
    for X in (tmp_path / "cells.h5ad", ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")):
        with pytest.raises(ArgumentError) as caught:
            open_matrix(X, **asked)
        assert caught.value.argument == what


def test_files_without_a_matrix_or_stored_by_genes_are_refused(cells, tmp_path):
    ad.AnnData(obs=cells.obs, var=cells.var).write_h5ad(tmp_path / "none.h5ad")
    with pytest.raises(ArgumentError, match="none.h5ad' has no matrix X"):
        open_matrix(tmp_path / "none.h5ad")
    cells.X = cells.X.tocsc()
    cells.write_h5ad(tmp_path / "csc.h5ad")
    with pytest.raises(ArgumentError, match="csc.h5ad' stores its matrix by genes"):
        open_matrix(tmp_path / "csc.h5ad")
    assert stored_values_of(tmp_path / "csc.h5ad") == 0
    with pytest.raises(FileNotFoundError):
        open_matrix(tmp_path / "absent.h5ad")


@pytest.mark.parametrize("size", [0, 100, 0.5, 0.99])
def test_truncated_files_are_named(path, size):
    whole = path.stat().st_size
    os.truncate(path, int(size if size > 1 else size * whole))
    with pytest.raises(ArgumentError, match="cells.h5ad"):
        open_matrix(path).read(0, 50)
    assert stored_values_of(path) == 0


def test_a_damaged_chunk_is_named_with_its_cells(tmp_path):
    cells = typed_cells(3000)
    path = tmp_path / "cells.h5ad"
    cells.write_h5ad(path, compression="gzip")
    with h5py.File(path) as file:
        data = file["X/data"]
        assert data.id.get_num_chunks() > 3
        chunk = data.id.get_chunk_info(data.id.get_num_chunks() // 2)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\x55" * chunk.size)
    matrix = open_matrix(path)
    matrix.read(0, 100)  # what is before is as it was
    with pytest.raises(ArgumentError, match=r"cells.h5ad', cells 1 to 3,000, cannot be read: .* again"):
        matrix.read(0, 3000)


@pytest.mark.parametrize("index", [40, -1, 2**30])
def test_column_indices_out_of_range_are_refused_at_every_reading(path, index):
    matrix = open_matrix(path)
    matrix.read(0, 50)
    del matrix
    with h5py.File(path, "r+") as file:
        indices = file["X/indices"]
        indices[len(indices) - 2] = index
    matrix = open_matrix(path)
    matrix.read(0, 20)
    with pytest.raises(ArgumentError, match="cells.h5ad', cells 21 to 50, cannot be read"):
        matrix.read(20, 50)


@pytest.mark.parametrize("damage", ["short data", "short indptr", "decreasing indptr", "far indptr"])
def test_arrays_that_do_not_belong_together_are_refused(path, damage):
    with h5py.File(path, "r+") as file:
        data, indptr = file["X/data"][:], file["X/indptr"][:]
        if damage == "short data":
            data = data[:-3]
        elif damage == "short indptr":
            indptr = indptr[:-1]
        elif damage == "decreasing indptr":
            indptr[5] = indptr[9] + 1
        else:
            indptr[-1] += 1000
        del file["X/data"], file["X/indptr"]
        file["X/data"], file["X/indptr"] = data, indptr
    with pytest.raises(ArgumentError, match="cells.h5ad' is damaged"):
        open_matrix(path)


def test_files_that_another_program_writes_are_refused(path, python):
    writer = python(f"import h5py\nfile = h5py.File({str(path)!r}, 'r+')\nprint('open', flush=True)\ninput()")
    assert writer.stdout.readline() == "open\n"
    with pytest.raises(ArgumentError, match="cells.h5ad' is open for writing in another program"):
        open_matrix(path)


def test_objects_with_slices(cells):
    for X in (cells.X, cells.X.toarray(), cells.to_df(), cells):
        rows = Rows(X)
        assert is_sliceable(rows)
        matrix = open_matrix(rows)
        assert matrix.rows == 128 and matrix.shape == (50, 40)
        np.testing.assert_array_equal(all_rows(matrix), cells.X.toarray())
    assert list(matrix.frame.var_names) == list(cells.var_names)  # of the slices
    assert open_matrix(Rows(cells.X)).frame is None
    assert open_matrix(Rows(cells.X, ["a"] * 40)).frame.var_names[0] == "a"


def test_slices_that_are_too_short_or_text_are_refused(cells):
    rows = Rows(cells.X)
    matrix = open_matrix(rows)
    rows.X = cells.X[:30]
    with pytest.raises(ArgumentError, match=r"the Rows, cells 21 to 50, have shape \(10, 40\)"):
        matrix.read(20, 50)
    rows.X = cells.X.toarray().astype(str)
    with pytest.raises(ArgumentError, match="the Rows, cells 21 to 50: X has dtype"):
        matrix.read(20, 50)


def test_loaders_of_batches_are_refused(cells):
    class Loader:
        batch_size = 10

        def __iter__(self):
            yield {"X": cells.X[:10], "obs": cells.obs[:10]}

    with pytest.raises(ArgumentError, match="Loader, which yields batches .* pass the files"):
        is_sliceable(Loader())
    assert not is_sliceable(cells.X)
    with pytest.raises(ArgumentError, match="X is a DataFrame, which is not read block by block"):
        open_matrix(cells.to_df())
