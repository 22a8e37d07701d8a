"""Locks on folders, for what several processes write; they end with the process that holds them."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gene_gcn.storage.atomic import is_abandoned

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # None says that there are no locks

__all__ = ["is_in_use", "locked", "locked_unless_in_use"]

PATIENCE = 60.0  # seconds; a lock is held for two renames, or while a model is read


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold a lock on a folder, which leaves no file behind; yield whether there is one.

    Some network file systems and Windows have no such locks.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    OSError
        If another process holds the lock for longer than a minute.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY) if fcntl else -1
    except OSError:
        descriptor = -1
    try:
        yield descriptor >= 0 and _lock(descriptor, folder)
    finally:
        if descriptor >= 0:
            os.close(descriptor)  # which ends the lock


@contextmanager
def locked_unless_in_use(folder: Path) -> Iterator[bool]:
    """Hold a lock on a folder and yield True, or yield False if another process has it.

    Where there are no locks, as `locked` says, none is held.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY) if fcntl else -1
    except OSError:
        descriptor = -1
    try:
        is_free = True
        with suppress(OSError):
            is_free = descriptor < 0 or _try_lock(descriptor)
        yield is_free
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def is_in_use(folder: Path) -> bool:
    """Return whether a running process holds the lock of a folder; without locks, its age decides."""
    if fcntl is None:
        return not is_abandoned(folder)
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return True
    try:
        return not _try_lock(descriptor)
    except OSError:
        return not is_abandoned(folder)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if _try_lock(descriptor):
                return True
        except OSError:
            return False
        time.sleep(0.005)
    text = f"another process has been writing to it for {PATIENCE:.0f} seconds; try again later"
    raise OSError(errno.EWOULDBLOCK, text, str(folder))


def _try_lock(descriptor: int) -> bool:
    """Take a lock unless another process has it; OSError if the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # EWOULDBLOCK or EAGAIN
        return False
    return True
