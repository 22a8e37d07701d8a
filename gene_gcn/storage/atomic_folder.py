"""Folders that are written completely or not at all, even if the process is killed.

A folder is written beside its target, as ``.name.new-…``; then the previous one is moved aside, to
``.name.old-…``, and the new one is renamed. The next process deletes what killed ones left behind, or puts it
back.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gene_gcn.storage.atomic import describe_full_disk
from gene_gcn.storage.locks import is_in_use, locked

__all__ = ["replace_folder", "replacing_folder", "restore_previous"]


def replace_folder(target: Path, contents: Mapping[str, bytes], check: Callable[[], None]) -> None:
    """Write a folder of files, flush it to disk and put it in the place of `target`.

    If that fails, for instance because the disk is full or Ctrl-C is pressed, nothing is left behind and the
    previous folder stays.

    Parameters
    ----------
    target : Path
        Resolved. Parent folders are created.
    contents : mapping of str to bytes
        The files.
    check : callable
        Called before the folder is replaced, while other processes wait; raises where it must not be.

    Raises
    ------
    OSError
        If the disk is full or the parent folder is not writable.
    """
    with replacing_folder(target, contents.keys(), check) as temporary:
        for name, content in contents.items():
            _write_to_disk(temporary / name, content)


@contextmanager
def replacing_folder(target: Path, names: Collection[str], check: Callable[[], None]) -> Iterator[Path]:
    """Yield a folder to write to, which replaces `target` unless an exception is raised.

    Parameters
    ----------
    target : Path
        Resolved. Parent folders are created.
    names : collection of str
        The files and folders that may be written there, by which what killed processes left is recognized.
    check : callable
        As for `replace_folder`.

    Raises
    ------
    OSError
        If the disk is full or the parent folder is not writable.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with describe_full_disk(target), _temporary_folder(target, names) as temporary:
        yield temporary
        _sync_folder(temporary)
        with locked(target.parent):
            check()
            _move_into_place(temporary, target)


def restore_previous(target: Path, names: Collection[str]) -> None:
    """Put the previous folder back if a process was killed between its two renames; the parent is locked.

    Parameters
    ----------
    target : Path
    names : collection of str
        The files that it may have.
    """
    if not target.exists() and (previous := _siblings(target, "old", names)):
        with suppress(OSError):
            previous[-1].rename(target)


@contextmanager
def _temporary_folder(target: Path, names: Collection[str]) -> Iterator[Path]:
    """Yield a folder beside `target`, locked so that other processes know that it is in use."""
    temporary = _sibling(target, "new")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)  # after success it no longer exists
        with locked(target.parent):
            _clear_siblings(target, names)
            temporary.mkdir()
            stack.enter_context(locked(temporary))
        yield temporary


def _clear_siblings(target: Path, names: Collection[str]) -> None:
    """Delete what killed processes left behind; the parent is locked."""
    restore_previous(target, names)
    old = _siblings(target, "old", names) if target.exists() else []
    for place in _siblings(target, "new", names) + old:
        if not is_in_use(place):
            shutil.rmtree(place, ignore_errors=True)


def _siblings(target: Path, kind: str, names: Collection[str]) -> list[Path]:
    """Return the folders of these files that processes have put beside `target`, the newest last."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.{kind}-[0-9a-zA-Z]+")
    try:
        found = [place for place in target.parent.iterdir() if pattern.fullmatch(place.name)]
        found = [place for place in found if place.is_dir() and not place.is_symlink()]
        found = [place for place in found if {file.name for file in place.iterdir()} <= set(names)]
        return sorted(found, key=lambda place: place.stat().st_mtime_ns)
    except OSError:
        return []


def _sibling(target: Path, kind: str) -> Path:
    return target.with_name(f".{target.name}.{kind}-{uuid.uuid4().hex[:8]}")


def _write_to_disk(file: Path, data: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk; Windows and some network file systems cannot, and need not."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _move_into_place(new: Path, target: Path) -> None:
    """Rename `new` to `target`; the previous one is moved aside first and restored if that fails."""
    old = _sibling(target, "old")
    try:
        if target.exists():
            target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    finally:
        if target.exists():  # otherwise `old` is the only copy
            shutil.rmtree(old, ignore_errors=True)
    _sync_folder(target.parent)
