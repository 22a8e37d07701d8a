"""What the graphs cost: an epoch of the full model over that of its head alone, and over the naive one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gene_gcn.cells.expression import Normalizer, read_expression, read_labels
from gene_gcn.networks import GeneNetwork
from gene_gcn.nn import GeneGCN, GlobalGraph
from gene_gcn.training.gradient import CellDataset, TrainingOptions, train

if TYPE_CHECKING:
    from anndata import AnnData

EPOCHS = 4


def epoch_seconds(
    cells: AnnData,
    label: str,
    network: GeneNetwork,
    batch_size: int = 64,
    repeats: int = 3,
    naive_cells: int = 0,
    device: str = "cpu",
) -> Iterator[dict[str, float]]:
    """Time epochs with no graph, each graph alone and both, in turns in one process.

    A run of four epochs less a run of one, so that what is done once is left out.

    Parameters
    ----------
    naive_cells : int
        Cells on which the naive implementation is timed, once, after a first one; see `naive_step`.

    Yields
    ------
    dict
        Seconds of an epoch by model, once per repeat: "head alone", "individual graph", "global graph",
        "both graphs"; and in the first, if asked for, "naive, one cell at a time", from its time per cell.
    """
    expression = read_expression(cells)
    X = Normalizer.fit(expression).transform(expression)
    types, y = np.unique(read_labels(cells, label), return_inverse=True)
    graph = GlobalGraph(network.align(expression.genes).normalized("sym").adj_t).prepare()
    models = {
        "head alone": (0, None, None),
        "individual graph": (1, "embedded_dot", None),
        "global graph": (1, None, graph),
        "both graphs": (1, "embedded_dot", graph),
    }
    for repeat in range(repeats):
        seconds = {}
        for name, (num_layers, attention, shared) in models.items():
            data = CellDataset(X, y, group=attention is not None)
            taken = []
            for epochs in (1, 1 + EPOCHS):
                torch.manual_seed(0)
                model = GeneGCN(X.shape[1], len(types), num_layers=num_layers, attention=attention)
                options = TrainingOptions(
                    max_epochs=epochs, batch_size=batch_size, head_init="random", device=device
                )
                start = time.perf_counter()
                train(model, data, graph=shared, options=options)
                taken.append(time.perf_counter() - start)
            seconds[name] = (taken[1] - taken[0]) / EPOCHS
        if naive_cells and not repeat:
            model = GeneGCN(X.shape[1], len(types)).to(device)
            seconds["naive, one cell at a time"] = len(y) * _naive_seconds(
                model, data, graph, naive_cells, device
            )
        yield seconds


def naive_step(model: GeneGCN, optimizer: torch.optim.Optimizer, x: Tensor, adj_t: Tensor, y: Tensor) -> None:
    """A training step of the paper's equations as they stand, on one cell: G and A are full N × N matrices."""
    (conv,) = model.convs
    graph = conv.attention.scores(x.unsqueeze(-1), x.unsqueeze(-1)).softmax(-1).squeeze(1)  # (1, N, N)
    features = x.unsqueeze(-1)
    features = features + conv.lin((graph + adj_t) @ features).relu()
    loss = F.cross_entropy(model.head(features.flatten(1)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _naive_seconds(
    model: GeneGCN, cells: CellDataset, graph: GlobalGraph, num_cells: int, device: str
) -> float:
    """Seconds of a naive step, without the first."""
    optimizer = torch.optim.Adam(model.parameters())
    adj_t = graph.adj_t.to_dense().to(device)
    taken = []
    for cell in range(num_cells + 1):
        x, _, y = cells.__getitems__([cell])
        start = time.perf_counter()
        naive_step(model, optimizer, x.contiguous().to(device), adj_t, y.to(device))
        if device != "cpu":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return float(np.mean(taken[1:]))
