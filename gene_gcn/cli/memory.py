"""Work within a limit of memory, or refuse one in which not even the libraries can be loaded."""

from __future__ import annotations

import os
import sys

from gene_gcn.errors import Message

__all__ = ["MemoryLimitError", "check_memory_limit", "is_memory_limited", "prepare_for_memory_limit"]

LEAST = 10**9  # bytes; loading torch, SciPy and pandas takes 0.9 GB of address space


class MemoryLimitError(Message, MemoryError):
    """A limit of memory in which libraries would end the process, or wait forever, while they are loaded."""


def prepare_for_memory_limit() -> None:
    """Let OpenBLAS start no threads if memory is limited: each takes address space, or waits forever for it.

    Must be called before NumPy is imported.
    """
    if is_memory_limited():
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def check_memory_limit() -> None:
    """Refuse a limit of the address space (``ulimit -v``) that is too small for the libraries."""
    limit = _memory_limit()
    if limit is not None and limit < LEAST:
        raise MemoryLimitError(
            f"The memory of this process is limited to {limit / 1e6:,.0f} MB, but loading its libraries "
            f"takes about {LEAST / 1e6:,.0f} MB; raise the limit (ulimit -v)."
        )


def is_memory_limited() -> bool:
    """Return whether the address space has a limit, in which libraries may fail without saying why."""
    return _memory_limit() is not None


def _memory_limit() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit
