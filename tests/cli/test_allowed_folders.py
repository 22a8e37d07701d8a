from __future__ import annotations

import h5py
import numpy as np
import pytest

from gene_gcn.cli.allowed_folders import AllowedFolders
from gene_gcn.errors import ArgumentError


@pytest.fixture
def inside(tmp_path):
    (tmp_path / "inside" / "sub").mkdir(parents=True)
    (tmp_path / "second").mkdir()
    for name in ("inside/a.csv", "inside/sub/b.csv", "second/c.csv", "secret.csv"):
        (tmp_path / name).write_text(name)
    return tmp_path / "inside"


@pytest.fixture
def folders(inside):
    return AllowedFolders([inside, inside.parent / "second"])


def test_paths_are_of_the_first_folder_or_below_any(folders, inside):
    assert folders.find_existing("a.csv", "cells") == inside / "a.csv"
    assert folders.find_existing("./sub/../sub/b.csv", "cells") == inside / "sub" / "b.csv"
    second = inside.parent / "second"
    assert folders.find_existing(str(second / "c.csv"), "cells") == second / "c.csv"
    assert folders.find("new/x.csv", "out") == inside / "new" / "x.csv"
    assert folders.find(".", "out") == inside
    with pytest.raises(FileNotFoundError):
        folders.find_existing("absent.csv", "cells")


@pytest.mark.parametrize(
    "path", ["../secret.csv", "sub/../../secret.csv", "/etc/passwd", "", " ", "a\0.csv", "/"]
)
def test_paths_outside_are_refused(folders, path):
    with pytest.raises(ArgumentError, match="outside of the folders|is not a path") as caught:
        folders.find(path, "cells")
    assert caught.value.argument == "cells"


def test_a_folder_whose_name_only_begins_like_an_allowed_one_is_outside(folders, inside):
    (inside.parent / "inside2").mkdir()
    with pytest.raises(ArgumentError, match="outside"):
        folders.find(str(inside.parent / "inside2" / "x.csv"), "out")


def test_links_are_not_followed(folders, inside):
    (inside / "file.csv").symlink_to(inside.parent / "secret.csv")
    (inside / "folder").symlink_to(inside.parent)
    (inside / "broken.csv").symlink_to(inside / "nowhere.csv")
    for path in ("file.csv", "folder/secret.csv", "folder", "broken.csv"):
        with pytest.raises(ArgumentError, match="leads over the symbolic link"):
            folders.find(path, "out")
    (inside / "sub" / "genes.tsv").symlink_to(inside.parent / "secret.csv")
    (inside / "sub" / "matrix.mtx").write_text("")
    for path in ("sub", "sub/matrix.mtx"):
        with pytest.raises(ArgumentError, match=r"link '.*genes\.tsv'"):
            folders.find_existing(path, "cells")


def test_the_user_may_name_the_folder_by_a_link(inside):
    link = inside.parent / "link"
    link.symlink_to(inside)
    folders = AllowedFolders([link])
    assert folders.find_existing("a.csv", "cells") == inside / "a.csv"
    assert folders.find_existing(str(link / "a.csv"), "cells") == inside / "a.csv"


def test_folders_must_exist(inside):
    with pytest.raises(ArgumentError, match="is not a folder"):
        AllowedFolders([inside / "absent"])


def test_hdf5_files_may_not_read_other_files(folders, inside):
    (inside.parent / "secret.bin").write_bytes(bytes(80))
    other = inside.parent / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = np.arange(10.0)
    with h5py.File(inside / "own.h5ad", "w") as file:
        file["obs/x"] = np.arange(3)
        file["again"] = file["obs"]  # a hard link
    with h5py.File(inside / "link.h5ad", "w") as file:
        file.create_group("obs")["x"] = h5py.ExternalLink(str(other), "x")
    with h5py.File(inside / "raw.h5ad", "w") as file:
        place = [(str(inside.parent / "secret.bin"), 0, 80)]
        file.create_dataset("X", (10,), np.float64, external=place)
    with h5py.File(inside / "virtual.loom", "w") as file:
        layout = h5py.VirtualLayout((10,), np.float64)
        layout[:] = h5py.VirtualSource(str(other), "x", (10,))
        file.create_virtual_dataset("layers/x", layout)
    assert folders.find_existing("own.h5ad", "cells").name == "own.h5ad"
    for name, stored in {"link.h5ad": "obs/x", "raw.h5ad": "X", "virtual.loom": "layers/x"}.items():
        with pytest.raises(ArgumentError, match=f"has '{stored}' in another file"):
            folders.find_existing(name, "cells")
