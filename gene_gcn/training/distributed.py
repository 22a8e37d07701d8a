"""Sums over the processes that fit one model together.

Who starts the processes, such as `lightning.Fabric.launch`, torchrun or SLURM, also makes their group.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["num_processes", "process_rank", "sum_over_processes"]


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


def _has_group() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
