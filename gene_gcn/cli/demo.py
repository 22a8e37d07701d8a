"""What `gene-gcn demo` does, apart from its printing: train with and without graphs on cells of scanpy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gene_gcn import GeneGCNClassifier, plots
from gene_gcn.cells.files import write_predictions
from gene_gcn.storage.atomic import replacing

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["LABEL", "OUTPUTS", "fit", "load", "split", "uncertainty", "write"]

LABEL = "bulk_labels"
OUTPUTS = {
    "model": "model",
    "table": "predictions.csv",
    "cells": "predictions.h5ad",
    "picture": "confusion_matrix.png",
}


def load() -> AnnData:
    """The 700 PBMC of ten types that are part of scanpy's package; `.raw` holds log1p of 765 genes."""
    import scanpy

    return scanpy.datasets.pbmc68k_reduced()


def split(cells: AnnData, seed: int, test_share: float = 0.2) -> tuple[AnnData, AnnData]:
    """Split into training and held-out cells, with the same share of each type in both."""
    from sklearn.model_selection import train_test_split

    labels = cells.obs[LABEL].astype(str)
    train, test = train_test_split(
        np.arange(cells.n_obs), test_size=test_share, stratify=labels, random_state=seed
    )
    return cells[np.sort(train)].copy(), cells[np.sort(test)].copy()


def fit(train: AnnData, seed: int, **parameters: Any) -> GeneGCNClassifier:
    """Train on `.raw` (`.X` of these cells is scaled), with a progress bar."""
    clf = GeneGCNClassifier(use_raw=True, random_state=seed, verbose=True, **parameters)
    return clf.fit(train, LABEL)


def uncertainty(accuracy: float, n: int) -> float:
    """Half the width of the 95 % interval of an accuracy over `n` cells (Wilson, 1927)."""
    z = 1.96
    return z / (1 + z**2 / n) * math.sqrt(accuracy * (1 - accuracy) / n + z**2 / (4 * n**2))


def write(folder: Path, clf: GeneGCNClassifier, test: AnnData) -> dict[str, Path]:
    """Write the model, the held-out cells with their predictions and the confusion matrix into `folder`."""
    paths = {name: folder / file for name, file in OUTPUTS.items()}
    clf.save(paths["model"])
    clf.annotate(test)
    write_predictions(paths["table"], test)
    write_predictions(paths["cells"], test)
    with replacing(paths["picture"]) as file:
        plots.save_figure(plots.confusion_matrix(test.obs[LABEL], test.obs["gene_gcn"]), file)
    return paths
