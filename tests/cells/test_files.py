"""The same cells are read from every format."""

from __future__ import annotations

import gzip
import os

import h5py
import numpy as np
import pytest
from example_cells import assert_example, dense

from gene_gcn.cells import read_cells
from gene_gcn.cells.files import ENDINGS
from gene_gcn.errors import ArgumentError


def test_h5ad(adata, tmp_path):
    adata.write_h5ad(tmp_path / "a.h5ad")
    assert_example(read_cells(tmp_path / "a.h5ad"))


def test_real_cells_are_the_same_from_every_format(shared_data, tmp_path):
    cells = read_cells(shared_data / "cells" / "panc8_small.h5ad")[:60].copy()
    table = cells.to_df()
    table["cell_type"] = cells.obs["cell_type"].astype(str)
    table.to_csv(tmp_path / "a.csv.gz")
    with h5py.File(tmp_path / "a.loom", "w") as file:
        file["matrix"] = table[cells.var_names].to_numpy().T
        file["row_attrs/Gene"], file["col_attrs/CellID"] = list(cells.var_names), list(cells.obs_names)
    for name in ("a.csv.gz", "a.loom"):
        back = read_cells(tmp_path / name)
        assert list(back.var_names) == list(cells.var_names) and list(back.obs_names) == list(cells.obs_names)
        np.testing.assert_allclose(dense(back), cells.to_df().to_numpy(), rtol=1e-6)


def test_missing_file_folder_and_unknown_ending(tmp_path):
    (tmp_path / "a.doc").write_text("")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_cells(tmp_path / "absent.h5ad")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read_cells(tmp_path)
    with pytest.raises(ArgumentError, match="known endings are .h5ad, .h5, .loom, .csv"):
        read_cells(tmp_path / "a.doc")


def test_paths_are_checked_without_heavy_imports(python):
    program = """
from gene_gcn.cells import check_cells_path, check_predictions_path
check_predictions_path("p.csv")
try:
    check_cells_path("absent.h5ad")
except FileNotFoundError:
    print([name for name in ("numpy", "pandas", "scipy", "h5py") if name in sys.modules])
"""
    out, errors = python(program).communicate()
    assert (out.strip(), errors) == ("[]", "")


@pytest.mark.parametrize("ending", [e for e in ENDINGS if ".mtx" not in e])
@pytest.mark.parametrize(
    "content", [b"", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08\x00garbage", b"<html>\n<body>no</body>\n"]
)
def test_damaged_file_is_named_in_one_line(tmp_path, ending, content):
    (tmp_path / f"a{ending}").write_bytes(content)
    with pytest.raises(ArgumentError) as caught:
        read_cells(tmp_path / f"a{ending}")
    assert str(tmp_path / f"a{ending}") in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", [".h5ad", ".csv.gz"])
def test_truncated_file(adata, frame, tmp_path, ending):
    file = tmp_path / f"a{ending}"
    adata.write_h5ad(file) if ending == ".h5ad" else file.write_bytes(gzip.compress(frame.to_csv().encode()))
    file.write_bytes(file.read_bytes()[: int(0.7 * file.stat().st_size)])
    with pytest.raises(ArgumentError, match="damaged"):
        read_cells(file)


def test_hdf5_file_is_read_by_its_content(adata, tmp_path):
    adata.write_h5ad(tmp_path / "a.h5ad")
    for ending in (".h5", ".loom"):
        (tmp_path / "a.h5ad").rename(tmp_path / f"a{ending}")
        assert_example(read_cells(tmp_path / f"a{ending}"))
        (tmp_path / f"a{ending}").rename(tmp_path / "a.h5ad")


def test_hdf5_file_of_no_known_format(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["counts"] = np.zeros(3)
    with pytest.raises(ArgumentError, match="not a 10x .h5 file, an AnnData.*it holds counts"):
        read_cells(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("a.rds", "writeH5AD"),
        ("a.h5Seurat", "Convert"),
        ("a.h5mu", "mudata"),
        ("a.zip", "unpack it"),
        ("a.zarr.zip", "into a folder"),
        ("a.h5ad.gz", "unpack it"),
        ("a.mtx.xz", "unpack it"),
        ("a.npz", "save it as .h5ad"),
        ("a.pkl", "if you trust it"),
    ],
)
def test_formats_of_other_programs_are_refused_with_a_remedy(tmp_path, name, remedy):
    (tmp_path / name).write_text("x")
    with pytest.raises(ArgumentError, match=remedy):
        read_cells(tmp_path / name)


def test_folder_of_files_names_them(adata, tmp_path):
    for name in ("b.h5ad", "a.h5ad"):
        adata.write_h5ad(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"pass the path of one of its files \(a.h5ad, b.h5ad\)"):
        read_cells(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_links_in_a_circle_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(ArgumentError, match="a.csv' is a pipe or a device.*save what it yields"):
        read_cells(tmp_path / "a.csv")
    (tmp_path / "b.csv").symlink_to("c.csv")
    (tmp_path / "c.csv").symlink_to("b.csv")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_cells(tmp_path / "b.csv")


def test_file_that_another_program_writes(adata, tmp_path, python):
    adata.write_h5ad(tmp_path / "a.h5ad")
    writer = python(f"""
import h5py
file = h5py.File({str(tmp_path / "a.h5ad")!r}, "a")
print("open", flush=True)
input()
""")
    assert writer.stdout.readline() == "open\n"
    with pytest.raises(ArgumentError, match="a.h5ad' is open for writing in another program; try again"):
        read_cells(tmp_path / "a.h5ad")


@pytest.mark.parametrize("part", ["X", "raw/X", "layers/counts"])
@pytest.mark.parametrize("array", ["indices", "indptr"])
def test_damaged_sparse_matrix_does_not_end_the_process(adata, tmp_path, part, array):
    """SciPy trusts its index arrays: without a check this is a segmentation fault, or a wrong result."""
    adata.raw, adata.layers["counts"] = adata, adata.X
    adata.write_h5ad(tmp_path / "a.h5ad")
    with h5py.File(tmp_path / "a.h5ad", "a") as file:
        file[f"{part}/{array}"][-1] = 4000
    name = {"X": ".X", "raw/X": ".raw", "layers/counts": r".layers\['counts'\]"}[part]
    with pytest.raises(ArgumentError, match=f"damaged: in its {name}, .*download it again"):
        read_cells(tmp_path / "a.h5ad")
