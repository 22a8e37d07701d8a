"""Whether a new file is what a host should send: no web page, not empty, and neither damaged nor a bomb."""

from __future__ import annotations

import gzip
import lzma
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.retries import RetryPolicy
from gene_gcn.storage.text_files import is_zip

_DAMAGED_DIRECTORY = (zipfile.BadZipFile, struct.error, ValueError, OverflowError, NotImplementedError)
_DAMAGED_MEMBER = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
_HTML = (b"<!doctype html", b"<html", b"<head")


def is_html(path: Path) -> bool:
    """Return whether a file is a web page."""
    with path.open("rb") as file:
        return file.read(200).lstrip().lower().startswith(_HTML)


def check_content(path: Path, policy: RetryPolicy) -> None:
    """Raise ArgumentError for an empty file, a web page, or a damaged or bomb-like gzip or zip file."""
    if path.stat().st_size == 0:
        raise ArgumentError("path", f"{path} is empty.")
    if is_html(path):
        text = f"{path} is a web page, not a file: the version in its address may not exist."
        raise ArgumentError("path", text)
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    try:
        if is_gzip:
            with gzip.open(path) as file:
                _Unpacked(path, policy).read(file)
        elif is_zip(path):
            _check_zip(path, policy)
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise ArgumentError("path", f"{path} is damaged or incomplete ({error}).") from error


class _Unpacked:
    """Counts what a compressed file unpacks to, and refuses a bomb before all of it is unpacked."""

    def __init__(self, path: Path, policy: RetryPolicy) -> None:
        self._path = path
        self._size = 0
        packed = path.stat().st_size
        ratio = max(policy.largest_ratio * packed, policy.always_unpacked)
        self._limit = min(ratio, policy.largest_unpacked)

    def read(self, file: IO[bytes] | gzip.GzipFile) -> None:
        """Read a file or a member of an archive to its end."""
        while part := file.read(1 << 20):
            self._size += len(part)
            if self._size > self._limit:
                packed = self._path.stat().st_size / 1e6
                raise ArgumentError(
                    "path",
                    f"{self._path} is refused because its {packed:,.1f} MB unpack to more than "
                    f"{self._limit / 1e6:,.0f} MB, as no table does.",
                )


def _check_zip(path: Path, policy: RetryPolicy) -> None:
    unpacked = _Unpacked(path, policy)
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED_DIRECTORY as error:
        raise ArgumentError("path", f"{path} is damaged or incomplete ({error}).") from error
    with archive:
        for name in archive.namelist():
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or name[1:2] == ":":
                text = f"{path} is refused: its member {name!r} would be written outside of its folder."
                raise ArgumentError("path", text)
        for member in archive.infolist():
            try:
                with archive.open(member) as file:
                    unpacked.read(file)
            except _DAMAGED_MEMBER as error:
                text = f"{path} is damaged: its member {member.filename!r} is corrupt"
                raise ArgumentError("path", f"{text} ({error}).") from error
            except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown compression
                text = f"{path} is refused: its member {member.filename!r} cannot be unpacked"
                raise ArgumentError("path", f"{text} ({error}).") from error
