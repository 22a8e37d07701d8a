"""Files in the layout of STRING's protein vectors."""

from __future__ import annotations

import io
from collections.abc import Sequence

import h5py
import numpy as np


def h5_bytes(proteins: Sequence[str], vectors: np.ndarray) -> bytes:
    """The content of `{taxid}.protein.network.embeddings.v12.0.h5`."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("metadata").attrs["description"] = "cross-species network embeddings"
        file["embeddings"] = vectors
        file.create_dataset("proteins", data=np.array(proteins, dtype="S32"))
    return buffer.getvalue()
