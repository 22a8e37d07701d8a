"""A file whose name promises another format is called what it is, with a remedy, and nothing in it is run."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest

from gene_gcn.cells import read_cells
from gene_gcn.errors import ArgumentError


def zipped() -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr("a.csv", "cell,A\n")
    return buffer.getvalue()


def tarred() -> bytes:
    with tarfile.open(fileobj=(buffer := io.BytesIO()), mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"), io.BytesIO())
    return buffer.getvalue()


CONTENTS = {
    "zip": (zipped(), "a zip archive or an Excel file; unpack it, or save the sheet"),
    "xz": (lzma.compress(b"cell,A\n"), "compressed by xz; unpack it"),
    "bz2": (bz2.compress(b"cell,A\n"), "compressed by bzip2; unpack it"),
    "tar": (tarred(), "a tar archive; unpack it"),
    "web page": (b"<!DOCTYPE html>\n<title>404</title>\n", "a web page; download the file again"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\nsize 9\n", "Git LFS; .*git lfs pull"),
    "git-annex": (b"/annex/objects/MD5E-s1--0.h5ad\n", "git-annex; .*git annex get"),
}


@pytest.mark.parametrize("ending", [".h5ad", ".h5", ".loom", ".csv", ".tsv", ".txt.gz"])
@pytest.mark.parametrize("kind", CONTENTS)
def test_content_of_another_format_is_named(tmp_path, ending, kind):
    content, message = CONTENTS[kind]
    (tmp_path / f"a{ending}").write_bytes(content)
    with pytest.raises(ArgumentError, match=f"a{ending}' is .*{message}"):
        read_cells(tmp_path / f"a{ending}")


def test_content_behind_gzip(adata, tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"X\n\0\0\0\3\0\4" + bytes(100)))
    with pytest.raises(ArgumentError, match="is an R object; in R, save it"):
        read_cells(tmp_path / "a.txt.gz")
    adata.write_h5ad(tmp_path / "a.h5ad")
    packed = gzip.compress((tmp_path / "a.h5ad").read_bytes())
    (tmp_path / "a.h5ad").write_bytes(packed)
    (tmp_path / "a.csv.gz").write_bytes(packed)
    with pytest.raises(ArgumentError, match="a.h5ad' is compressed by gzip; unpack it"):
        read_cells(tmp_path / "a.h5ad")
    with pytest.raises(ArgumentError, match="is an HDF5 file; name it .h5ad or .h5"):
        read_cells(tmp_path / "a.csv.gz")


class RunsCode:
    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("ending", [".h5ad", ".h5", ".loom", ".csv", ".txt.gz"])
@pytest.mark.parametrize("form", [*range(6), "npy", "npz", "joblib", "torch"])
def test_pickles_by_another_name_are_not_run(tmp_path, form, ending):
    evil, buffer = [RunsCode(tmp_path / "ran")], io.BytesIO()
    if form == "npy":
        np.save(buffer, np.array(evil, object), allow_pickle=True)
    elif form == "npz":
        np.savez(buffer, X=np.array(evil, object))
    elif form == "joblib":
        pytest.importorskip("joblib").dump(evil, buffer)
    elif form == "torch":
        pytest.importorskip("torch").save(evil, buffer)
    else:
        pickle.dump(evil, buffer, form)
    (tmp_path / f"a{ending}").write_bytes(buffer.getvalue())
    with pytest.raises(ArgumentError) as caught:
        read_cells(tmp_path / f"a{ending}")
    assert f"a{ending}' " in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()
