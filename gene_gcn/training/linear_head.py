"""A linear head, fitted to convergence: convex problems instead of epochs of gradient steps.

The head is an ensemble of four multinomial regressions, whose mean is a single linear layer again: with
either of two gene weightings, one on all genes and one on the first principal components, in which a gene is
described by all those that it varies with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

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
from gene_gcn.training.operators import Dense, Features, SmoothedCells, adjacency
from gene_gcn.training.options import LinearHeadOptions
from gene_gcn.training.regression import Spectrum, fit_regression

__all__ = ["FittedHead", "Guess", "LinearHead", "LinearHeadOptions", "fit_linear_head"]

Guess = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


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
    X: sparse.csr_matrix,
    y: np.ndarray,
    num_classes: int,
    *,
    graph: GlobalGraph | None = None,
    class_weight: Tensor | None = None,
    batch: np.ndarray | None = None,
    unlabeled: sparse.csr_matrix | None = None,
    shifted: int = 0,
    guess: Guess | None = None,
    device: torch.device | str = "cpu",
    threads: int = 1,
    seed: int = 0,
    options: LinearHeadOptions | None = None,
) -> FittedHead:
    """Fit a head, and choose how much of the network it takes.

    Features are `x + λ A x`. λ is chosen by cross-validation and is 0 unless the network lowers the loss by
    more than its standard error; so is the temperature of the logits.

    Parameters
    ----------
    X : csr_matrix of float32, shape (cells, N)
    y : ndarray of int64, shape (cells,)
        Types, 0 to K − 1.
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
    target = F.one_hot(torch.from_numpy(y), num_classes).float().to(device)
    class_weight = torch.ones(num_classes) if class_weight is None else class_weight
    cell_weight = _mean_one(target @ class_weight.to(device))
    graph = None if graph is None else graph.to(device)

    chosen = cross_validate(X, target, cell_weight, graph, np.random.default_rng(seed), options, batch)
    rng = np.random.default_rng(seed)
    cells = SmoothedCells(X, device, graph, chosen.network_weight, threads)
    weights = gene_weights(*cells.gene_sums(target), target.sum(0))
    if unlabeled is None:
        ensemble = _fit_ensemble(cells, cells, weights, target, cell_weight, rng, options)
        head = ensemble.at_temperature(chosen.temperature)
    else:
        every = SmoothedCells(
            sparse.vstack([X, unlabeled], "csr"), device, graph, chosen.network_weight, threads
        )
        first = _fit_ensemble(cells, every, weights, target, cell_weight, rng, options)
        first = first.at_temperature(chosen.temperature)
        if guess is None:
            start, shift = (every.matmat(first.weight)[len(y) :] + first.bias).softmax(1), None
        else:
            start, shift = _guessed(guess, LinearHead(first.weight, first.bias, chosen.network_weight), graph)
        target = spread_labels(
            _codes(first, shifted, shift), target, start, options.n_neighbors, options.spreading_iterations
        )
        cell_weight = _mean_one(target @ (cell_weight @ target[: len(y)] / target.sum(0).clamp(min=1e-6)))
        weights = gene_weights(*every.gene_sums(target), target.sum(0))
        head = _fit_ensemble(every, every, weights, target, cell_weight, rng, options)
    return FittedHead(
        LinearHead(head.weight.cpu(), head.bias.cpu(), chosen.network_weight), chosen, _history(chosen, head)
    )


def _guessed(guess: Guess, head: LinearHead, graph: GlobalGraph | None) -> tuple[Tensor, Tensor]:
    """Return probabilities of the types of the other cells (other cells, K), and their shift (N,) in h."""
    device = head.weight.device
    start, shift = guess(head.folded(graph).cpu().numpy(), head.bias.cpu().numpy())
    x = torch.from_numpy(shift).float().to(device)
    if graph is not None and head.network_weight:
        x = x + head.network_weight * product(graph.adj_t, x[:, None])[:, 0]
    return torch.from_numpy(start).float().to(device), x


def _codes(first: _Ensemble, shifted: int, shift: Tensor | None) -> Tensor:
    """Return the components of all cells, without the shift (N,) of the last ones."""
    codes = []
    for features, axis in first.components:
        code = features.matmat(axis)
        if shift is not None and shifted:
            code[-shifted:] -= (shift[features.genes] * features.scale) @ axis
        codes.append(F.normalize(code, dim=1))
    return torch.cat(codes, 1)


class _Ensemble(NamedTuple):
    """The mean of all members, with their components and losses.

    `weight` (N, K) is that of `x + λ A x`, `bias` has shape (K,).
    """

    weight: Tensor
    bias: Tensor
    components: list[tuple[Features, Tensor]]
    losses: dict[str, float]

    def at_temperature(self, temperature: float) -> _Ensemble:
        return self._replace(weight=self.weight / temperature, bias=self.bias / temperature)


def _fit_ensemble(
    cells: SmoothedCells,
    wider: SmoothedCells,
    weights: dict[str, Tensor],
    target: Tensor,
    cell_weight: Tensor,
    rng: np.random.Generator,
    options: LinearHeadOptions,
) -> _Ensemble:
    """Fit all members to `cells`, on components of `wider`, the same cells or more."""
    weighted = [Features(cells, weights[name]) for name, _ in options.weightings]
    wide = weighted if wider is cells else [Features(wider, weights[name]) for name, _ in options.weightings]
    principal = [principal_axes(part, options.n_components, rng) for part in wide]
    n = len(cell_weight)
    weight: Tensor = torch.zeros(())
    bias: Tensor = torch.zeros(())
    losses, components = {}, []
    for (name, share), features, whole, found in zip(
        options.weightings, weighted, wide, principal, strict=True
    ):
        axes = found.shortened(whole.shape[0]) if options.shrink_components else found.axes
        components.append((whole, axes))
        mean: Tensor = torch.zeros(())
        for member in options.members:
            if member == "genes":
                penalty, spectrum = options.gene_penalty / n, Spectrum(found.variances, found.axes)
                fitted = fit_regression(features, target, cell_weight / n, penalty, spectrum)
                part = fitted.weight
            else:
                codes, penalty = features.matmat(axes), options.component_penalty / n
                spectrum = Spectrum(codes.square().mean(0))
                fitted = fit_regression(Dense(codes), target, cell_weight / n, penalty, spectrum)
                part = axes @ fitted.weight
            mean = mean + part / len(options.members)
            bias = bias + share * fitted.bias / len(options.members)
            losses[f"{member}, {name}"] = float(fitted.loss)
            if not fitted.converged:
                what = f"The regression on {member} ({name} weighting) did not converge"
                remedy = "Pass normalized expression, and class weights that differ less"
                warn(ConvergenceWarning(f"{what} in {lbfgs.MAX_ITERATIONS} steps. {remedy}."))
        weight = weight + share * features.to_all_genes(mean)
        bias = bias - share * (features.center @ mean)
    return _Ensemble(weight, bias, components, losses)


def _mean_one(weight: Tensor) -> Tensor:
    return weight / weight.mean()


def _history(chosen: CrossValidated, head: _Ensemble) -> list[dict[str, Any]]:
    rows = [("cross-validation", "all", weight, loss) for weight, loss in chosen.losses.items()]
    rows += [("fit", member, chosen.network_weight, loss) for member, loss in head.losses.items()]
    return [dict(zip(("stage", "member", "network_weight", "loss"), row, strict=True)) for row in rows]
