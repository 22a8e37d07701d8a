"""`GradientExplanation`: contributions to the logits of a model that was trained by gradients."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from gene_gcn.errors import Argument, ArgumentError, ExplanationWarning, warn
from gene_gcn.explain.base import BaseExplanation, largest

if TYPE_CHECKING:
    from gene_gcn.explain.base import CellIndex
    from gene_gcn.explain.integrated_gradients import Integrals, IntegratedGradients

__all__ = ["GradientExplanation"]

TOLERANCE = 0.01  # of the difference of the logits; a larger gap is told


@dataclass(frozen=True, eq=False, repr=False)
class GradientExplanation(BaseExplanation):
    """What each gene, and each edge of the network, adds to the logits of cells: by integrated gradients.

    It has the tables and graphs of an `Explanation`, computed when they are asked for. "own" includes what
    a gene adds through attention. Contributions sum to the logit up to a gap, which `summary` and `gap` tell
    and which more steps make smaller; ExplanationWarning if it is above 1 % of the difference of the logits.

    With several interaction layers and a network, the two are not told apart: the part "own_and_network"
    replaces "own" and "from_network", and there are no edges.

    Parameters
    ----------
    X : csr_matrix of float32, shape (B, N)
        Normalized expression.
    gradients : IntegratedGradients
    contrast : ndarray, shape (all types, K)
        Weights of the types' logits in each of the K explained ones.
    panels : sequence of (cells, measured)
        Positions of cells, and the genes that were measured in them, a mask (N,).
    gene_names : sequence of str, shape (N,)
    types : sequence, shape (K,)
        The explained types.
    against : object
        Another type, whose logit is subtracted; None for none.
    gene_column : str, optional
        The column of an AnnData's `var` with the names of its genes.
    """

    X: sparse.csr_matrix
    gradients: IntegratedGradients
    contrast: np.ndarray
    panels: Sequence[tuple[np.ndarray, np.ndarray]]
    gene_names: Sequence[str]
    types: Sequence[Any]
    against: Any = None
    gene_column: str | None = None
    # Integrals by the weights of the cells, then by type; the last choices of cells, one for each type or so.
    _computed: dict[bytes, dict[int, Integrals]] = field(default_factory=dict, init=False)

    @property
    def parts(self) -> list[str]:
        """Columns of `genes` that sum to "total"."""
        return super().parts if self.gradients.splits_network else ["own_and_network", "through_missing"]

    @property
    def edge_index(self) -> np.ndarray:
        """Source and target of each edge, int (2, E)."""
        return self.gradients.edge_index

    def edge_mask(self, type: Any = None, *, cells: CellIndex = None) -> np.ndarray:
        (integrals,) = self._integrate([self._index(type)], cells)
        return integrals.edges

    def gap(self, cells: CellIndex = None) -> pd.DataFrame:
        """Return what contributions lack of the logits, a row per cell and a column per type.

        Parameters
        ----------
        cells
            As in `genes`.

        Returns
        -------
        DataFrame
            The logit less that of the baseline and all contributions. The index has the positions of cells.
        """
        integrals = self._integrate(range(len(self.types)), cells)
        positions = np.flatnonzero(self._shares(cells))
        return pd.DataFrame(np.stack([each.gap for each in integrals], axis=1), positions, list(self.types))

    def attention(self, gene: str, cell: int, top: int | None = 20) -> pd.DataFrame:
        """Return the genes to which a gene attends most in a cell, in the first layer.

        Only the row of this gene is computed, never the whole attention graph.

        Parameters
        ----------
        gene : str
            One of `gene_names`.
        cell : int
            Position of the cell.
        top : int or None
            Number of genes; None for all.

        Returns
        -------
        DataFrame
            "source", "target" (the gene) and "weight", the mean over the parallel attention graphs; over all
            sources, weights sum to 1. With one channel, genes of equal expression have equal weights.

        Raises
        ------
        ArgumentError
            The model has no attention, the gene or the cell is unknown, or `top` is not positive.
        """
        import torch

        model = self.gradients.model
        if not any(conv.attention is not None for conv in model.convs):
            problem = " was trained, so there is no attention graph; train with "
            better = Argument("attention", "embedded_dot")
            raise ArgumentError("attention", Argument("attention", None), problem, better, ".")
        index = self._gene(gene)
        positions = self._positions(cell)
        if len(positions) != 1:
            raise ArgumentError("cell", Argument("cell", cell), " must be the position of one cell.")
        measured = next(genes for cells, genes in self.panels if positions[0] in cells)
        with torch.inference_mode():
            x = self.gradients.cells(self.X[positions], measured)
            rows = model.attention_rows(x, torch.tensor([index]))  # (1, H, 1, N)
        names = np.asarray(self.gene_names, dtype=object)
        weight = rows.mean(1).flatten().double().numpy()
        return largest(pd.DataFrame({"source": names, "target": gene, "weight": weight}), "weight", top)

    def _gene(self, gene: str) -> int:
        names = list(self.gene_names)
        if gene in names:
            return names.index(gene)
        close = difflib.get_close_matches(str(gene), names, n=3) or names[:5]
        problem = f" is not among the {len(names):,} genes; pass one such as {', '.join(close)}."
        raise ArgumentError("gene", Argument("gene", gene), problem)

    def _summary(self, indices: Sequence[int], cells: CellIndex) -> pd.DataFrame:
        integrals = self._integrate(indices, cells)
        rows = [[each.baseline, *self._parts_of(each).sum(axis=1)] for each in integrals]
        types = pd.Index([self.types[index] for index in indices], name="type")
        table = pd.DataFrame(rows, types, ["baseline", *self.parts])
        logit = np.array([each.logit for each in integrals])
        return table.assign(gap=logit - table.sum(axis=1), logit=logit)

    def _gene_parts(self, index: int, cells: CellIndex) -> np.ndarray:
        (integrals,) = self._integrate([index], cells)
        return self._parts_of(integrals)

    def _parts_of(self, integrals: Integrals) -> np.ndarray:
        network = [integrals.from_network] if self.gradients.splits_network else []
        return np.stack([integrals.own, *network, integrals.through_missing])

    def _integrate(self, indices: Sequence[int], cells: CellIndex) -> list[Integrals]:
        """Return the integrals of types, each with K = 1, averaged over cells."""
        share = self._shares(cells)
        known = self._computed.pop(share.tobytes(), {})
        while len(self._computed) > len(self.types):
            del self._computed[next(iter(self._computed))]  # the oldest
        self._computed[share.tobytes()] = known
        new = [index for index in indices if index not in known]
        if new:
            known |= dict(zip(new, self._integrate_panels(new, share), strict=True))
            self._warn_of_gaps(new, [known[index] for index in new])
        return [known[index] for index in indices]

    def _integrate_panels(self, indices: Sequence[int], share: np.ndarray) -> list[Integrals]:
        from gene_gcn.explain.integrated_gradients import Integrals

        contrast, by_panel, positions = self.contrast[:, list(indices)], [], []
        for cells, measured in self.panels:
            chosen = cells[share[cells] > 0]
            if len(chosen):
                positions.append(chosen)
                by_panel.append(self.gradients.integrate(self.X[chosen], share[chosen], measured, contrast))
        order = np.argsort(np.concatenate(positions))
        joined = [Integrals.join(parts) for parts in zip(*by_panel, strict=True)]
        return [replace(each, difference=each.difference[order], gap=each.gap[order]) for each in joined]

    def _warn_of_gaps(self, indices: Sequence[int], integrals: Sequence[Integrals]) -> None:
        relative = [np.abs(each.gap).sum() / max(np.abs(each.difference).sum(), 1e-12) for each in integrals]
        worst = int(np.argmax(relative))
        if relative[worst] > TOLERANCE:
            steps = self.gradients.n_steps
            text = (
                f"The contributions to {self.types[indices[worst]]!r} miss {relative[worst]:.1%} of what "
                "sets the logits of cells apart from the baseline; for a smaller gap, pass "
            )
            warn(ExplanationWarning(text, Argument("n_steps", 4 * steps), "."))
