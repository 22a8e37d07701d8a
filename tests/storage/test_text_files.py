"""Text files are opened by their content, and damage is said with the name of the file."""

from __future__ import annotations

import gzip
import hashlib
import zipfile

import pandas as pd
import pytest

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.text_files import (
    damage_as_argument_error,
    existing_file,
    is_zip,
    open_file,
    read_header,
    sha256_of,
)


def test_files_that_do_not_exist_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="edges='.*none.tsv' does not exist"):
        existing_file(tmp_path / "none.tsv", "edges")
    with pytest.raises(FileNotFoundError, match="is a folder, not a file"):
        existing_file(tmp_path)


def test_compression_is_recognized_by_content(tmp_path):
    (tmp_path / "plain.gz").write_bytes(b"A\tB\n")
    (tmp_path / "packed.txt").write_bytes(gzip.compress(b"A\tB\n"))
    for name in ("plain.gz", "packed.txt"):
        with open_file(tmp_path / name) as file:
            assert file.read() == b"A\tB\n"
    packed = (tmp_path / "packed.txt").read_bytes()
    assert sha256_of(tmp_path / "packed.txt") == hashlib.sha256(packed).hexdigest()
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04")
    assert is_zip(tmp_path / "cut.zip") and not is_zip(tmp_path / "plain.gz")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"<!DOCTYPE html>\n<html>", "is a web page, not a table"),
        (b'<?xml version="1.0"?>\n<entrySet>', r"is an XML file of PSI-MI .*; download BioGRID's tab3 file"),
        (b'<?xml version="1.0"?>\n<graphml>', "is an XML file of GraphML.*networkx.read_graphml"),
        ("A\tB".encode("utf-16"), "is text in UTF-16"),
        (b"PK\x03\x04rest", "is a binary file"),
        (b"A\0B", "is a binary file"),
        (gzip.compress(b"A\tB\n" * 1000)[:20], "is a damaged or incomplete gzip file .*; download it again"),
    ],
)
def test_files_that_are_not_tables(tmp_path, content, said):
    file = tmp_path / "a.txt"
    file.write_bytes(content)
    with pytest.raises(ArgumentError, match=f"a.txt {said}") as caught:
        read_header(file, "network")
    assert caught.value.argument == "network"


def test_first_line_that_is_not_blank(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfsource\ttarget\r\nA\tB\r\n")
    assert read_header(tmp_path / "a.txt") == "source\ttarget"
    (tmp_path / "b.txt").write_bytes(b"\n\n# comment\nA B\n")
    assert read_header(tmp_path / "b.txt") == "# comment"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (zipfile.BadZipFile("no end"), r"damaged or incomplete zip archive \(no end\)"),
        (pd.errors.EmptyDataError("nothing"), "a.txt is empty"),
        (pd.errors.ParserError("3 fields"), "a.txt is not a table that can be read: 3 fields"),
    ],
)
def test_foreign_errors_name_the_file(error, said):
    with pytest.raises(ArgumentError, match=said) as caught, damage_as_argument_error("a.txt"):
        raise error
    assert caught.value.__cause__ is error
