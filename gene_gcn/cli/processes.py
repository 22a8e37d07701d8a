"""Several processes that run one command together."""

from __future__ import annotations

import os
import time

from gene_gcn.cli.console import be_silent, is_silent
from gene_gcn.errors import RAISED_BY_ALL, LostProcessError

__all__ = ["is_told_by_first", "join", "let_first_leave"]

LONGEST_WAIT = 10.0  # seconds in which a process that has an error to tell has ended
_started_by: list[int] = []  # the first process, if that started this one


def join(processes: int, device: str) -> None:
    """Start processes, or meet those that torchrun or SLURM started; only the first one speaks."""
    from gene_gcn.training.distributed import num_processes, process_rank, were_started

    if num_processes() == 1 and (processes > 1 or were_started()):
        from gene_gcn.training.ranks import join_processes, start_processes  # with lightning

        join_processes(device)
        if num_processes() == 1 and processes > 1:
            start_processes(processes, device)
            if process_rank() > 0:
                _started_by.append(os.getppid())
    if process_rank() > 0:
        be_silent()


def is_told_by_first(error: BaseException) -> bool:
    """Return whether another process tells the user of an error: all have it, or another has ended."""
    is_of_others = isinstance(error, LostProcessError) or RAISED_BY_ALL in getattr(error, "__notes__", ())
    return is_of_others and is_silent()


def let_first_leave() -> None:
    """Wait until the process that started this one, if one did, has ended.

    While it runs, lightning kills it as soon as it sees that one of the others ended with an error.
    """
    start = time.monotonic()
    while os.getppid() in _started_by and time.monotonic() < start + LONGEST_WAIT:
        time.sleep(0.05)
