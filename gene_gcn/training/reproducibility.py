"""One fit at a time, seeded, on a known number of threads: what makes the same seed give the same model.

torch has one random generator and one number of threads for the whole process, and the order in which several
threads add numbers up changes the last bits of a sum, which an optimizer amplifies.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

_ONE_AT_A_TIME = threading.RLock()


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
    they would otherwise change each other's number of threads and random numbers. Processes are not affected.
    """
    with _ONE_AT_A_TIME, threadpool_limits(threads), torch_threads(threads):
        yield


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch compute on so many threads inside, as before outside; takes less than a microsecond."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global generators inside, one Python thread at a time; outside they go on as before."""
    with _ONE_AT_A_TIME, torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
