"""What the processes that fit one model together tell each other: sums, values of the first, errors.

Who starts the processes, such as `lightning.Fabric.launch`, torchrun or SLURM, also makes their group.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from gene_gcn.errors import RAISED_BY_ALL, LostProcessError

__all__ = [
    "agreed",
    "communicating_device",
    "in_turn",
    "num_processes",
    "process_rank",
    "same_everywhere",
    "same_tensors",
    "sum_over_processes",
    "were_started",
]

T = TypeVar("T")


def num_processes() -> int:
    """Return the number of processes that fit together; 1 without a group."""
    return torch.distributed.get_world_size() if _has_group() else 1


def process_rank() -> int:
    """Return the number of this process, from 0."""
    return torch.distributed.get_rank() if _has_group() else 0


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor, which may be overwritten, over all processes: the same in each."""
    if num_processes() > 1:
        with _with_all():
            torch.distributed.all_reduce(tensor)
    return tensor


def same_everywhere(value: T) -> T:
    """Return the value of the first process, such as a seed, in all of them."""
    if num_processes() == 1:
        return value
    values = [value]
    with _with_all():
        torch.distributed.broadcast_object_list(values)
    return values[0]


def same_tensors(read: Callable[[], Mapping[str, Tensor] | None]) -> Mapping[str, Tensor] | None:
    """Return what `read` returns in the first process, on the CPU, in all of them; only that one calls it.

    Raises
    ------
    Exception
        In all processes, what `read` raises.
    """
    tensors: Mapping[str, Tensor] | None = None
    with agreed():
        if process_rank() == 0:
            tensors = read()
    if num_processes() == 1:
        return tensors
    own = None if tensors is None else {name: (value.shape, value.dtype) for name, value in tensors.items()}
    found = same_everywhere(own)
    if found is None:
        return None
    device = communicating_device()
    received = {}
    for name, (shape, dtype) in found.items():
        value = torch.empty(shape, dtype=dtype) if tensors is None else tensors[name]
        value = value.to(device)
        with _with_all():
            torch.distributed.broadcast(value, 0)
        received[name] = value.cpu()
    return received


@contextmanager
def agreed() -> Iterator[None]:
    """Let a part of the work, in which processes do not communicate, fail in all of them or in none.

    Otherwise the others would wait for the one that failed, and then report that it is gone.

    Raises
    ------
    Exception
        What the part raised in the first of the processes in which it failed.
    """
    if num_processes() == 1:
        yield
        return
    own: Exception | None = None
    try:
        yield
    except Exception as error:
        own = error
    every = _gather(_portable(own))
    failed = next((rank for rank, error in enumerate(every) if error is not None), None)
    if failed is None:
        return
    shared = own if failed == process_rank() else every[failed]
    assert shared is not None
    shared.add_note(RAISED_BY_ALL)
    raise shared


def in_turn(own: Iterator[T]) -> Iterator[T]:
    """Yield what all processes have, one of each in turn, in all of them.

    The first processes may have one more than the others, as where things are dealt out.

    Raises
    ------
    Exception
        In all processes, what one of these iterators raises.
    """
    if num_processes() == 1:
        yield from own
        return
    while True:
        with agreed():
            value = list(islice(own, 1))
        every = _gather(value)
        for values in every:
            yield from values
        if not all(every):
            return


def were_started() -> bool:
    """Say whether torchrun or SLURM started several processes, which may not have met yet."""
    counts = (os.environ.get(name, "") for name in ("WORLD_SIZE", "SLURM_NTASKS"))
    return any(count.isdigit() and int(count) > 1 for count in counts)


def communicating_device() -> str:
    """Return the device of tensors that are sent to other processes."""
    gpu = num_processes() > 1 and torch.distributed.get_backend() == "nccl"
    return "cuda" if gpu else "cpu"


def _gather(value: T) -> list[T]:
    every = [value] * num_processes()
    with _with_all():
        torch.distributed.all_gather_object(every, value)
    return every


@contextmanager
def _with_all() -> Iterator[None]:
    """Say of an error of communication that another process has ended, if so."""
    try:
        yield
    except RuntimeError as error:
        if "connection" not in str(error).lower():
            raise
        problem = "Another process of this fit has ended before its work was done; if it could, it said why."
        raise LostProcessError(problem) from error


def _portable(error: Exception | None) -> Exception | None:
    """Return an error that can be sent to other processes: the same, or one with its text."""
    try:
        return deepcopy(error)
    except Exception:  # it may hold what cannot be copied, or take other arguments than it keeps
        return RuntimeError(f"{type(error).__name__}: {error}")


def _has_group() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
