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
from gene_gcn.training.distributed import process_rank

NAME = "exact-fit.safetensors"
IGNORED = {"verbose", "n_jobs", "device"}  # parameters that do not change what is fitted


class FitState:
    """Weights of the regressions on genes after each step, in a folder that all processes see.

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

    def load(self) -> Tensor | None:
        """Return the weights where the fit was killed; None if it starts.

        Raises
        ------
        ArgumentError
            The state is damaged, or that of another fit.
        """
        if not self.path.exists():
            return None
        argument = Argument("checkpoint", str(self.folder))
        try:
            with safe_open(self.path, "pt") as stored:
                written, weights = (stored.metadata() or {}).get("fit"), stored.get_tensor("weights")
        except (SafetensorError, OSError) as error:
            problem = f" holds a damaged {NAME}; delete that file to fit from the start."
            raise ArgumentError("checkpoint", argument, problem) from error
        if written != self.fingerprint:
            problem = (
                " holds the state of a fit of other cells, parameters or random state; pass another folder"
            )
            remedy = f", or delete {NAME} there to fit from the start."
            raise ArgumentError("checkpoint", argument, problem, remedy)
        return weights

    def save(self, weights: Tensor) -> None:
        """Replace the state; the first process does."""
        if process_rank() == 0:
            with replacing(self.path) as file:
                save_file({"weights": weights.cpu().contiguous()}, file, {"fit": self.fingerprint})

    def remove(self) -> None:
        """Delete the state of a fit that has ended."""
        if process_rank() == 0:
            self.path.unlink(missing_ok=True)


def fingerprint(parameters: Mapping[str, Any], normalizer: Normalizer, y: np.ndarray, seed: int) -> str:
    """Return a digest of what is fitted, and how: cells by the depth and the gene shares of all of them."""
    settings = sorted((name, repr(value)) for name, value in parameters.items() if name not in IGNORED)
    digest = hashlib.blake2b(repr((__version__, settings, normalizer.to_dict(), seed)).encode())
    digest.update(normalizer.gene_share.tobytes())
    digest.update(np.ascontiguousarray(y).tobytes())
    return digest.hexdigest()[:32]
