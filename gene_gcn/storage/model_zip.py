"""Models in one file: a zip archive of a model folder."""

from __future__ import annotations

import io
import lzma
import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from gene_gcn.errors import ArgumentError
from gene_gcn.storage.atomic import replacing
from gene_gcn.storage.model_manifest import (
    FILES,
    LARGEST_MANIFEST,
    MANIFEST_FILE,
    ModelFile,
    damaged,
    parse_manifest,
)
from gene_gcn.storage.retries import RetryPolicy

__all__ = ["is_model_zip", "unpack", "unpacked", "write_zip"]

ENDING = ".zip"
# What Finder adds to archives.
_IGNORED_FOLDER, _IGNORED_NAMES = "__MACOSX", (".DS_Store",)
_OLDEST_DATE = (1980, 1, 1, 0, 0, 0)  # of the format; of all files, so that equal models are equal bytes
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, NotImplementedError, OverflowError, RuntimeError, UnicodeError),
)


def write_zip(target: Path, contents: Mapping[str, bytes]) -> None:
    """Write files as a zip archive, whole or not at all; equal contents give equal bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(contents):
            member = zipfile.ZipInfo(name, _OLDEST_DATE)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            file.writestr(member, contents[name])
    with replacing(target) as temporary, temporary.open("wb") as stream:
        stream.write(archive.getbuffer())
        stream.flush()
        os.fsync(stream.fileno())


def is_model_zip(path: Path) -> bool:
    """Return whether a file is a zip archive with the manifest of a model."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(PurePosixPath(name).name == MANIFEST_FILE for name in archive.namelist())
    except (OSError, ValueError, *_BROKEN):
        return False


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Yield a temporary folder with the files of a model that is a zip archive."""
    with tempfile.TemporaryDirectory(prefix="gene_gcn-") as folder:
        unpack(path, Path(folder))
        yield Path(folder)


def unpack(path: Path, folder: Path) -> None:
    """Unpack a model into an empty folder.

    Only the files of a model are unpacked, by their names alone, whatever folder of the archive they are in,
    and none that is larger than the manifest says or that differs from it.

    Raises
    ------
    ArgumentError
        The file is not a zip archive of one model, or is damaged: it has links, absolute paths or "..", other
        files, or unpacks to what no model does.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(path, archive)
            with archive.open(members[MANIFEST_FILE]) as file:
                manifest = file.read(LARGEST_MANIFEST + 1)
            files = parse_manifest(manifest, f"{path}/{MANIFEST_FILE}")
            _check_size(path, files)
            (folder / MANIFEST_FILE).write_bytes(manifest)
            for name, entry in files.items():
                if name not in members:
                    raise damaged(path, f"it lacks {name}")
                with archive.open(members[name]) as file:
                    _copy(file, folder / name, entry, f"{path}/{name}")
    except _BROKEN as error:
        raise damaged(path, f"it is not a zip archive that can be read ({error!s:.200})") from error


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files of the model by name; refuse what else there is."""
    found: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    for member in archive.infolist():
        place = PurePosixPath(member.filename)
        shown = repr(member.filename[:80])
        if place.is_absolute() or ".." in place.parts or "\\" in member.filename or ":" in member.filename:
            text = f"{path} is refused: its member {shown} would be written outside of its folder."
            raise ArgumentError("path", text)
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ArgumentError("path", f"{path} is refused: its member {shown} is a link.")
        if member.is_dir() or place.parts[0] == _IGNORED_FOLDER or place.name in _IGNORED_NAMES:
            continue
        if place.name not in FILES or place.name in found:
            text = f"{path} is not a zip archive of one gene_gcn model: it contains {shown}."
            raise ArgumentError("path", text)
        found[place.name] = member
        folders.add(place.parent)
    if MANIFEST_FILE not in found or len(folders) > 1:
        problem = "its files are in several folders" if len(folders) > 1 else f"it has no {MANIFEST_FILE}"
        raise ArgumentError("path", f"{path} is not a zip archive of one gene_gcn model: {problem}.")
    return found


def _check_size(path: Path, files: Mapping[str, ModelFile]) -> None:
    """Refuse a bomb by what its manifest says, which `_copy` holds it to."""
    policy, packed = RetryPolicy(), path.stat().st_size
    limit = min(max(policy.largest_ratio * packed, policy.always_unpacked), policy.largest_unpacked)
    size = sum(entry.size for entry in files.values())
    if size > limit:
        text = f"its {packed / 1e6:,.1f} MB would unpack to {size / 1e6:,.0f} MB, as no model does"
        raise ArgumentError("path", f"{path} is refused because {text}.")
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if size > free:
        raise OSError(f"{path} unpacks to {size / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free.")


def _copy(source: IO[bytes], target: Path, entry: ModelFile, shown: str) -> None:
    data = source.read(entry.size + 1)
    if len(data) > entry.size:
        raise damaged(shown, f"it unpacks to more than {entry.size:,} bytes")
    entry.check(data, shown)
    target.write_bytes(data)
