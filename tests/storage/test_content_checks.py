from __future__ import annotations

import gzip
import zipfile

import pytest

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.content_checks import check_content, is_html
from gene_gcn.storage.retries import RetryPolicy

POLICY = RetryPolicy(always_unpacked=10_000)
PACKED = gzip.compress(bytes(range(256)) * 40)


@pytest.mark.parametrize("content", [b"text", PACKED, b"\x89PNG"])
def test_right_files(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    check_content(path, RetryPolicy())
    assert not is_html(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE HTML>", "is a web page"),
        (PACKED[:-9], "is damaged or incomplete"),
        (gzip.compress(bytes(100_000)), "unpack to more than 0 MB"),
        (b"PK\x03\x04 and no directory", "is damaged or incomplete"),
    ],
)
def test_wrong_files(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ArgumentError, match=message):
        check_content(path, POLICY)


def test_all_members_of_an_archive_count(tmp_path):
    path = tmp_path / "file.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in "abc":
            archive.writestr(name, bytes(4_000))
    check_content(path, RetryPolicy())
    with pytest.raises(ArgumentError, match="unpack to more than"):
        check_content(path, RetryPolicy(always_unpacked=10_000, largest_ratio=0.5))
