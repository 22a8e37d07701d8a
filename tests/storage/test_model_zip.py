"""A model in one archive: the files of a model, and nothing that an archive could do besides."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from contextlib import suppress

import pytest
from shared_models import make_model

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.model_folder import read_model, write_model
from gene_gcn.storage.model_manifest import manifest_of
from gene_gcn.storage.model_source import local_model
from gene_gcn.storage.model_zip import is_model_zip, unpack, unpacked, write_zip


@pytest.fixture
def files(tmp_path):
    return make_model(tmp_path / "model")


def read(path):
    with local_model(path) as folder:
        return read_model(folder)


def archive_of(path, members, **options):
    """Write an archive of (name or ZipInfo, content) pairs."""
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def linked(name):
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


def test_round_trip(files, tmp_path):
    write_zip(tmp_path / "a.zip", files)
    write_zip(tmp_path / "b.zip", dict(reversed(files.items())))
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert is_model_zip(tmp_path / "a.zip") and not is_model_zip(tmp_path / "model")
    with unpacked(tmp_path / "a.zip") as folder:
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == files
    assert not folder.exists()


def test_models_are_written_to_and_read_from_archives(tmp_path):
    path = tmp_path / "deep" / "model.zip"
    write_model(path, {"n": 1}, {})
    write_model(path, {"n": 2}, {})  # replaced
    assert read(path)[0] == {"n": 2} and os.listdir(path.parent) == ["model.zip"]


def test_only_models_are_replaced(tmp_path):
    other = archive_of(tmp_path / "data.zip", [("results.csv", "precious")])
    with pytest.raises(ArgumentError, match="not a gene_gcn model, so it is not replaced"):
        write_model(other, {}, {})
    assert zipfile.ZipFile(other).read("results.csv") == b"precious"


def test_archives_that_file_managers_make(files, tmp_path):
    members = [(f"my model/{name}", data) for name, data in files.items()]
    members += [("my model/", ""), ("__MACOSX/my model/._config.json", "x"), ("my model/.DS_Store", "x")]
    path = archive_of(tmp_path / "model.zip", members, compression=zipfile.ZIP_DEFLATED)
    assert read(path)[0] == {"number": 1.0}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda m: [*m, ("../evil.txt", "x")], "would be written outside of its folder"),
        (lambda m: [*m, ("/etc/evil.txt", "x")], "would be written outside of its folder"),
        (lambda m: [*m, ("a\\..\\evil.txt", "x")], "would be written outside of its folder"),
        (lambda m: [*m, ("C:evil.txt", "x")], "would be written outside of its folder"),
        (lambda m: [("../README.md", "x"), *m[1:]], "would be written outside of its folder"),
        (lambda m: [(linked("README.md"), "/etc/passwd"), *m[1:]], "is a link"),
        (lambda m: [*m, ("model.pkl", "x")], "contains 'model.pkl'"),
        (lambda m: [*m, ("other/config.json", "x")], "contains 'other/config.json'"),
        (lambda m: [(f"a/{m[0][0]}", m[0][1]), *m[1:]], "in several folders"),
        (lambda m: [each for each in m if each[0] != "manifest.json"], "has no manifest.json"),
        (lambda m: [each for each in m if each[0] != "config.json"], "lacks config.json"),
        (lambda m: [(name, data + b" ") for name, data in m], "digest|not JSON|bytes"),
        (lambda m: [(n, b"#" * len(d) if n == "README.md" else d) for n, d in m], "edited by hand"),
        (lambda m: [(n, d + b" " if n == "config.json" else d) for n, d in m], "unpacks to more than"),
        (lambda m: [(n, d[:-1] if n == "config.json" else d) for n, d in m], "bytes instead of"),
    ],
    ids=range(15),
)
def test_what_is_refused(files, tmp_path, change, match):
    path = archive_of(tmp_path / "model.zip", change(list(files.items())))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ArgumentError, match=match):
        read(path)
    assert sorted(tmp_path.rglob("*")) == before


def test_bombs_are_refused_before_they_unpack(tmp_path):
    big = bytes(200_000_000)
    contents = {"config.json": b"{}", "model.safetensors": big}
    contents["manifest.json"] = manifest_of(contents)
    path = archive_of(tmp_path / "model.zip", contents.items(), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1_000_000
    (tmp_path / "out").mkdir()
    with pytest.raises(ArgumentError, match="would unpack to 200 MB, as no model does"):
        unpack(path, tmp_path / "out")
    assert not os.listdir(tmp_path / "out")


def test_a_manifest_that_never_ends_is_not_read(files, tmp_path):
    members = [(n, d) for n, d in files.items() if n != "manifest.json"] + [("manifest.json", bytes(10**8))]
    path = archive_of(tmp_path / "model.zip", members, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ArgumentError, match="has more than 65,536 bytes"):
        read(path)


def test_every_cut_and_flipped_byte_is_refused(files, tmp_path):
    write_zip(tmp_path / "whole.zip", files)
    data = (tmp_path / "whole.zip").read_bytes()
    path = tmp_path / "model.zip"
    for at in range(0, len(data), max(1, len(data) // 60)):
        path.write_bytes(data[:at])
        with pytest.raises(ArgumentError):
            read(path)
        flipped = bytearray(data)
        flipped[at] ^= 0xFF
        path.write_bytes(flipped)
        with suppress(ArgumentError):  # a flipped byte of a time changes nothing
            assert read(path)[0] == {"number": 1.0}


def test_encrypted_members_are_refused(files, tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    data = bytearray(stream.getvalue())
    at = data.index(b"PK\x01\x02")
    while at >= 0:  # the flag in the directory
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 4)
    (tmp_path / "model.zip").write_bytes(data)
    with pytest.raises(ArgumentError, match="is not a zip archive that can be read"):
        read(tmp_path / "model.zip")
