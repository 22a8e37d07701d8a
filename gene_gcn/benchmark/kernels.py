"""Time the product of the global graph with a batch of cells, for every kernel that is installed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gene_gcn.networks import GeneNetwork
from gene_gcn.nn import GlobalGraph
from gene_gcn.nn.kernels import available_kernels
from gene_gcn.nn.sparse import transpose

REPEATS = 15


def measure(
    network: GeneNetwork, batch_size: int = 64, channels: int = 1, device: str = "cpu"
) -> Iterator[dict[str, Any]]:
    """Time each kernel, and the gradient when every step transposes the matrix.

    Parameters
    ----------
    network : GeneNetwork
    batch_size, channels : int
        Of the cells.
    device : str

    Yields
    ------
    dict
        "kernel", "forward" and "backward" in seconds (medians), and "error", the largest difference from the
        first kernel relative to the largest value.
    """
    graph = GlobalGraph(network.normalized("sym").adj_t).prepare().to(torch.device(device))
    assert graph.adj is not None  # prepared
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(network.num_genes, batch_size * channels, generator=generator).to(device)
    kernels = available_kernels(x.device.type)
    first = next(iter(kernels.values()))
    expected = first(graph.adj_t, x)
    for name, kernel in kernels.items():
        error = ((kernel(graph.adj_t, x) - expected).abs().max() / expected.abs().max()).item()
        forward = _median(partial(kernel, graph.adj_t, x))
        backward = _median(partial(kernel, graph.adj, x))
        yield {"kernel": name, "forward": forward, "backward": backward, "error": error}
    yield {
        "kernel": "the first, transposing at each step",
        "forward": np.nan,
        "backward": _median(lambda: first(transpose(graph.adj_t), x)),
        "error": 0.0,
    }
    yield {"kernel": "autograd of torch's CSR product", **_autograd(graph.adj_t, x), "error": 0.0}


def _autograd(adj_t: Tensor, x: Tensor) -> dict[str, float]:
    x = x.clone().requires_grad_()
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # torch: CSR support is in beta
        forward = _median(lambda: adj_t @ x)
        both = _median(lambda: (adj_t @ x).backward(x.detach()))
    return {"forward": forward, "backward": both - forward}


def _median(run: Callable[[], object]) -> float:
    """Time a function, in seconds, after a warm-up."""
    taken = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken[1:]))
