"""One fit at a time, seeded, on a known number of threads: what makes the same seed give the same model.

torch has one random generator and one number of threads for the whole process, and the order in which several
threads add numbers up changes the last bits of a sum, which an optimizer amplifies.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from threadpoolctl import threadpool_limits


class _Process:
    """What is known of this process, and its lock."""

    def __init__(self) -> None:
        self.one_at_a_time = threading.RLock()
        self.has_threads = torch.get_num_threads() > 1  # of torch's pool, or may have them
        self.lost_threads = False

    def after_fork(self) -> None:
        """Forget a lock that a thread of the parent may hold, and threads that only the parent has.

        OpenMP would wait for them forever.
        """
        self.one_at_a_time = threading.RLock()
        self.lost_threads = self.lost_threads or self.has_threads
        if self.lost_threads:
            torch.set_num_threads(1)  # what is computed outside of `exclusive` would wait as well


_PROCESS = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PROCESS.after_fork)


def count_threads(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` means: None is 1, -1 all cores, -2 all but one."""
    if n_jobs is None:
        return 1
    if n_jobs > 0:
        return n_jobs
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores + 1 + n_jobs)


@contextmanager
def exclusive(threads: int = 1) -> Iterator[None]:
    """Compute on so many threads, while no other thread of this process is in here.

    Python threads that fit models at once (`GridSearchCV` with joblib's threading backend) take turns, as
    they would otherwise change each other's number of threads and random numbers. Processes are not affected,
    except that one forked from a process that has used several threads computes on one.
    """
    usable = 1 if _PROCESS.lost_threads else threads
    with _PROCESS.one_at_a_time, threadpool_limits(usable), torch_threads(usable):
        yield


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch compute on so many threads inside, as before outside; takes less than a microsecond."""
    before = torch.get_num_threads()
    _PROCESS.has_threads = _PROCESS.has_threads or threads > 1
    torch.set_num_threads(1 if _PROCESS.lost_threads else threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generators inside, one Python thread at a time; outside they go on as before."""
    with _PROCESS.one_at_a_time, torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """Return the seed of an epoch in a process, with which a killed fit goes on as it would have gone on."""
    return int(np.random.SeedSequence((seed, epoch, rank)).generate_state(1, np.uint64)[0] >> 1)
