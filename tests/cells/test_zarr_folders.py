"""AnnData in zarr folders: of both formats, complete, and without code."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import warnings

import anndata
import numpy as np
import pytest
from example_cells import assert_example

from gene_gcn.cells import open_cells, read_cells
from gene_gcn.cells.zarr_folders import replacing_zarr, write_zarr
from gene_gcn.errors import ArgumentError

zarr = pytest.importorskip("zarr")


@pytest.fixture
def folder(adata, tmp_path):
    adata.layers["counts"], adata.raw = adata.X, adata
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of formats to come
        adata.write_zarr(tmp_path / "a.zarr")
    return tmp_path / "a.zarr"


def test_zarr(folder):
    assert_example(read_cells(folder))
    folder.rename(folder.with_name("a"))
    assert_example(read_cells(folder.with_name("a")))


@pytest.mark.parametrize("version", [2, 3])
def test_both_formats(adata, tmp_path, version):
    if not hasattr(anndata.settings, "zarr_write_format"):
        pytest.skip("this anndata writes one format only")
    with warnings.catch_warnings(), anndata.settings.override(zarr_write_format=version):
        warnings.simplefilter("ignore")  # of formats to come
        adata.write_zarr(tmp_path / "a.zarr")
    assert_example(read_cells(tmp_path / "a.zarr"))


@pytest.mark.parametrize("name", ["X/.zarray", "obs/zarr.json", ".zmetadata"])
def test_python_objects_are_refused(folder, name):
    codec = {"id": "pickle"} if "json" not in name else {"name": "numcodecs.pickle"}
    (folder / name).write_text(json.dumps({"metadata": {"X": {"filters": [codec]}}}))
    with pytest.raises(ArgumentError, match="stores Python objects .* could run code"):
        read_cells(folder)


class RunsCode:
    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def add_pickle(folder, marker, codec):
    """Add a column of .obs whose values are a pickle."""
    column = folder / "obs" / "evil"
    column.mkdir()
    dtype, filters = ("|O", [codec]) if codec else ("<f8", [])
    array = {
        "zarr_format": 2,
        "shape": [3],
        "chunks": [3],
        "dtype": dtype,
        "fill_value": None,
        "order": "C",
        "filters": filters,
        "compressor": None if codec else {"id": "pickle"},
    }
    (column / ".zarray").write_text(json.dumps(array))
    (column / ".zattrs").write_text(json.dumps({"encoding-type": "array", "encoding-version": "0.2.0"}))
    (column / "0").write_bytes(pickle.dumps(RunsCode(marker)))
    attributes = json.loads((folder / "obs" / ".zattrs").read_text())
    attributes["column-order"].append("evil")
    (folder / "obs" / ".zattrs").write_text(json.dumps(attributes))
    (folder / ".zmetadata").unlink(missing_ok=True)
    return column / ".zarray"


@pytest.mark.parametrize("codec", [{"id": "pickle", "protocol": 5}, None], ids=["filter", "compressor"])
@pytest.mark.parametrize("hidden", ["plain", "folder link", "file link", "escaped", "UTF-16", "consolidated"])
def test_no_code_is_run_however_it_is_hidden(folder, tmp_path, hidden, codec):
    if not (folder / ".zgroup").is_file():
        pytest.skip("this anndata writes zarr 3, whose arrays have no such codec")
    marker = tmp_path / "ran"
    array = add_pickle(folder, marker, codec)
    if hidden == "folder link":
        shutil.move(folder / "obs", tmp_path / "elsewhere")
        (folder / "obs").symlink_to(tmp_path / "elsewhere")
    elif hidden == "file link":
        shutil.move(array, tmp_path / "elsewhere")
        array.symlink_to(tmp_path / "elsewhere")
    elif hidden == "escaped":
        array.write_text(array.read_text().replace("pickle", "p\\u0069ckle"))
    elif hidden == "UTF-16":
        array.write_bytes(array.read_text().encode("utf-16"))
    elif hidden == "consolidated":
        files = [file for file in folder.rglob(".z*") if file.is_file()]
        metadata = {str(file.relative_to(folder)): json.loads(file.read_text()) for file in files}
        content = {"zarr_consolidated_format": 1, "metadata": metadata}
        (folder / ".zmetadata").write_text(json.dumps(content))
        array.unlink()
    with pytest.raises(ArgumentError, match="stores Python objects"):
        read_cells(folder)
    assert not marker.exists()


def test_links_in_a_circle_end(folder):
    (folder / "obs" / "loop").symlink_to(folder)
    (folder / "loop").symlink_to("loop")
    assert_example(read_cells(folder))


@pytest.mark.parametrize("part", ["X", "raw/X", "layers/counts"])
def test_incomplete_copy_is_not_read_as_zeros(folder, part):
    chunks = [file for file in (folder / part / "data").rglob("*") if file.is_file()]
    for chunk in chunks:
        if not chunk.name.startswith(".z") and chunk.name != "zarr.json":
            chunk.unlink()
    with pytest.raises(ArgumentError, match=f"lacks parts of {part}; copy or download the complete folder"):
        read_cells(folder)


def test_table_of_spatial_data_is_named(folder, tmp_path):
    version = 3 if (folder / "zarr.json").exists() else 2
    group = zarr.open_group(str(tmp_path / "s.zarr"), mode="w", zarr_format=version)
    group.create_group("tables"), group.create_group("images")
    shutil.copytree(folder, tmp_path / "s.zarr" / "tables" / "table")
    with pytest.raises(ArgumentError, match="holds images, tables instead of an AnnData; pass its table, '"):
        read_cells(tmp_path / "s.zarr")
    assert_example(read_cells(tmp_path / "s.zarr" / "tables" / "table"))


def test_folder_that_is_not_zarr(tmp_path):
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ArgumentError, match="empty.zarr' is damaged or not an AnnData"):
        read_cells(tmp_path / "empty.zarr")
    zarr.save(str(tmp_path / "array.zarr"), np.zeros((3, 4)))
    with pytest.raises(ArgumentError, match="array.zarr' is damaged or not an AnnData"):
        read_cells(tmp_path / "array.zarr")


def test_damaged_values(folder):
    for chunk in (folder / "X" / "data").rglob("0"):
        if chunk.is_file():
            chunk.write_bytes(b"damaged")
    with pytest.raises(ArgumentError, match="a.zarr' is damaged"):
        read_cells(folder)


def test_a_folder_is_replaced_whole_or_not_at_all(adata, folder, tmp_path):
    def fail(written):
        write_zarr(written, adata[:1].copy())
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="free some space"), replacing_zarr(folder) as written:
        fail(written)
    assert_example(read_cells(folder))
    with replacing_zarr(folder) as written:
        write_zarr(written, adata[:1].copy())
    assert read_cells(folder).n_obs == 1 and os.listdir(tmp_path) == ["a.zarr"]
    (folder / "notes.txt").write_text("precious")
    with pytest.raises(ArgumentError, match=r"notes.txt.*no AnnData has"), replacing_zarr(folder):
        pass


def test_cells_on_disk_run_no_code_either(folder):
    (file,) = folder.glob("var/_index/.zarray")
    metadata = json.loads(file.read_text())
    file.write_text(json.dumps(metadata | {"filters": [{"id": "pickle"}]}))
    with pytest.raises(ArgumentError, match="could run code"):
        open_cells(folder)
