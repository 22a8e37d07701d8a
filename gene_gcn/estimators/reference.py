"""What a classifier keeps of its training cells, to judge queries: profiles, held-out cells, sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gene_gcn.training.cross_validation import CrossValidated
from gene_gcn.training.distributed import sum_over_processes
from gene_gcn.training.imputation import PPCAImputer
from gene_gcn.training.moments import TypeMoments
from gene_gcn.training.operators import CellSource
from gene_gcn.uncertainty import HeldOutCells, TypeProfiles, TypeSums, covariance_within

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
    moments : TypeMoments
        Factors have no rows where the model has no imputer.
    """

    profiles: TypeProfiles
    held_out: HeldOutCells
    moments: TypeMoments

    @classmethod
    def of(
        cls,
        source: CellSource,
        y: np.ndarray,
        num_classes: int,
        imputer: PPCAImputer | None,
        chosen: CrossValidated,
        batch: np.ndarray | None = None,
    ) -> Reference:
        """Summarize the training cells (cells, N) of types y (cells,), and of batches (cells,).

        In one pass over them; y and batch are of the cells of all processes.
        """
        axes = np.zeros((source.shape[1], 0), np.float32) if imputer is None else imputer.axes.numpy()
        sums = TypeSums.of(y, num_classes, batch)
        moments, codes, of_types = TypeMoments.of(source, y, num_classes, axes, batch, sums.of_cell)
        profiles = sums.profiles(of_types)
        centers = profiles.mean @ axes
        covariance = covariance_within(codes, y[source.rows], centers, profiles.counts)
        if source.is_divided:
            covariance = sum_over_processes(torch.from_numpy(covariance)).numpy()
        logits = chosen.logits.numpy().reshape(len(chosen.cells), num_classes)
        held_out = source.take(chosen.cells) @ axes
        cells_held_out = HeldOutCells(logits, y[chosen.cells], held_out, centers, profiles.counts, covariance)
        return cls(profiles, cells_held_out, moments)

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
            **{f"moments_{name}": array for name, array in vars(self.moments).items()},
        }
        kinds = {"counts": np.int64, "types": np.int64, "moments_counts": np.int64}
        return {
            name: torch.from_numpy(np.ascontiguousarray(array, kinds.get(name, np.float32)))
            for name, array in arrays.items()
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Reference:
        """Rebuild what `tensors` returned."""
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        of_moments = [name for name in arrays if name.startswith("moments_")]
        moments = TypeMoments(**{name.removeprefix("moments_"): arrays.pop(name) for name in of_moments})
        profiles = TypeProfiles(arrays.pop("mean"), arrays["counts"])
        return cls(profiles, HeldOutCells(**arrays), moments)
