"""What a classifier keeps of its training cells, to judge a query as a whole: profiles and held-out cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gene_gcn.training.cross_validation import CrossValidated
from gene_gcn.training.imputation import PPCAImputer
from gene_gcn.training.operators import CellSource, SmoothedCells
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
    """

    profiles: TypeProfiles
    held_out: HeldOutCells

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
        cells = SmoothedCells(source, torch.device("cpu"))
        axes = torch.zeros(cells.shape[1], 0) if imputer is None else imputer.axes
        sums, components = TypeSums.of(y, num_classes, batch), []
        of_cell = sums.of_cell[source.rows]

        def collect(rows: slice, products: Tensor) -> Tensor:
            components.append(products.numpy())
            return torch.from_numpy(of_cell[rows].toarray())

        profiles = sums.profiles(cells.round_trip(axes, collect).numpy().T)
        centers = profiles.mean @ axes.numpy()
        codes = np.concatenate(components) if components else np.empty((0, axes.size(1)), np.float32)
        covariance = covariance_within(codes, y[source.rows], centers, profiles.counts)
        covariance = cells.over_processes(torch.from_numpy(covariance)).numpy()
        logits = chosen.logits.numpy().reshape(len(chosen.cells), num_classes)
        held_out = source.take(chosen.cells) @ axes.numpy()
        cells_held_out = HeldOutCells(logits, y[chosen.cells], held_out, centers, profiles.counts, covariance)
        return cls(profiles, cells_held_out)

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
