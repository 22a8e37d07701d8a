"""STRING's files of protein vectors: HDF5 with `proteins` and `embeddings`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gene_gcn.errors import ArgumentError, is_out_of_memory
from gene_gcn.storage.text_files import existing_file

LARGEST = 2**29  # numbers in a file; a million proteins of 512


class ProteinVectors(NamedTuple):
    """What :func:`parse_vectors` returns.

    Attributes
    ----------
    proteins : tuple of str, shape (n,)
        STRING ids, such as ``"9606.ENSP00000269305"``.
    vectors : ndarray of float32, shape (n, dimensions)
    """

    proteins: tuple[str, ...]
    vectors: np.ndarray


def parse_vectors(path: str | os.PathLike[str], taxid: str | None = None) -> ProteinVectors:
    """Read ``{taxid}.protein.network.embeddings.v{version}.h5``.

    Parameters
    ----------
    path : path
    taxid : str, optional
        The organism that all proteins must be of; by default any.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ArgumentError
        If the file is damaged or has another layout, or vectors that are not finite.
    """
    import h5py

    file = existing_file(path)
    try:
        with h5py.File(file, "r") as stored:
            embeddings, proteins = stored["embeddings"], stored["proteins"]
            if embeddings.ndim != 2 or proteins.shape != embeddings.shape[:1] or embeddings.size > LARGEST:
                shapes = f"{embeddings.shape} and {proteins.shape}"
                raise ArgumentError("path", f"{path}: embeddings and proteins have the shapes {shapes}.")
            names = tuple(text.decode() if isinstance(text, bytes) else str(text) for text in proteins[:])
            vectors = embeddings[:].astype(np.float32)
    except ArgumentError:
        raise
    except Exception as error:  # h5py raises many types for damaged files
        if is_out_of_memory(error):
            raise
        text = f"{path} is damaged or not STRING's file of protein vectors ({error}); download it again."
        raise ArgumentError("path", text) from error
    if not len(names) or not np.isfinite(vectors).all():
        raise ArgumentError("path", f"{path} has no vectors, or some that are not finite; download it again.")
    other = next((name for name in names if not name.startswith(f"{taxid}.")), None) if taxid else None
    if other is not None:
        raise ArgumentError("path", f"{path} has the protein {other!r}, which is not of organism {taxid}.")
    return ProteinVectors(names, vectors)


def check_vectors(taxid: str) -> Callable[[Path], object]:
    """Return a check of a new file: it raises ArgumentError unless that is an organism's file of vectors."""
    return lambda path: parse_vectors(path, taxid)
