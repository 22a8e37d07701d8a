"""A model folder small enough to be served, and what its files are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gene_gcn.storage.model_folder import write_model

FILES = ("README.md", "config.json", "manifest.json", "model.safetensors")
CARD = "---\nlibrary_name: gene_gcn\n---\n\n# A model\n"


def make_model(folder: Path, number: float = 1.0) -> dict[str, bytes]:
    """Write a model of one tensor; return its files."""
    write_model(folder, {"number": number}, {"x": np.full(1000, number, np.float32)}, card=lambda: CARD)
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
