"""Processes that train one model together: how they join, and what lightning is told of them."""

from __future__ import annotations

import os

import torch
from lightning import Fabric
from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)

from gene_gcn.training.device import choose_device
from gene_gcn.training.distributed import num_processes, process_rank
from gene_gcn.training.quiet import quiet


class JoinedProcesses(ClusterEnvironment):
    """The group of processes that exists already, whoever made it, each with one device of its own."""

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return os.environ.get("MASTER_ADDR", "127.0.0.1")

    @property
    def main_port(self) -> int:
        return int(os.environ.get("MASTER_PORT", 0))

    @staticmethod
    def detect() -> bool:
        return num_processes() > 1

    def world_size(self) -> int:
        return num_processes()

    def set_world_size(self, size: int) -> None:
        pass  # the group has its size

    def global_rank(self) -> int:
        return process_rank()

    def set_global_rank(self, rank: int) -> None:
        pass  # the group has numbered its processes

    def local_rank(self) -> int:
        return 0  # of the one device of this process

    def node_rank(self) -> int:
        return process_rank()


def join_processes(device: str = "auto") -> None:
    """Make the group of the processes that torchrun or SLURM started, unless there is one."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return
    for environment in (TorchElasticEnvironment, SLURMEnvironment):
        if environment.detect() and environment().world_size() > 1:
            size = environment().world_size()
            here = int(os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("SLURM_NTASKS_PER_NODE") or size)
            accelerator = "gpu" if choose_device(device).type == "cuda" else "cpu"
            nodes = size // here
            with quiet():
                Fabric(
                    accelerator=accelerator,
                    strategy="ddp",
                    devices=here,
                    num_nodes=nodes,
                    plugins=[environment()],
                ).launch()
            return


def start_processes(count: int, device: str = "auto") -> None:
    """Run the program in so many processes on this machine, which then make a group."""
    accelerator = "gpu" if choose_device(device).type == "cuda" else "cpu"
    with quiet():
        Fabric(accelerator=accelerator, strategy="ddp", devices=count).launch()


def own_device(device: str = "auto") -> torch.device:
    """Return the device on which this process trains: each of several takes the next GPU of its machine."""
    chosen = choose_device(device)
    if chosen.type != "cuda" or chosen.index is not None or num_processes() == 1:
        return chosen
    number = os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or process_rank()
    return torch.device("cuda", int(number) % torch.cuda.device_count())
