"""A linear head, fitted to convergence: convex problems instead of epochs of gradient steps.

The head is an ensemble of four multinomial regressions, whose mean is a single linear layer again: with
either of two gene weightings, one on all genes and one on the first principal components, in which a gene is
described by all those that it varies with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

from gene_gcn.errors import ConvergenceWarning, warn
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.kernels import product
from gene_gcn.training import lbfgs
from gene_gcn.training.components import principal_axes
from gene_gcn.training.cross_validation import CrossValidated, cross_validate
from gene_gcn.training.gene_weights import gene_weights
from gene_gcn.training.label_spreading import spread_labels
from gene_gcn.training.operators import (
    CellsInMemory,
    CellSource,
    Dense,
    Features,
    OneHot,
    SmoothedCells,
    adjacency,
    as_source,
)
from gene_gcn.training.options import LinearHeadOptions
from gene_gcn.training.regression import Regression, Spectrum, fit_regression
from gene_gcn.training.sampling import Sample

__all__ = ["FittedHead", "Guess", "LinearHead", "LinearHeadOptions", "fit_linear_head"]

Guess = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


class ResumableState(Protocol):
    """Keeps where a regression is, beyond the end of its process."""

    def load(self) -> lbfgs.Iterate | None:
        """Return what was kept last; None if there is nothing."""

    def save(self, iterate: lbfgs.Iterate) -> None:
        """Keep this in place of what was kept."""


@dataclass(frozen=True)
class LinearHead:
    """Logits `(x + λ A x) W + b` of a cell x.

    Attributes
    ----------
    weight : Tensor, shape (N, K)
        W.
    bias : Tensor, shape (K,)
        b.
    network_weight : float
        λ.
    """

    weight: Tensor
    bias: Tensor
    network_weight: float = 0.0

    def folded(self, graph: GlobalGraph | None) -> Tensor:
        """Return the weight (N, K) of x itself, with the network folded in: `W + λ A W`."""
        if graph is None or not self.network_weight:
            return self.weight
        return self.weight + self.network_weight * product(adjacency(graph), self.weight)


class FittedHead(NamedTuple):
    """A head and how it came about.

    Attributes
    ----------
    head : LinearHead
        On the CPU.
    cross_validated : CrossValidated
    history : list of dict
        Mean cross-entropies: "stage" ("cross-validation" or "fit"), "member" of the ensemble,
        "network_weight", "loss".
    """

    head: LinearHead
    cross_validated: CrossValidated
    history: list[dict[str, Any]]


def fit_linear_head(
    X: sparse.csr_matrix | np.ndarray | CellSource,
    y: np.ndarray,
    num_classes: int,
    *,
    graph: GlobalGraph | None = None,
    class_weight: Tensor | None = None,
    batch: np.ndarray | None = None,
    unlabeled: sparse.csr_matrix | None = None,
    shifted: int = 0,
    guess: Guess | None = None,
    sample: Sample | None = None,
    state: ResumableState | None = None,
    device: torch.device | str = "cpu",
    threads: int = 1,
    seed: int = 0,
    options: LinearHeadOptions | None = None,
) -> FittedHead:
    """Fit a head, and choose how much of the network it takes.

    Features are `x + λ A x`. λ is chosen by cross-validation and is 0 unless the network lowers the loss by
    more than its standard error; so is the temperature of the logits.

    With a sample of the cells, components are those of the sample, and regressions on genes start at those on
    it: all cells are then gone through some twenty times.

    Parameters
    ----------
    X : csr_matrix or ndarray of float32, or CellSource, shape (cells, N)
        In memory, or read block by block, also by several processes.
    y : ndarray of int64, shape (cells,)
        Types, 0 to K − 1, of the cells of all processes.
    num_classes : int
        K.
    graph : GlobalGraph, optional
        A, prepared.
    class_weight : Tensor, shape (K,), optional
        Weight of each type in the loss.
    batch : ndarray of int, shape (cells,), optional
        Batches, which cross-validation leaves out as a whole.
    unlabeled : csr_matrix of float32, shape (other cells, N), optional
        Cells without labels, from which components are learned as well. Labels then spread along nearest
        neighbors, and the head is fitted again to all cells.
    shifted : int
        The last so many of the other cells may be shifted, as cells of another laboratory are.
    guess : callable, optional
        From the weight (N, K) and bias (K,) of a first fit to where the other cells start: the probabilities
        of their types (other cells, K), and the shift (N,) of those that may have one, without which
        neighbors are found. By default, those of the first fit, and no shift.
    sample : Sample, optional
        Some of the cells, where there are many (`draw_sample`).
    state : ResumableState, optional
        Of the regressions on genes, with a sample.
    device : torch.device or str
    threads : int
        Of sparse products; the result does not depend on it.
    seed : int
    options : LinearHeadOptions, optional

    Returns
    -------
    FittedHead
    """
    options = options or LinearHeadOptions()
    device = torch.device(device)
    source = as_source(X)
    every_target = OneHot(torch.from_numpy(y).to(device), num_classes)
    class_weight = torch.ones(num_classes) if class_weight is None else class_weight
    every_weight = _mean_one(class_weight.to(device)[every_target.y])
    graph = None if graph is None else graph.to(device)

    chosen = cross_validate(
        source, every_target, every_weight, graph, np.random.default_rng(seed), options, batch
    )
    rng = np.random.default_rng(seed)
    smoothing = device, graph, chosen.network_weight, threads
    cells = SmoothedCells(source, *smoothing)
    target, cell_weight = OneHot(every_target.y[source.rows], num_classes), every_weight[source.rows]
    sums, squares = cells.gene_sums(target)
    weights = gene_weights(sums, squares, every_target.counts())
    mean = cells.smooth(sums.sum(1, keepdim=True) / len(y))[:, 0]
    training = _Training(cells, target, cell_weight / len(y), mean, len(y))
    if unlabeled is None:
        drawn = None
        if sample is not None:
            part = SmoothedCells(sample.X, *smoothing)
            drawn = _Training.of_sample(part, every_target, every_weight, sample.rows)
        ensemble = _fit_ensemble(training, cells, weights, rng, options, drawn, state)
        head = ensemble.at_temperature(chosen.temperature)
    else:
        if not isinstance(source, CellsInMemory):
            raise TypeError("Cells without labels are used only beside cells in memory.")
        every = SmoothedCells(sparse.vstack([source.X, unlabeled], "csr"), *smoothing)
        first = _fit_ensemble(training, every, weights, rng, options)
        first = first.at_temperature(chosen.temperature)
        if guess is None:
            start, shift = (every.matmat(first.weight)[len(y) :] + first.bias).softmax(1), None
        else:
            head_of_labeled = LinearHead(first.weight, first.bias, chosen.network_weight)
            start, shift = _guessed(guess, head_of_labeled, cells)
        spread = spread_labels(
            _codes(first, shifted, shift), target[:], start, options.n_neighbors, options.spreading_iterations
        )
        by_type = cell_weight @ spread[: len(y)] / spread.sum(0).clamp(min=1e-6)
        weights = gene_weights(*every.gene_sums(spread), spread.sum(0))
        n = len(spread)
        training = _Training(every, spread, _mean_one(spread @ by_type) / n, None, n)
        head = _fit_ensemble(training, every, weights, rng, options)
    return FittedHead(
        LinearHead(head.weight.cpu(), head.bias.cpu(), chosen.network_weight), chosen, _history(chosen, head)
    )


def _guessed(guess: Guess, head: LinearHead, cells: SmoothedCells) -> tuple[Tensor, Tensor]:
    """Return probabilities of the types of the other cells (other cells, K), and their shift (N,) in h."""
    device = head.weight.device
    start, shift = guess(head.folded(cells.graph).cpu().numpy(), head.bias.cpu().numpy())
    shift_of_h = cells.smooth(torch.from_numpy(shift).float().to(device)[:, None])[:, 0]
    return torch.from_numpy(start).float().to(device), shift_of_h


def _codes(first: _Ensemble, shifted: int, shift: Tensor | None) -> Tensor:
    """Return the components of all cells, without the shift (N,) of the last ones."""
    features, axes = first.features, first.axes
    codes = features.matmat(axes)
    if shift is not None and shifted:
        codes[:, -shifted:] -= (shift[features.genes] * features.scale)[:, None] @ axes
    return torch.cat(list(F.normalize(codes, dim=-1)), 1)


@dataclass(frozen=True, eq=False)
class _Training:
    """Cells to fit regressions to.

    Attributes
    ----------
    cells : SmoothedCells
        Those of this process.
    target : Tensor or OneHot, shape (cells, K)
    cell_weight : Tensor, shape (cells,)
        They sum to 1, over all processes.
    mean : Tensor, shape (N,), or None
        The mean of `cells`, over all processes; None to compute it.
    n : int
        Cells of all processes.
    """

    cells: SmoothedCells
    target: Tensor | OneHot
    cell_weight: Tensor
    mean: Tensor | None
    n: int

    @classmethod
    def of_sample(
        cls, cells: SmoothedCells, target: OneHot, cell_weight: Tensor, rows: np.ndarray
    ) -> _Training:
        """Take sampled cells; types count as they do among all cells, however many of them were drawn."""
        drawn = OneHot(target.y[rows], target.shape[1])
        weight = cell_weight[rows] * (target.counts() / drawn.counts().clamp(min=1))[drawn.y]
        return cls(cells, drawn, weight / weight.sum(), None, len(rows))


class _Ensemble(NamedTuple):
    """The mean of all members, with the components that these use (see `Features` for shapes) and losses.

    `weight` (N, K) is that of `x + λ A x`, `bias` has shape (K,).
    """

    weight: Tensor
    bias: Tensor
    features: Features
    axes: Tensor
    losses: dict[str, float]

    def at_temperature(self, temperature: float) -> _Ensemble:
        return self._replace(weight=self.weight / temperature, bias=self.bias / temperature)


def _fit_ensemble(
    training: _Training,
    wider: SmoothedCells,
    weights: dict[str, Tensor],
    rng: np.random.Generator,
    options: LinearHeadOptions,
    sample: _Training | None = None,
    state: ResumableState | None = None,
) -> _Ensemble:
    """Fit all members to the cells of `training`.

    Components are those of `wider`, the same cells or more, or those of a sample of the cells, on which
    regressions on genes then start.
    """
    names = [name for name, _ in options.weightings]
    shares = torch.tensor([share for _, share in options.weightings], device=training.cell_weight.device)
    scale = torch.stack([weights[name] for name in names])
    features = Features(training.cells, scale, training.mean)
    wide = features if wider is training.cells else Features(wider, scale)
    seen = wide if sample is None else Features(sample.cells, scale)
    found = principal_axes(seen, options.n_components, rng)
    axes = found.shortened(seen.shape[-2]) if options.shrink_components else found.axes
    fitted: dict[str, Regression] = {}
    if "genes" in options.members:
        spectrum = Spectrum(found.variances, found.axes)
        fitted["genes"] = _fit_member(
            training,
            features,
            options.gene_penalty,
            spectrum,
            sample,
            seen,
            features.center - seen.center,
            state,
        )
    if "components" in options.members:
        codes = features.matmat(axes)
        of_sample = None if sample is None else seen.matmat(axes)
        moved = ((features.center - seen.center)[..., None, :] @ axes)[..., 0, :]
        spectrum = Spectrum(_mean_square(features, codes, training.n))
        inner = _fit_member(
            training,
            Dense(codes, training.cells),
            options.component_penalty,
            spectrum,
            sample,
            None if of_sample is None else Dense(of_sample),
            moved,
        )
        fitted["components"] = inner._replace(weight=axes @ inner.weight)
    losses = {
        f"{member}, {name}": float(loss)
        for member, one in fitted.items()
        for name, loss in zip(names, one.loss, strict=True)
    }
    for member, one in fitted.items():
        _warn_if_not_converged(member, names, one.converged)
    mean = torch.stack([one.weight for one in fitted.values()]).mean(0)  # (weightings, G, K)
    bias = torch.stack([one.bias for one in fitted.values()]).mean(0)  # (weightings, K)
    bias = bias - (features.center[:, None] @ mean)[:, 0]
    weight = (shares[:, None, None] * features.to_all_genes(mean)).sum(0)
    return _Ensemble(weight, shares @ bias, wide, axes, losses)


def _mean_square(features: Features, codes: Tensor, n: int) -> Tensor:
    sums = codes.square().sum(-2, dtype=torch.float64)
    return (features.over_processes(sums) / n).float()


def _fit_member(
    training: _Training,
    features: Features | Dense,
    penalty: float,
    spectrum: Spectrum,
    sample: _Training | None,
    seen: Features | Dense | None,
    moved: Tensor,
    state: ResumableState | None = None,
) -> Regression:
    """Fit regressions, starting where the state is, or at those on the features `seen` of a sample.

    `moved` (..., width) is the center of the features of all cells less that of the sample's.
    """
    start: Tensor | lbfgs.Iterate | None = None if state is None else state.load()
    if start is None and sample is not None and seen is not None:
        own = fit_regression(seen, sample.target, sample.cell_weight, penalty / training.n, spectrum)
        bias = own.bias[..., None, :] + moved[..., None, :] @ own.weight
        start = torch.cat([own.weight, bias], -2)
    return fit_regression(
        features,
        training.target,
        training.cell_weight,
        penalty / training.n,
        spectrum,
        start=start,
        after_step=None if state is None else state.save,
    )


def _warn_if_not_converged(member: str, names: list[str], converged: Tensor) -> None:
    for name, has in zip(names, converged.tolist(), strict=True):
        if not has:
            what = f"The regression on {member} ({name} weighting) did not converge"
            remedy = "Pass normalized expression, and class weights that differ less"
            warn(ConvergenceWarning(f"{what} in {lbfgs.MAX_ITERATIONS} steps. {remedy}."))


def _mean_one(weight: Tensor) -> Tensor:
    return weight / weight.mean()


def _history(chosen: CrossValidated, head: _Ensemble) -> list[dict[str, Any]]:
    rows = [("cross-validation", "all", weight, loss) for weight, loss in chosen.losses.items()]
    rows += [("fit", member, chosen.network_weight, loss) for member, loss in head.losses.items()]
    return [dict(zip(("stage", "member", "network_weight", "loss"), row, strict=True)) for row in rows]
