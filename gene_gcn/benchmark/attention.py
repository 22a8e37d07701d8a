"""The cost of attention over all genes: time and memory, forward and backward, against the dense graph."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from gene_gcn.cells import Normalizer, read_expression
from gene_gcn.errors import Argument, ArgumentError
from gene_gcn.nn import EmbeddedDotAttention, EqualGenes, find_equal_genes

if TYPE_CHECKING:
    from anndata import AnnData

GENES = (1_000, 5_000, 20_499)
CHANNELS = (1, 16)
BATCHES = (1, 64)
MAX_SECONDS = 2.0  # of all repetitions of a call


class TimedMethod(NamedTuple):
    """A method of attention and the inputs that it is timed on.

    Attributes
    ----------
    method : str
        As `GeneAttention` calls it.
    channels : tuple of int
    distinct : bool
        Whether all values are made distinct.
    batched : bool
        Whether batches are timed too. Over all genes, 64 cells take 64 times as long as one.
    """

    method: str
    channels: tuple[int, ...]
    distinct: bool
    batched: bool


METHODS = {
    "dense": TimedMethod("dense", (1, 16), False, False),
    "flash over all genes": TimedMethod("flash", (1, 16), False, False),
    "merged": TimedMethod("merged", (1, 16), False, True),
    "scalar, all values distinct": TimedMethod("scalar", (1,), True, True),
}


def simulate_counts(num_cells: int, num_genes: int, seed: int = 0) -> np.ndarray:
    """Draw square roots of negative binomial counts (dispersion 1) with log-normal means of 0.1 on average.

    Parameters
    ----------
    num_cells, num_genes : int
    seed : int

    Returns
    -------
    ndarray of float32, shape (num_cells, num_genes)
    """
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(-4.3, 2.0, num_genes).clip(max=200)
    rate = rng.gamma(1.0, np.broadcast_to(mean, (num_cells, num_genes)))
    counts = rng.poisson(rate)
    depth = counts.sum(1, keepdims=True).clip(min=1)
    return np.sqrt(counts * (np.median(depth) / depth)).astype(np.float32)


def sampled(cells: AnnData, seed: int = 0) -> Callable[[int, int], np.ndarray]:
    """Return a function that draws random cells and genes of a data set.

    Parameters
    ----------
    cells : AnnData
    seed : int

    Returns
    -------
    callable
        From numbers of cells and genes to square roots of counts at the median depth; raises ArgumentError if
        the data set has fewer.
    """
    expression = read_expression(cells)
    X = Normalizer.fit(expression).transform(expression)

    def draw(num_cells: int, num_genes: int) -> np.ndarray:
        if num_cells > X.shape[0] or num_genes > X.shape[1]:
            raise ArgumentError(
                "genes",
                Argument("genes", num_genes),
                f" is timed on {num_cells:,} cells × {num_genes:,} genes, but the file has "
                f"{X.shape[0]:,} cells × {X.shape[1]:,} genes; pass a smaller number, or leave the file out "
                "to simulate counts.",
            )
        rng = np.random.default_rng(seed)
        genes = rng.permutation(X.shape[1])[:num_genes]
        return X[rng.permutation(X.shape[0])[:num_cells]][:, np.sort(genes)].toarray()

    return draw


def measure(
    expression: Callable[[int, int], np.ndarray],
    genes: tuple[int, ...] = GENES,
    device: str = "cpu",
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Time every method on inputs of every size.

    Parameters
    ----------
    expression : callable
        From numbers of cells and genes to an array of that shape.
    genes : tuple of int
        Values of N.
    device : str
    seed : int
        Of the weights.

    Yields
    ------
    dict
        "genes", "channels", "batch", "method", "rows" (the largest number of distinct features of a cell),
        "seconds" per cell, forward and backward, "memory", the peak of additional memory relative to the size
        of the input, and "error", the relative distance of output and gradients of one cell from those in
        double precision.
    """
    for num_genes in genes:
        for channels in CHANNELS:
            torch.manual_seed(seed)
            attention = EmbeddedDotAttention(channels).to(device)
            attention.theta.reset_parameters()  # larger weights than the layer starts with
            attention.phi.reset_parameters()
            vectors = (torch.randn(num_genes, channels) * channels**-0.5).to(device)
            for batch in BATCHES:
                values = torch.from_numpy(expression(batch, num_genes)).to(device).unsqueeze(-1)
                for name, timed in METHODS.items():
                    if channels not in timed.channels or (batch > 1 and not timed.batched):
                        continue
                    try:
                        found = _measure(attention, values, vectors, timed)
                    except ArgumentError:  # too few genes for the grid
                        continue
                    sizes = {"genes": num_genes, "channels": channels, "batch": batch}
                    yield {**sizes, "method": name, **found}


def _measure(
    attention: EmbeddedDotAttention, values: Tensor, vectors: Tensor, timed: TimedMethod
) -> dict[str, float]:
    if timed.distinct:
        values = values + 1e-3 * torch.rand_like(values)
    features = values if attention.in_channels == 1 else values * vectors
    equal = find_equal_genes(features) if timed.method == "merged" else None  # the loader prepares these
    # Gene vectors are learned through the features; with one channel, only later layers need that gradient.
    x = features.requires_grad_(attention.in_channels > 1 or timed.distinct)
    error = _error(attention, x[:1], timed.method)

    gradient = torch.rand_like(x)

    def run() -> None:
        attention.zero_grad()
        x.grad = None
        _attend(attention, x, timed.method, equal).backward(gradient)
        if x.is_cuda:
            torch.cuda.synchronize()

    seconds = _seconds(run)
    memory = _peak_bytes(run, x.is_cuda) / (x.numel() * x.element_size())
    rows = x.size(1) if equal is None else equal.size.size(1)
    return {"rows": rows, "seconds": seconds / len(x), "memory": memory, "error": error}


def _attend(
    attention: EmbeddedDotAttention, x: Tensor, method: str, equal: EqualGenes | None = None
) -> Tensor:
    if method == "dense":  # the layer limits its size
        return (attention.scores(x, x).softmax(-1) @ x.unsqueeze(1)).squeeze(1)
    return attention(x, equal=equal, method=method)


def _error(attention: EmbeddedDotAttention, x: Tensor, method: str) -> float:
    cell = x.detach().requires_grad_()
    attention.zero_grad()
    out = _attend(attention, cell, method)
    out.sum().backward()
    exact, exact_cell = copy.deepcopy(attention).double(), x.detach().double().requires_grad_()
    exact.zero_grad()
    parts = []
    for query in range(0, x.size(1), 1000):  # the dense graph, in blocks of rows
        scores = exact.scores(exact_cell[:, query : query + 1000], exact_cell)
        parts.append((scores.softmax(-1) @ exact_cell.unsqueeze(1)).squeeze(1))
        parts[-1].sum().backward()
    results = [
        torch.cat(
            [
                output.detach().double().flatten(),
                *(_gradient(leaf) for leaf in (tensor, *module.parameters())),
            ]
        )
        for output, tensor, module in ((out, cell, attention), (torch.cat(parts, 1), exact_cell, exact))
    ]
    return ((results[0] - results[1]).norm() / results[1].norm()).item()


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad.double().flatten()


def _seconds(run: Callable[[], None]) -> float:
    """Time a function: the median of up to seven runs after a warm-up."""
    taken = []
    for _ in range(8):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
        if sum(taken) > MAX_SECONDS and len(taken) > 1:
            break
    return float(np.median(taken[1:]))


def _peak_bytes(run: Callable[[], None], cuda: bool) -> int:
    """Measure the peak memory that torch allocates during a run, beyond what it held before."""
    if cuda:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    events = sorted(
        (e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"),
        key=lambda event: event.start_ns(),
    )
    return int(np.cumsum([event.nbytes() for event in events]).max(initial=0))


def exponents(results: pd.DataFrame) -> pd.DataFrame:
    """Fit the growth of time with N, the slope of log seconds by log N, per method, channels and batch."""
    rows = [
        {
            "method": method,
            "channels": channels,
            "batch": batch,
            "exponent": np.polyfit(np.log(part["genes"]), np.log(part["seconds"]), 1)[0],
        }
        for (method, channels, batch), part in results.groupby(["method", "channels", "batch"], sort=False)
    ]
    return pd.DataFrame(rows)


def with_ratios(results: pd.DataFrame) -> pd.DataFrame:
    """Add the speed-up over dense and over flash attention, which take one cell at a time."""
    for name, column in (("dense", "times_dense"), ("flash over all genes", "times_flash")):
        reference = results[results["method"] == name].set_index(["genes", "channels"])["seconds"]
        keys = pd.MultiIndex.from_frame(results[["genes", "channels"]])
        results = results.assign(**{column: reference.reindex(keys).to_numpy() / results["seconds"]})
    return results


def plot(results: pd.DataFrame, path: str | Path) -> None:
    """Draw milliseconds per cell by N, on logarithmic axes, a panel per number of channels."""
    from matplotlib.figure import Figure

    from gene_gcn.plots.figure import save_figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    axes = figure.subplots(1, len(CHANNELS), sharey=True)
    colors = dict(zip(METHODS, ("#7b8794", "#d08a2e", "#1d6a8c", "#a33b5c"), strict=True))
    for axis, channels in zip(axes, CHANNELS, strict=True):
        of_channels = results[results["channels"] == channels]
        for (method, batch), part in of_channels.groupby(["method", "batch"], sort=False):
            axis.loglog(
                part["genes"],
                1e3 * part["seconds"],
                "o-" if batch == 1 else "s--",
                color=colors[method],
                label=f"{method}, batch {batch}" if METHODS[method].batched else method,
            )
        axis.set(title=f"C = {channels}", xlabel="genes N")
    axes[0].set_ylabel("forward and backward, ms per cell")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    save_figure(figure, path)
