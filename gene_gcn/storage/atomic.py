"""Files that are written completely or not at all."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import platform
import re
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gene_gcn.errors import Argument, ArgumentError

__all__ = ["check_replaceable", "describe_full_disk", "is_abandoned", "replacing"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ABANDONED_AFTER = 24 * 3600.0  # seconds; what a process of another machine left behind is kept that long
_KINDS = {
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces `path` unless an exception is raised.

    If writing fails, the previous file stays. The temporary path is in the same folder and has the same
    ending; parent folders are created. What processes that were killed left of the same file is deleted.

    Raises
    ------
    ArgumentError
        If `path` is something other than a regular file, such as a device, a pipe or a folder.
    OSError
        If the disk is full or `path` is not writable.
    """
    check_replaceable(path)
    target = Path(path).expanduser().resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(target)
    temporary = target.with_name(f".{_process_tag()}-{uuid.uuid4().hex[:8]}-{target.name}")
    try:
        with describe_full_disk(target):
            yield temporary
            temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)  # after success it no longer exists


def check_replaceable(path: str | os.PathLike[str], argument: str = "path") -> None:
    """Refuse to replace what is not a regular file, also where a link points to it.

    Parameters
    ----------
    path : str or path
        Need not exist.
    argument : str
        The argument that the error is about.

    Raises
    ------
    ArgumentError
        If there is a device, a pipe, a socket or a folder.
    """
    place = Path(path).expanduser()
    try:
        mode = place.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno != errno.ELOOP:
            return  # writing says why it cannot be reached
        text = " is a link that leads back to itself; choose another path."
        raise ArgumentError(argument, Argument(argument, str(path)), text) from error
    if not stat.S_ISREG(mode):
        what = _KINDS.get(stat.S_IFMT(mode), "a special file")
        link = "a link to " if place.is_symlink() else ""
        text = f" is {link}{what}, which is not replaced; choose the name of a file."
        raise ArgumentError(argument, Argument(argument, str(path)), text)


@contextmanager
def describe_full_disk(target: Path) -> Iterator[None]:
    """Let errors of a full disk name the file and the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        text = f"{os.strerror(error.errno)}, so nothing was written; free some space or choose another folder"
        raise OSError(error.errno, text, str(target)) from error


# ---- what killed processes left behind ----


def is_abandoned(path: Path) -> bool:
    """Return whether a day has passed since something was written."""
    try:
        return time.time() - path.stat().st_mtime > ABANDONED_AFTER
    except OSError:
        return False


def _clear_abandoned(target: Path) -> None:
    """Delete temporary files of the same target whose processes have ended."""
    pattern = re.compile(rf"\.(?:(\w{{8}})\.(\d+)-)?[0-9a-f]{{8}}-{re.escape(target.name)}")
    with suppress(OSError):
        for entry in os.scandir(target.parent):
            match = pattern.fullmatch(entry.name)
            if not match or not entry.is_file(follow_symlinks=False):
                continue
            of_this_machine = match[1] == _machine()
            if (of_this_machine and not _is_running(int(match[2]))) or is_abandoned(Path(entry.path)):
                Path(entry.path).unlink(missing_ok=True)


def _process_tag() -> str:
    return f"{_machine()}.{os.getpid()}"


@functools.cache
def _machine() -> str:
    """Return what tells apart machines and containers that number their processes independently."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # where asking would end the process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # it belongs to another user
    return True
