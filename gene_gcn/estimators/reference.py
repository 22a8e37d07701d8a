"""What a classifier keeps of its training cells, to judge a query as a whole: profiles and held-out cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.training.cross_validation import CrossValidated
from gene_gcn.training.imputation import PPCAImputer
from gene_gcn.uncertainty import HeldOutCells, TypeProfiles, covariance_within

__all__ = ["Reference"]


@dataclass(frozen=True, eq=False)
class Reference:
    """Mean expression of the types, and what held-out cells look like to the model.

    Attributes
    ----------
    profiles : TypeProfiles
        Of the N training genes.
    held_out : HeldOutCells
        Without components where the model has no imputer.
    """

    profiles: TypeProfiles
    held_out: HeldOutCells

    @classmethod
    def of(
        cls,
        X: sparse.csr_matrix,
        y: np.ndarray,
        num_classes: int,
        imputer: PPCAImputer | None,
        chosen: CrossValidated,
        batch: np.ndarray | None = None,
    ) -> Reference:
        """Summarize the training cells X (cells, N) of types y (cells,), and of batches (cells,)."""
        profiles = TypeProfiles.of(X, y, num_classes, batch)
        axes = np.zeros((X.shape[1], 0), np.float32) if imputer is None else imputer.axes.numpy()
        components = X @ axes
        centers = profiles.mean @ axes
        covariance = covariance_within(components, y, centers)
        logits = chosen.logits.numpy().reshape(len(chosen.cells), num_classes)
        held_out = HeldOutCells(
            logits, y[chosen.cells], components[chosen.cells], centers, profiles.counts, covariance
        )
        return cls(profiles, held_out)

    def tensors(self) -> dict[str, Tensor]:
        """Return what is saved, by name."""
        arrays = {
            "mean": self.profiles.mean,
            "counts": self.profiles.counts,
            "logits": self.held_out.logits,
            "types": self.held_out.types,
            "components": self.held_out.components,
            "centers": self.held_out.centers,
            "covariance": self.held_out.covariance,
        }
        kinds = {"counts": np.int64, "types": np.int64}
        return {
            name: torch.from_numpy(np.ascontiguousarray(array, kinds.get(name, np.float32)))
            for name, array in arrays.items()
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Reference:
        """Rebuild what `tensors` returned."""
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        profiles = TypeProfiles(arrays.pop("mean"), arrays["counts"])
        return cls(profiles, HeldOutCells(**arrays))
