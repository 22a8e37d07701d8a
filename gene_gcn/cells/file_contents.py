"""What a file really is, by its first bytes, if it is not what its name says."""

from __future__ import annotations

import zlib
from pathlib import Path

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.text_files import open_file

__all__ = ["check_content"]

_UNPACK = "unpack it"
_CONTENTS: dict[bytes, tuple[str, str]] = {
    b"PK\x03\x04": ("a zip archive or an Excel file", "unpack it, or save the sheet as .csv"),
    b"\xfd7zXZ\0": ("compressed by xz", _UNPACK),
    b"BZh91AY&SY": ("compressed by bzip2", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", _UNPACK),
    b"version https://git-lfs": ("a pointer of Git LFS", "get the file itself with git lfs pull"),
    b"/annex/objects/": ("a pointer of git-annex", "get the file itself with git annex get"),
    b"<!doctype html": ("a web page", "download the file again"),
    b"<html": ("a web page", "download the file again"),
    b"\x80\x02": ("a pickle, which could run code", "save the cells as .h5ad"),
    b"\x80\x03": ("a pickle, which could run code", "save the cells as .h5ad"),
    b"\x80\x04\x95": ("a pickle, which could run code", "save the cells as .h5ad"),
    b"\x80\x05\x95": ("a pickle, which could run code", "save the cells as .h5ad"),
    b"X\n\0\0\0": ("an R object", "in R, save it with zellkonverter::writeH5AD or sceasy as .h5ad"),
    b"RDX": ("an R object", "in R, save it with zellkonverter::writeH5AD or sceasy as .h5ad"),
}
_OF_TEXT = {b"\x89HDF\r\n": ("an HDF5 file", "name it .h5ad or .h5")}
_OF_HDF5 = {b"\x1f\x8b": ("compressed by gzip", _UNPACK)}
_TAR = slice(257, 262)  # where a tar archive says what it is


def check_content(file: Path, is_text: bool) -> None:
    """Refuse a file whose first bytes are of another format.

    Parameters
    ----------
    file : Path
    is_text : bool
        Whether it should hold text, perhaps compressed by gzip, rather than HDF5.

    Raises
    ------
    ArgumentError
        If it is an archive, a web page, a pointer of a version control system, a pickle, or an R object.
    """
    try:
        with open_file(file) if is_text else file.open("rb") as stream:
            start = stream.read(512)
    except (EOFError, OSError, zlib.error):
        return  # damaged: its reader says how
    for mark, (what, remedy) in (_CONTENTS | (_OF_TEXT if is_text else _OF_HDF5)).items():
        if start[: len(mark)].lower() == mark.lower():
            raise ArgumentError("path", f"{str(file)!r} is {what}; {remedy}.")
    if start[_TAR] == b"ustar":
        raise ArgumentError("path", f"{str(file)!r} is a tar archive; {_UNPACK}.")
