"""Sums over the processes that fit one model together.

Who starts the processes, such as `lightning.Fabric.launch`, torchrun or SLURM, also makes their group.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

__all__ = ["num_processes", "process_rank", "same_everywhere", "sum_over_processes", "were_started"]


def num_processes() -> int:
    """Return the number of processes that fit together; 1 without a group."""
    return torch.distributed.get_world_size() if _has_group() else 1


def process_rank() -> int:
    """Return the number of this process, from 0."""
    return torch.distributed.get_rank() if _has_group() else 0


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor, which may be overwritten, over all processes: the same in each."""
    if num_processes() > 1:
        torch.distributed.all_reduce(tensor)
    return tensor


def same_everywhere(seed: int) -> int:
    """Return the seed of the first process, in all of them."""
    if num_processes() == 1:
        return seed
    seeds = [seed]
    torch.distributed.broadcast_object_list(seeds)
    return seeds[0]


def were_started() -> bool:
    """Say whether torchrun or SLURM started several processes, which may not have met yet."""
    counts = (os.environ.get(name, "") for name in ("WORLD_SIZE", "SLURM_NTASKS"))
    return any(count.isdigit() and int(count) > 1 for count in counts)


def _has_group() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
