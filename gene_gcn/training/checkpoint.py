"""The state of gradient training in a file, from which a fit that was killed goes on."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor, nn

from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.training.distributed import (
    communicating_device,
    num_processes,
    process_rank,
    sum_over_processes,
)
from gene_gcn.training.options import TrainingOptions

STATE = "gradient-training"  # name of the file, without its ending


class WholeFiles(TorchCheckpointIO):
    """Files that are written beside the old ones and then replace them.

    lightning writes to the folder for temporary files. If that is on another disk, files are copied from
    there, which can be interrupted.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        path = Path(path)
        beside = _beside(path)
        torch.save(checkpoint, beside)
        beside.replace(path)


class Checkpoint:
    """The state after the last epoch, in a folder that all processes see; the first of them writes it.

    Parameters
    ----------
    folder : path
        Made if it does not exist.

    Raises
    ------
    ArgumentError
        The folder cannot be made.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder).expanduser()
        self.path = self.folder / f"{STATE}.ckpt"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f" cannot be made a folder ({error.strerror}); pass another path."
            raise ArgumentError("checkpoint", Argument("checkpoint", str(folder)), problem) from error

    def exists(self) -> bool:
        """Return whether there is a state, to all processes alike.

        Raises
        ------
        ArgumentError
            Only some of the processes see it, or it is damaged.
        """
        found = self.path.exists()
        seen = int(sum_over_processes(torch.tensor(int(found), device=communicating_device())))
        if 0 < seen < num_processes():
            problem = (
                f" is seen by {seen} of {num_processes()} processes; pass a folder that all of them share."
            )
            raise ArgumentError("checkpoint", Argument("checkpoint", str(self.folder)), problem)
        if found and not zipfile.is_zipfile(self.path):
            problem = f" holds a damaged {self.path.name}; delete that file to train from the start."
            raise ArgumentError("checkpoint", Argument("checkpoint", str(self.folder)), problem)
        return found

    def check_belongs(self, written: str, expected: str) -> None:
        """Check that a state is that of the same fit.

        Raises
        ------
        ArgumentError
            It is that of another one.
        """
        if written != expected:
            problem = (
                " holds the state of a fit of other cells, genes or parameters; pass another folder, or "
                f"delete {self.path.name} there to train from the start."
            )
            raise ArgumentError("checkpoint", Argument("checkpoint", str(self.folder)), problem)

    def callback(self) -> ModelCheckpoint:
        """Return what writes the state after each epoch, in place of that of the one before."""
        return ModelCheckpoint(
            self.folder, STATE, save_on_train_epoch_end=True, enable_version_counter=False, save_top_k=1
        )

    def remove(self) -> None:
        """Delete the state of a fit that has ended."""
        if process_rank() == 0:
            self.path.unlink(missing_ok=True)
            _beside(self.path).unlink(missing_ok=True)  # of a process that was killed while it wrote
        if num_processes() > 1:
            torch.distributed.barrier()  # none looks for it while it is there


def fingerprint(model: nn.Module, options: TrainingOptions, seed: int, tensors: Iterable[Tensor]) -> str:
    """Return a digest of what is trained, on what and how; only the number of epochs may change."""
    settings = asdict(options)
    for name in ("max_epochs", "progress"):
        del settings[name]
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    digest = hashlib.blake2b(repr((shapes, settings, seed)).encode(), digest_size=16)
    for tensor in tensors:
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}")
