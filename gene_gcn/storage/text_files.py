"""Text tables, plain or gzip, with errors that name the file."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd

from gene_gcn.errors import ArgumentError

_ZIP = b"PK\x03\x04"

# Options of pandas.read_csv: gene names are data, so quotes are ordinary characters and "NA" is a name, not a
# missing value.
VERBATIM: dict[str, Any] = {"na_filter": False, "quoting": csv.QUOTE_NONE, "encoding_errors": "replace"}


def existing_file(path: str | os.PathLike[str], argument: str = "path") -> Path:
    """Return `path` as a Path; raise FileNotFoundError, naming the argument, if it is not a file."""
    file = Path(path).expanduser()
    if not file.is_file():
        problem = "is a folder, not a file" if file.is_dir() else "does not exist"
        raise FileNotFoundError(f"{argument}={str(path)!r} {problem}; pass the path of a file on disk.")
    return file


def open_file(path: Path) -> IO[bytes]:
    """Open a file and decompress gzip, recognized by content: downloaded files often have wrong names."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if is_gzip else path.open("rb")


def is_zip(path: Path) -> bool:
    """Return whether a file starts like a zip archive, complete or not."""
    with path.open("rb") as file:
        return file.read(4) == _ZIP


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hex; a compressed file is not decompressed."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


@contextmanager
def damage_as_argument_error(path: str | os.PathLike[str], argument: str = "path") -> Iterator[None]:
    """Turn exceptions from reading a damaged file into an ArgumentError that names the file."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        text = f"{path} is a damaged or incomplete gzip file ({error}); download it again."
        raise ArgumentError(argument, text) from error
    except zipfile.BadZipFile as error:
        text = f"{path} is a damaged or incomplete zip archive ({error}); download it again."
        raise ArgumentError(argument, text) from error
    except pd.errors.EmptyDataError as error:
        raise ArgumentError(argument, f"{path} is empty.") from error
    except pd.errors.ParserError as error:
        raise ArgumentError(argument, f"{path} is not a table that can be read: {error}") from error


def first_line(file: IO[bytes], path: str | os.PathLike[str], argument: str = "path") -> str:
    """Read the first line that is not blank; refuse empty files, web pages and binary files."""
    with damage_as_argument_error(path, argument):
        line = b""
        while not line.strip():
            line = file.readline(1 << 20)
            if not line:
                raise ArgumentError(argument, f"{path} is empty.")
    text = line.decode("utf-8-sig", errors="replace").strip("\r\n")
    if text.lstrip().startswith("<?xml"):
        start = (text + file.read(2000).decode("utf-8-sig", errors="replace")).lower()
        for mark, format_name in {"<entryset": "PSI-MI (psi25)", "<graphml": "GraphML"}.items():
            if mark in start:
                remedy = "read it with networkx.read_graphml and pass the graph"
                remedy = "download BioGRID's tab3 file" if mark == "<entryset" else remedy
                raise ArgumentError(
                    argument, f"{path} is an XML file of {format_name}, not a table; {remedy}."
                )
    if text.lstrip().lower().startswith(("<!doctype", "<html", "<?xml", "<head")):
        raise ArgumentError(
            argument,
            f"{path} is a web page, not a table: the server sent an error page. Check the address and the "
            "version in it, and download the file again.",
        )
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = f"{path} is text in UTF-16, as Excel's Unicode text is; save it in UTF-8 (CSV UTF-8 in Excel)."
        raise ArgumentError(argument, text)
    if "\0" in text or line.startswith(_ZIP):
        raise ArgumentError(
            argument, f"{path} is a binary file (perhaps a zip archive), not a text table; unpack it first."
        )
    return text


def read_header(path: Path, argument: str = "path") -> str:
    """Return the first line of a plain or gzip text file."""
    with open_file(path) as file:
        return first_line(file, path, argument)
