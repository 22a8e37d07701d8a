"""What held-out cells decide for the linear head: how much of the network to take, and the temperature."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.kernels import product
from gene_gcn.training.components import shrinkage
from gene_gcn.training.gene_weights import gene_weights
from gene_gcn.training.operators import CellSource, Dense, OneHot
from gene_gcn.training.options import LinearHeadOptions
from gene_gcn.training.regression import Spectrum, fit_regression
from gene_gcn.training.sampling import rank_in_type, sample_cells


class CrossValidated(NamedTuple):
    """What was chosen.

    Attributes
    ----------
    network_weight : float
        λ.
    temperature : float
        By which logits are divided (Guo et al. 2017, arXiv:1706.04599).
    losses : dict of float to float
        Mean cross-entropy of held-out cells for each λ that was tried.
    cells : ndarray of int64, shape (held-out cells,)
        Their positions.
    logits : Tensor, shape (held-out cells, K)
        With the chosen λ and temperature, by models that have seen nothing of the cell's fold.
    """

    network_weight: float = 0.0
    temperature: float = 1.0
    losses: dict[float, float] = {}  # noqa: RUF012 - a tuple's default; never changed
    cells: np.ndarray = np.empty(0, np.int64)
    logits: Tensor = torch.empty(0, 0)


def cross_validate(
    cells: CellSource,
    every_target: OneHot,
    every_weight: Tensor,
    graph: GlobalGraph | None,
    rng: np.random.Generator,
    options: LinearHeadOptions,
    batch: np.ndarray | None = None,
) -> CrossValidated:
    """Choose the λ with the smallest loss, unless 0 is within its standard error, and the temperature.

    Without batches, λ is also 0, and no other is tried, where held-out cells are classified well without
    the network: what it adds there is little, and costs accuracy on cells of another laboratory.

    Each λ is judged at its best temperature: smoothed features of cells are closer to each other, and under
    the same penalty their logits become overconfident. The temperature also corrects penalties that leave few
    cells of clear types underconfident; it fades to 1 where there are more cells than are looked at. Types
    with a single cell are excluded.

    With batches (cells,), whole batches are left out, as another laboratory's cells are what a model is for.
    Types that are in a single batch are left out in parts, so that each is also trained on.
    """
    y = every_target.y.cpu().numpy()
    counts = np.bincount(y, minlength=every_target.shape[1])
    types = int((counts > 1).sum())
    if types < 2:
        return CrossValidated()
    eligible = np.flatnonzero(counts[y] > 1)
    chosen = eligible[sample_cells(y[eligible], max(options.cv_cells, 2 * types), rng)]
    fold = _assign_folds(y[chosen], options.cv_folds, rng)
    if batch is not None:
        fold = _leave_batches_out(fold, y[chosen], batch[chosen], options.cv_folds)
    target, cell_weight = every_target[torch.from_numpy(chosen)], every_weight[chosen]
    x = torch.from_numpy(cells.take(chosen).toarray()).to(target.device)
    neighbors = None if graph is None else product(graph.adj_t, x.T.contiguous()).T
    losses, temperatures, held_out = {}, {}, {}
    for network_weight in options.network_weights if neighbors is not None else (0.0,):
        h = x + network_weight * neighbors if neighbors is not None and network_weight else x
        logits = held_out[network_weight] = _held_out_logits(x, h, target, cell_weight, fold, options)
        by_temperature = {
            temperature: -((logits / temperature).log_softmax(1) * target).sum(1) * cell_weight
            for temperature in options.temperatures
        }
        best = min(options.temperatures, key=lambda t: float(by_temperature[t].sum()))
        temperatures[network_weight], losses[network_weight] = best, by_temperature[best]
        if batch is None and float(losses[0.0].sum() / cell_weight.sum()) < options.network_loss:
            break
    best = min(losses, key=lambda network_weight: float(losses[network_weight].sum()))
    gain = losses[0.0] - losses[best]
    chosen_weight = best if float(gain.mean()) > float(gain.std()) / len(gain) ** 0.5 else 0.0
    temperature = temperatures[chosen_weight] ** min(1.0, options.cv_cells / len(y))
    return CrossValidated(
        chosen_weight,
        temperature,
        {weight: float(loss.sum() / cell_weight.sum()) for weight, loss in losses.items()},
        chosen,
        held_out[chosen_weight].cpu() / temperature,
    )


def _held_out_logits(
    x: Tensor, h: Tensor, target: Tensor, cell_weight: Tensor, fold: np.ndarray, options: LinearHeadOptions
) -> Tensor:
    """Return the logits of each cell by an ensemble that has seen nothing of its fold.

    With few cells, x and h (cells, N) can be written out, and inner products of cells suffice: regressions on
    all principal components are those on all genes. Those of all folds and weightings are solved at once.
    """
    is_train = torch.from_numpy(fold != np.unique(fold)[:, None]).to(h.device)  # (folds, cells)
    components = [
        codes
        for train in is_train
        for codes in _all_components(x, h, target, torch.nonzero(train)[:, 0], options)
    ]
    width = max(codes.size(1) for codes in components)
    codes = torch.stack([F.pad(codes, (0, width - codes.size(1))) for codes in components])
    is_train = is_train.repeat_interleave(len(options.weightings), 0).float()  # (problems, cells)
    n = is_train.sum(1, keepdim=True)
    mean_weight = is_train * cell_weight / n
    variances = (codes.square() * is_train[..., None]).sum(1) / n  # (problems, width)
    share = torch.tensor([share for _, share in options.weightings], device=h.device)
    share = share.repeat(len(codes) // len(share)) / len(options.members)
    logits = torch.zeros(len(codes), *target.shape, device=h.device)
    for member in options.members:
        penalty, features, spectrum = options.gene_penalty, codes, variances
        if member == "components":
            penalty, features = options.component_penalty, codes[..., : options.n_components]
            if options.shrink_components:
                features = features * _shrinkage(variances, n[:, 0], options.n_components)[:, None]
            spectrum = (features.square() * is_train[..., None]).sum(1) / n
        fitted = fit_regression(
            Dense(features), target, mean_weight, penalty / n[..., None], Spectrum(spectrum)
        )
        logits += share[:, None, None] * (features @ fitted.weight + fitted.bias[:, None])
    return (logits * (1 - is_train[..., None])).sum(0)


def _all_components(
    x: Tensor, h: Tensor, target: Tensor, train: Tensor, options: LinearHeadOptions
) -> list[Tensor]:
    """Return all principal components of the training cells, of all cells, with each gene weighting.

    Shapes are (cells, training cells − 1): one component is lost to the mean.
    """
    weights = gene_weights(x[train].T @ target[train], x[train].square().sum(0), target[train].sum(0))
    components = []
    for weighting, _ in options.weightings:
        genes = torch.nonzero(weights[weighting])[:, 0]
        scaled = h[:, genes] * weights[weighting][genes]
        scaled -= scaled[train].mean(0)
        products = scaled @ scaled[train].T  # (cells, training cells)
        squares, cells = torch.linalg.eigh(products[train].double())
        squares, cells = squares[1:].flip(0).clamp(min=1e-9), cells[:, 1:].flip(1)
        components.append(products @ (cells / squares.sqrt()).float())
    return components


def _shrinkage(variances: Tensor, n: Tensor, n_components: int) -> Tensor:
    """Return how far the first components of each problem are shortened, (problems, components)."""
    first, remaining = variances[:, :n_components], variances[:, n_components:].sum(1)
    chance = remaining / (n - 1 - n_components).clamp(min=1)
    return shrinkage(first, chance[:, None])


def _assign_folds(y: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Return a fold for each cell, evenly within each type."""
    order = rng.permutation(len(y))
    fold = np.empty(len(y), np.int64)
    fold[order] = rank_in_type(y[order]) % n_folds
    return fold


def _leave_batches_out(fold: np.ndarray, y: np.ndarray, batch: np.ndarray, n_folds: int) -> np.ndarray:
    """Put the cells of a batch into the same fold, but those of types that are in one such fold only."""
    sizes = np.bincount(batch)
    of_batch = np.empty(len(sizes), np.int64)
    of_batch[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes)) % n_folds
    together = of_batch[batch]
    in_fold = np.zeros((y.max() + 1, n_folds), bool)
    in_fold[y, together] = True
    return np.where(in_fold.sum(axis=1)[y] > 1, together, fold)
