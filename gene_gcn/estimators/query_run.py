"""What identifies the annotation of cells on disk, so that only the same one goes on after it was killed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy import sparse

from gene_gcn import __version__
from gene_gcn.cells import CellBlocks, Normalizer
from gene_gcn.estimators.fitted import GradientModel, LinearModel
from gene_gcn.networks import GeneNetwork
from gene_gcn.training.imputation import PPCAImputer

__all__ = ["describe_run", "matrix_digest", "model_digest"]


def describe_run(cells: CellBlocks, model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the version, the model by its digest, the files, the options and the sizes of blocks.

    Raises
    ------
    ArgumentError
        The cells are not in files.
    """
    return {
        "version": __version__,
        "model": model,
        "files": [part.matrix.fingerprint() for part in cells.parts],
        "options": dict(options),
        "block sizes": [part.matrix.rows for part in cells.parts],
    }


def matrix_digest(matrix: sparse.csr_matrix) -> str:
    """Return a digest of a sparse matrix, such as that from the genes of another species to the model's."""
    digest = hashlib.blake2b(repr(matrix.shape).encode(), digest_size=16)
    for values in (matrix.data, matrix.indices, matrix.indptr):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def model_digest(
    classes: np.ndarray,
    prior: np.ndarray,
    normalizer: Normalizer,
    fitted: LinearModel | GradientModel,
    imputer: PPCAImputer | None,
    network: GeneNetwork | None,
) -> str:
    """Return a digest of all that predictions depend on; it is the same after `save` and `load`."""
    digest = hashlib.blake2b(repr((classes.tolist(), normalizer.to_dict())).encode(), digest_size=16)
    parts: list[Mapping[str, Any]] = [{"prior": prior}, normalizer.arrays(), fitted.tensors()]
    parts += [] if imputer is None else [imputer.tensors()]
    parts += [] if network is None else [network.arrays()]
    parts += [fitted.reference.tensors()] if isinstance(fitted, LinearModel) else []
    for part in parts:
        for name in sorted(part):
            values = np.ascontiguousarray(torch.as_tensor(part[name]).detach().cpu())
            digest.update(f"{name} {values.dtype} {values.shape}".encode())
            digest.update(values.tobytes())
    return digest.hexdigest()
