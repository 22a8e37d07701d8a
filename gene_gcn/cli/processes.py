"""Several processes that run one command together."""

from __future__ import annotations

from gene_gcn.cli.console import be_silent
from gene_gcn.training.distributed import num_processes, process_rank, were_started

__all__ = ["join"]


def join(processes: int, device: str) -> None:
    """Start processes, or meet those that torchrun or SLURM started; only the first one speaks."""
    if num_processes() == 1 and (processes > 1 or were_started()):
        from gene_gcn.training.ranks import join_processes, start_processes  # with lightning

        join_processes(device)
        if num_processes() == 1 and processes > 1:
            start_processes(processes, device)
    if process_rank() > 0:
        be_silent()
