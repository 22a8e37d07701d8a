"""What attention over all genes costs: time and memory, forward and backward, against the graph written out."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from gene_gcn.cells.expression import Normalizer, read_expression
from gene_gcn.nn import EmbeddedDotAttention, find_equal_genes

if TYPE_CHECKING:
    from anndata import AnnData

GENES = (1_000, 5_000, 20_499)
CHANNELS = (1, 16)
BATCHES = (1, 64)
LONG = 2.0  # seconds after which a call is not repeated


class Way(NamedTuple):
    """A way to compute attention, for which inputs, and whether a batch of cells goes through it at once.

    Over all genes, 64 cells take 64 times as long as one: those ways are timed on one.
    """

    method: str
    channels: tuple[int, ...]
    distinct: bool
    batched: bool


WAYS = {
    "dense": Way("dense", (1, 16), False, False),
    "flash over all genes": Way("flash", (1, 16), False, False),
    "merged": Way("merged", (1, 16), False, True),
    "scalar, all values distinct": Way("scalar", (1,), True, True),
}


def simulate_counts(num_cells: int, num_genes: int, seed: int = 0) -> np.ndarray:
    """Square roots of negative binomial counts (dispersion 1) with log-normal means of 0.1 on average."""
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(-4.3, 2.0, num_genes).clip(max=200)
    rate = rng.gamma(1.0, np.broadcast_to(mean, (num_cells, num_genes)))
    counts = rng.poisson(rate)
    depth = counts.sum(1, keepdims=True).clip(min=1)
    return np.sqrt(counts * (np.median(depth) / depth)).astype(np.float32)


def sampled(cells: AnnData, seed: int = 0) -> Callable[[int, int], np.ndarray]:
    """Give random cells and genes of a data set, as square roots of counts scaled to the median depth.

    Raises
    ------
    ValueError
        More cells or genes are asked for than there are.
    """
    expression = read_expression(cells)
    X = Normalizer.fit(expression).transform(expression)

    def draw(num_cells: int, num_genes: int) -> np.ndarray:
        if num_cells > X.shape[0] or num_genes > X.shape[1]:
            raise ValueError(
                f"cells has {X.shape[0]:,} cells × {X.shape[1]:,} genes, but {num_cells:,} × "
                f"{num_genes:,} are to be timed; pass fewer genes, or no cells to draw some."
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
) -> Iterator[dict]:
    """Time every way on cells of every size.

    Parameters
    ----------
    expression : function
        Gives an array of so many cells × so many genes.
    genes : sequence of int
        Values of N.

    Yields
    ------
    dict
        "genes", "channels", "batch", "way", "rows" (the largest number of distinct features of a cell),
        "seconds" per cell, forward and backward, and "memory", the largest extra memory over the size of the
        input; "error", the distance of output and gradients of one cell from those of double precision,
        relative to these.
    """
    for num_genes in genes:
        for channels in CHANNELS:
            torch.manual_seed(seed)
            attention = EmbeddedDotAttention(channels).to(device)
            attention.theta.reset_parameters()  # steeper than the layer's own start
            attention.phi.reset_parameters()
            vectors = (torch.randn(num_genes, channels) * channels**-0.5).to(device)
            for batch in BATCHES:
                values = torch.from_numpy(expression(batch, num_genes)).to(device).unsqueeze(-1)
                for name, way in WAYS.items():
                    if channels not in way.channels or batch > 1 and not way.batched:
                        continue
                    with suppress(ValueError):  # too few genes for the grid
                        yield {
                            "genes": num_genes,
                            "channels": channels,
                            "batch": batch,
                            "way": name,
                            **_measure(attention, values, vectors, way),
                        }


def _measure(attention: EmbeddedDotAttention, values: Tensor, vectors: Tensor, way: Way) -> dict:
    if way.distinct:
        values = values + 1e-3 * torch.rand_like(values)
    features = values if attention.in_channels == 1 else values * vectors
    equal = find_equal_genes(features) if way.method == "merged" else None  # the loader prepares these
    # Gene vectors are learned through the features; of one channel, only later layers need that gradient.
    x = features.requires_grad_(attention.in_channels > 1 or way.distinct)
    error = _error(attention, x[:1], way.method)

    send_back = torch.rand_like(x)

    def run() -> None:
        attention.zero_grad()
        x.grad = None
        _attend(attention, x, way.method, equal).backward(send_back)
        if x.is_cuda:
            torch.cuda.synchronize()

    seconds = _seconds(run)
    memory = _peak_bytes(run, x.is_cuda) / (x.numel() * x.element_size())
    rows = x.size(1) if equal is None else equal.size.size(1)
    return {"rows": rows, "seconds": seconds / len(x), "memory": memory, "error": error}


def _attend(attention, x, method, equal=None) -> Tensor:
    if method == "dense":  # of any size
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
    for query in range(0, x.size(1), 1000):  # the graph written out, in parts
        scores = exact.scores(exact_cell[:, query : query + 1000], exact_cell)
        parts.append((scores.softmax(-1) @ exact_cell.unsqueeze(1)).squeeze(1))
        parts[-1].sum().backward()
    results = [
        torch.cat(
            [
                output.detach().double().flatten(),
                tensor.grad.double().flatten(),
                *(parameter.grad.double().flatten() for parameter in module.parameters()),
            ]
        )
        for output, tensor, module in ((out, cell, attention), (torch.cat(parts, 1), exact_cell, exact))
    ]
    return ((results[0] - results[1]).norm() / results[1].norm()).item()


def _seconds(run: Callable[[], None]) -> float:
    """Median of up to seven runs after a first one."""
    taken = []
    for _ in range(8):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
        if sum(taken) > LONG and len(taken) > 1:
            break
    return float(np.median(taken[1:]))


def _peak_bytes(run: Callable[[], None], cuda: bool) -> int:
    """Largest memory that torch holds during a run beyond what it held before."""
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
    """Growth of time with N, the slope of log seconds by log N, for each way, channels and batch."""
    rows = [
        {
            "way": way,
            "channels": channels,
            "batch": batch,
            "exponent": np.polyfit(np.log(part["genes"]), np.log(part["seconds"]), 1)[0],
        }
        for (way, channels, batch), part in results.groupby(["way", "channels", "batch"], sort=False)
    ]
    return pd.DataFrame(rows)


def with_ratios(results: pd.DataFrame) -> pd.DataFrame:
    """How many times faster than dense, and than flash over all genes, a cell is; dense takes one at a time."""
    for name, column in (("dense", "times_dense"), ("flash over all genes", "times_flash")):
        reference = results[results["way"] == name].set_index(["genes", "channels"])["seconds"]
        keys = pd.MultiIndex.from_frame(results[["genes", "channels"]])
        results = results.assign(**{column: reference.reindex(keys).to_numpy() / results["seconds"]})
    return results


def plot(results: pd.DataFrame, path) -> None:
    """Milliseconds per cell by N, both axes logarithmic, a panel for each number of channels."""
    from matplotlib.figure import Figure

    from gene_gcn.plots.figure import save_figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    axes = figure.subplots(1, len(CHANNELS), sharey=True)
    colours = dict(zip(WAYS, ("#7b8794", "#d08a2e", "#1d6a8c", "#a33b5c"), strict=True))
    for axis, channels in zip(axes, CHANNELS, strict=True):
        for (way, batch), part in results[results["channels"] == channels].groupby(
            ["way", "batch"], sort=False
        ):
            axis.loglog(
                part["genes"],
                1e3 * part["seconds"],
                "o-" if batch == 1 else "s--",
                color=colours[way],
                label=f"{way}, batch {batch}" if WAYS[way].batched else way,
            )
        axis.set(title=f"C = {channels}", xlabel="genes N")
    axes[0].set_ylabel("forward and backward, ms per cell")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    save_figure(figure, path)
