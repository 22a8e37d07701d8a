"""Reading text tables: plain or gzip, with errors that name the file."""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pandas as pd

_ZIP = b"PK\x03\x04"

# Gene names are data: nothing is quoted, nothing is a missing value ("NA" is a name like any other).
AS_IS = {"na_filter": False, "quoting": csv.QUOTE_NONE, "encoding_errors": "replace"}


def existing_file(path: str | os.PathLike[str], argument: str = "path") -> Path:
    """Return `path` as a Path; FileNotFoundError names the argument if there is no such file."""
    file = Path(path).expanduser()
    if not file.is_file():
        kind = "is a folder, not a file" if file.is_dir() else "does not exist"
        raise FileNotFoundError(f"{argument}={str(path)!r} {kind}; pass the path of a file on disk.")
    return file


def open_file(path: Path) -> IO[bytes]:
    """Open a file, unpacking gzip; its first bytes tell, for names are often wrong after a download."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_gzip else path.open("rb")  # type: ignore[return-value]


def is_zip(path: Path) -> bool:
    """Say whether a file begins as a zip archive does, whole or cut off."""
    with path.open("rb") as file:
        return file.read(4) == _ZIP


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as it lies on disk (packed, if it is packed), as hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


@contextmanager
def errors_naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what a damaged file raises while it is read into a ValueError that names the file."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is a damaged or incomplete gzip file ({error}); fetch it again.") from error
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{path} is a damaged or incomplete zip archive ({error}); fetch it again."
        ) from error
    except pd.errors.EmptyDataError as error:
        raise ValueError(f"{path} is empty.") from error
    except pd.errors.ParserError as error:
        raise ValueError(f"{path} is not a table that can be read: {error}") from error


def first_line(file: IO[bytes], path: str | os.PathLike[str]) -> str:
    """Read the first line that is not blank; refuse empty files, HTML pages and binary ones."""
    with errors_naming(path):
        line = b""
        while not line.strip():
            line = file.readline(1 << 20)
            if not line:
                raise ValueError(f"{path} is empty.")
    text = line.decode("utf-8-sig", errors="replace").strip("\r\n")
    if text.lstrip().lower().startswith(("<!doctype", "<html", "<?xml", "<head")):
        raise ValueError(
            f"{path} is a web page, not a table: the download was answered with an error page. "
            "Check the address and the version in it, and fetch it again."
        )
    if "\0" in text or line.startswith(_ZIP):
        raise ValueError(
            f"{path} is a binary file (a zip archive, perhaps), not a text table; unpack it first."
        )
    return text


def read_header(path: Path) -> str:
    """Return the first line of a plain or gzip text file."""
    with open_file(path) as file:
        return first_line(file, path)
