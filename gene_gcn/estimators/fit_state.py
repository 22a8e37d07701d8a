"""The state of a fit to cells on disk in a file, from which a fit that was killed goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gene_gcn import __version__
from gene_gcn.cells import Normalizer
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.storage.atomic import replacing
from gene_gcn.training.distributed import agreed, process_rank, same_tensors
from gene_gcn.training.lbfgs import Iterate

NAME = "exact-fit.safetensors"
IGNORED = {"verbose", "n_jobs", "device"}  # parameters that do not change what is fitted


class FitState:
    """What the regressions on genes know after each step, in a folder of the first process.

    That process alone reads and writes, so the others need not see the folder. All of them call each method.

    Parameters
    ----------
    folder : path
        Made if it does not exist.
    fingerprint : str
        Of what is fitted, from `fingerprint`.
    """

    def __init__(self, folder: str | Path, fingerprint: str):
        self.folder = Path(folder).expanduser()
        self.path = self.folder / NAME
        self.fingerprint = fingerprint

    def load(self) -> Iterate | None:
        """Return where the fit was killed; None if it starts.

        Raises
        ------
        ArgumentError
            In all processes: the state is damaged, or that of another fit.
        """
        tensors = same_tensors(self._read)
        return None if tensors is None else Iterate.from_tensors(tensors)

    def _read(self) -> dict[str, Tensor] | None:
        if not self.path.exists():
            return None
        argument = Argument("checkpoint", str(self.folder))
        try:
            with safe_open(self.path, "pt") as stored:
                written = (stored.metadata() or {}).get("fit")
                # Copies, as products of tensors that are not aligned in memory may differ in the last bit.
                tensors = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118
            Iterate.from_tensors(tensors)
        except (SafetensorError, OSError, KeyError) as error:
            problem = f" holds a damaged {NAME}; delete that file to fit from the start."
            raise ArgumentError("checkpoint", argument, problem) from error
        if written != self.fingerprint:
            problem = (
                " holds the state of a fit of other cells, parameters or random state; pass another folder"
            )
            remedy = f", or delete {NAME} there to fit from the start."
            raise ArgumentError("checkpoint", argument, problem, remedy)
        return tensors

    def save(self, iterate: Iterate) -> None:
        """Replace the state."""
        with agreed():
            if process_rank() == 0:
                tensors = {name: tensor.cpu().contiguous() for name, tensor in iterate.tensors().items()}
                with replacing(self.path) as file:
                    save_file(tensors, file, {"fit": self.fingerprint})

    def remove(self) -> None:
        """Delete the state of a fit that has ended."""
        with agreed():
            if process_rank() == 0:
                self.path.unlink(missing_ok=True)


def fingerprint(parameters: Mapping[str, Any], normalizer: Normalizer, y: np.ndarray, seed: int) -> str:
    """Return a digest of what is fitted, and how: cells by the depth and the gene shares of all of them."""
    settings = sorted((name, repr(value)) for name, value in parameters.items() if name not in IGNORED)
    digest = hashlib.blake2b(repr((__version__, settings, normalizer.to_dict(), seed)).encode())
    digest.update(normalizer.gene_share.tobytes())
    digest.update(np.ascontiguousarray(y).tobytes())
    return digest.hexdigest()[:32]
