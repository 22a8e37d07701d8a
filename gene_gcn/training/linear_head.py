"""A head of one linear layer, fitted exactly: convex problems instead of epochs of gradient steps.

Two views of the same cells weight genes by what they tell of the types, one for genes that are sure to differ, one
for faint ones. On each there are two paths: all genes, and the first principal components, in which a gene is
described by all those it varies with. Each path is a multinomial regression; the mean of their logits is a single
linear layer again. Knows tensors and CSR matrices, as `training` does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from gene_gcn.nn import GeneGCN, GlobalGraph
from gene_gcn.nn.kernels import product
from gene_gcn.nn.sparse import csr_from_scipy
from gene_gcn.training.imputation import LowRankGenes
from gene_gcn.training.operators import Dense, Features, SmoothedCells, gene_weights

VIEWS = {"sure": 1 / 3, "faint": 2 / 3}  # see features.gene_weights; their parts of the mean
COMPONENTS = 30
# Penalties of squared weights where the features of a cell have length 1.
GENE_PENALTY, COMPONENT_PENALTY = 5e-3, 2e-3
SHARES = (0.0, 0.5, 1.0, 2.0)  # of the global graph, to choose from
SCALES = (
    1.0,
    *(2.0 ** (i / 2) for i in (1, -1, 2, -2, 3, -3, 4, -4)),
)  # of logits; 1 first, if none is better
CV_CELLS, CV_FOLDS = 300, 5  # for cross-validation
NEIGHBOURS, SPREADINGS = 15, 20  # cells that a cell takes types from, and how often
EXACT_CELLS = 600  # up to which all axes are computed


def fit_linear_head(
    model: GeneGCN,
    X: sparse.csr_matrix,
    y: np.ndarray,
    *,
    graph: GlobalGraph | None = None,
    class_weight: Tensor | None = None,
    unlabelled: sparse.csr_matrix | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> list[dict[str, str | float]]:
    """Fit the head, and how much of the global graph to take, in place; leave the model on the CPU.

    Features are `x + λ A x`. λ is the layer's weight W, one number with one channel; it is chosen by
    cross-validation, and is 0 unless the graph lowers the loss by more than its standard error.

    Parameters
    ----------
    model : GeneGCN
        One channel, no attention, at most one layer, no hidden layers.
    X : csr_matrix of float32, shape (cells, N)
    y : ndarray of int64, shape (cells,)
    graph : GlobalGraph, optional
        Prepared.
    class_weight : Tensor, shape (K,), optional
    unlabelled : csr_matrix of float32, shape (other cells, N), optional
        Further cells, from which the components are learned as well. Types then spread from cell to cell along
        nearest neighbours, and the head is fitted to all cells with the types that they got.

    Returns
    -------
    list of dict
        "path" and "loss": the mean cross-entropy of the training cells by each of the four paths, and of cells
        held out for each λ that was tried.
    """
    device = torch.device(device)
    target = F.one_hot(torch.from_numpy(y), model.head.out_channels).float().to(device)
    class_weight = torch.ones(target.size(1)) if class_weight is None else class_weight
    cell_weight = _mean_one(target @ class_weight.to(device))
    graph = None if graph is None else graph.to(device)

    known = _cross_validate(X, target, cell_weight, graph, np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    views = SmoothedCells(X, device, graph, known.share).views(target)
    if unlabelled is None:
        axes = [_components(view, COMPONENTS, rng) for view in views]
        paths = _fit_paths(views, axes, target, cell_weight).scaled(known.scale)
    else:
        everyone = SmoothedCells(sparse.vstack([X, unlabelled], "csr"), device, graph, known.share)
        wider = [Features(everyone, view.scale) for view in views]
        axes = [_components(view, COMPONENTS, rng) for view in wider]
        paths = _fit_paths(views, axes, target, cell_weight).scaled(known.scale)
        codes = torch.cat(
            [F.normalize(view @ axis, dim=1) for view, axis in zip(wider, axes, strict=True)], 1
        )
        target = _spread_labels(codes, target, everyone @ paths.weight + paths.bias)
        cell_weight = _mean_one(target @ (cell_weight @ target[: len(y)] / target.sum(0).clamp(min=1e-6)))
        views = everyone.views(target)
        axes = [_components(view, COMPONENTS, rng) for view in views]
        paths = _fit_paths(views, axes, target, cell_weight)
    with torch.no_grad():
        layer = model.head.lins[0]
        layer.weight.copy_(paths.weight.T)
        layer.bias.copy_(paths.bias)
        for conv in model.convs:
            conv.lin.weight.fill_(known.share)
    model.eval()
    return [{"path": path, "loss": loss} for path, loss in (paths.losses | known.losses).items()]


class _Paths(NamedTuple):
    """Mean of all paths: weights (N, K) of `x + λ A x`, bias (K,), loss of each path."""

    weight: Tensor
    bias: Tensor
    losses: dict[str, float]

    def scaled(self, scale: float) -> _Paths:
        return self._replace(weight=scale * self.weight, bias=scale * self.bias)


def _fit_paths(views: list[Features], axes: list[Tensor], target: Tensor, cell_weight: Tensor) -> _Paths:
    weight, bias, losses = 0.0, 0.0, {}
    for (name, part), view, axis in zip(VIEWS.items(), views, axes, strict=True):
        by_gene, gene_bias, losses[f"{name} genes"] = _regression(view, target, cell_weight, GENE_PENALTY)
        by_component, component_bias, losses[f"components of {name} genes"] = _regression(
            Dense(view @ axis), target, cell_weight, COMPONENT_PENALTY
        )
        mean = (by_gene + axis @ by_component) / 2
        weight = weight + part * view.scale[:, None] * mean
        bias = bias + part * ((gene_bias + component_bias) / 2 - view.center @ mean)
    return _Paths(weight, bias, losses)


def _mean_one(weight: Tensor) -> Tensor:
    return weight / weight.mean()


def _spread_labels(codes: Tensor, target: Tensor, logits: Tensor) -> Tensor:
    """Types of all cells, (cells, K), from those of the first ones and guesses for the others.

    Each cell takes half of its types from its nearest neighbours, and the given labels stay: Zhou et al. 2004,
    "Learning with local and global consistency", NIPS 16.
    """
    known = len(target)
    start = logits.softmax(1)
    start[:known] = target
    count = min(NEIGHBOURS, len(codes) - 1)
    distance, neighbour = (
        NearestNeighbors(n_neighbors=count).fit(codes.cpu().numpy()).kneighbors()
    )  # but itself
    nearness = np.exp(-(distance**2) / np.median(distance[:, -1] ** 2).clip(min=1e-12))
    joined = sparse.csr_matrix(
        (nearness.ravel(), neighbour.ravel(), np.arange(0, distance.size + 1, count)),
        shape=(len(codes), len(codes)),
    )
    joined = joined.maximum(joined.T)
    root = sparse.diags_array(1 / np.sqrt(np.asarray(joined.sum(1)).ravel()))
    joined = csr_from_scipy(sparse.csr_matrix(root @ joined @ root)).to(codes.device)
    spread = start
    for _ in range(SPREADINGS):
        spread = (product(joined, spread.contiguous()) + start) / 2
    spread = spread / spread.sum(1, keepdim=True)
    spread[:known] = target
    return spread


def learn_low_rank_genes(
    X: sparse.csr_matrix, device: torch.device | str = "cpu", seed: int = 0
) -> LowRankGenes:
    """Which genes vary together, from cells (cells, N) with or without labels; on the CPU."""
    features = Features(SmoothedCells(X, torch.device(device)))
    axes, variances, total = _subspace(features, COMPONENTS, np.random.default_rng(seed))
    noise = (total - variances.sum()).clamp(min=0) / X.shape[1]
    return LowRankGenes(features.center, axes, variances, noise).to(torch.device("cpu"))


def _regression(
    features: Features | Dense, target: Tensor, cell_weight: Tensor, penalty: float, iterations: int = 100
) -> tuple[Tensor, Tensor, float]:
    """Multinomial regression with squared weights penalised: weights (width, K), bias (K,), mean loss."""
    weight = torch.zeros(features.width, target.size(1), device=target.device, requires_grad=True)
    bias = torch.zeros(target.size(1), device=target.device, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=iterations,
        history_size=10,
        tolerance_grad=1e-5,
        tolerance_change=1e-7,
        line_search_fn="strong_wolfe",
    )
    n = len(features)
    fitted = torch.zeros(())

    @torch.no_grad()
    def loss() -> Tensor:
        nonlocal fitted
        logits = features @ weight + bias
        log_probability = logits.log_softmax(1)
        fitted = -(log_probability * target).sum(1) @ cell_weight / n
        residual = (log_probability.exp() - target) * (cell_weight / n)[:, None]
        weight.grad = features.adjoint(residual) + penalty / n * weight
        bias.grad = residual.sum(0)
        return fitted + penalty / (2 * n) * weight.square().sum()

    optimizer.step(loss)
    return weight.detach(), bias.detach(), float(fitted)


def _components(features: Features, rank: int, rng: np.random.Generator) -> Tensor:
    """Principal axes (N, rank), each as long as the share of its variance that is not chance."""
    axes, variances, total = _subspace(features, rank, rng)
    left = (total - variances.sum()).clamp(min=0) / max(len(features) - 1 - len(variances), 1)
    return axes * _not_chance(variances, left)


def _not_chance(variances: Tensor, left: Tensor) -> Tensor:
    """Shares of variances of components above the mean of those left out, which is what chance gives each."""
    return (1 - left / variances.clamp(min=1e-12)).clamp(min=0)


def _subspace(
    features: Features, rank: int, rng: np.random.Generator, iterations: int = 6
) -> tuple[Tensor, Tensor, Tensor]:
    """The first principal axes (N, rank), their variances (rank,) and that of all genes together, about.

    By subspace iteration: Halko, Martinsson & Tropp 2011, doi:10.1137/090771806, algorithm 4.4, whose random start
    also gives the sum of all variances (Hutchinson 1990, doi:10.1080/03610919008812866). Exact for few cells,
    whose axes are hardly longer than those that follow.
    """
    n = len(features)
    rank = max(1, min(rank, n - 1, features.width))
    if n <= EXACT_CELLS:
        rows = features.adjoint(torch.eye(n, device=features.scale.device))  # (N, cells)
        squares, cells = torch.linalg.eigh((features @ rows).double())
        first, cells = squares[-rank:].flip(0).clamp(min=1e-12), cells[:, -rank:].flip(1)
        return rows @ (cells / first.sqrt()).float(), (first / n).float(), (squares.sum() / n).float()
    width = min(rank + 20, features.width)
    start = torch.from_numpy(rng.standard_normal((features.width, width), np.float32)).to(
        features.scale.device
    )
    codes = features @ start
    total = codes.square().sum() / (n * width)
    for _ in range(iterations):
        axes = torch.linalg.qr(features.adjoint(torch.linalg.qr(codes)[0]))[0]
        codes = features @ axes
    _, deviation, rotation = torch.linalg.svd(codes, full_matrices=False)
    return axes @ rotation[:rank].T, deviation[:rank].square() / n, total


# ---- what held-out cells tell: how much of the graph, and how sure ----


class _HeldOut(NamedTuple):
    """λ, the scale of the logits, and losses by what they are of."""

    share: float = 0.0
    scale: float = 1.0
    losses: dict[str, float] = {}


def _cross_validate(
    X: sparse.csr_matrix,
    target: Tensor,
    cell_weight: Tensor,
    graph: GlobalGraph | None,
    rng: np.random.Generator,
) -> _HeldOut:
    """The λ of the smallest cross-validated loss, 0 if that is no lower by its standard error, and its scale.

    Each λ is judged at its best scale of the logits: smoothed features are closer to each other, and the same
    penalty makes bolder logits of them. The scale also makes up for penalties that leave few cells of clear types
    too timid; it fades to 1 where there are more cells than are looked at. Cells alone of their type tell nothing.
    """
    counts = target.sum(0)
    types = int((counts > 1).sum())
    if types < 2:
        return _HeldOut()
    several = torch.nonzero(target @ (counts > 1).float())[:, 0].cpu().numpy()
    y = target.argmax(1).cpu().numpy()
    chosen = several[_sample(y[several], max(CV_CELLS, 2 * types), rng)]
    fold = _folds(y[chosen], rng)
    target, cell_weight = target[chosen], cell_weight[chosen]
    x = torch.from_numpy(X[chosen].toarray()).to(target.device)
    neighbours = None if graph is None else product(graph.adj_t, x.T.contiguous()).T
    losses, scales = {}, {}
    for share in (0.0,) if graph is None else SHARES:
        h = x + share * neighbours if share else x
        logits = _held_out_logits(x, h, target, cell_weight, fold)
        by_scale = {
            scale: -((scale * logits).log_softmax(1) * target).sum(1) * cell_weight for scale in SCALES
        }
        scales[share] = min(SCALES, key=lambda scale: float(by_scale[scale].sum()))
        losses[share] = by_scale[scales[share]]
    best = min(losses, key=lambda share: float(losses[share].sum()))
    gain = losses[0.0] - losses[best]
    share = best if float(gain.mean()) > float(gain.std()) / len(gain) ** 0.5 else 0.0
    names = {share: "held out" if graph is None else f"network × {share:g}, held out" for share in losses}
    return _HeldOut(
        share,
        scales[share] ** min(1.0, CV_CELLS / len(y)),
        {names[share]: float(loss.mean()) for share, loss in losses.items()},
    )


def _held_out_logits(x: Tensor, h: Tensor, target: Tensor, cell_weight: Tensor, fold: np.ndarray) -> Tensor:
    """Logits of each cell when its fold is left out of everything.

    With few cells, x and h (cells, N) can be written out, and products of cells with each other tell all:
    regressions on all components are those on all genes.
    """
    logits = torch.zeros_like(target)
    for number in np.unique(fold):
        known, held_out = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        weights = gene_weights(x[known].T @ target[known], x[known].square().sum(0), target[known].sum(0))
        for part, gene_weight in zip(VIEWS.values(), weights, strict=True):
            scaled = h * gene_weight
            scaled -= scaled[known].mean(0)
            products = scaled @ scaled[known].T  # (cells, known cells)
            squares, cells = torch.linalg.eigh(products[known].double())
            squares, cells = (
                squares[1:].flip(0).clamp(min=1e-9),
                cells[:, 1:].flip(1),
            )  # one is lost to the mean
            codes = products @ (cells / squares.sqrt()).float()
            first, left = squares[:COMPONENTS], squares[COMPONENTS:]
            components = codes[:, :COMPONENTS] * _not_chance(first, left.sum() / max(len(left), 1)).float()
            for path, penalty in ((codes, GENE_PENALTY), (components, COMPONENT_PENALTY)):
                weight, bias, _ = _regression(Dense(path[known]), target[known], cell_weight[known], penalty)
                logits[held_out] += part * (path[held_out] @ weight + bias) / 2
    return logits


def _sample(y: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of at most so many cells, the rarest types first so that none is lost."""
    order = rng.permutation(len(y))
    rank = _rank_in_type(y[order])
    return np.sort(order[np.argsort(rank, kind="stable")][:size])


def _folds(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fold for each cell, evenly within each type."""
    order = rng.permutation(len(y))
    fold = np.empty(len(y), np.int64)
    fold[order] = _rank_in_type(y[order]) % CV_FOLDS
    return fold


def _rank_in_type(y: np.ndarray) -> np.ndarray:
    """0 for the first cell of each type, 1 for the second, …"""
    order = np.argsort(y, kind="stable")
    counts = np.bincount(y)
    rank = np.empty(len(y), np.int64)
    rank[order] = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rank
