"""What the graphs cost: an epoch of the full model over one of its head alone, and over the naive model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gene_gcn.cells import Normalizer, read_expression, read_labels
from gene_gcn.networks import GeneNetwork
from gene_gcn.nn import GeneGCN, GlobalGraph, InteractionConv
from gene_gcn.training.data import CellDataset
from gene_gcn.training.gradient import train
from gene_gcn.training.options import TrainingOptions

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
    """Time epochs without graphs, with each graph and with both, alternating in one process.

    The time of one epoch is subtracted from that of five, which leaves out what is done once.

    Parameters
    ----------
    cells : AnnData
    label : str
        Column of `obs`.
    network : GeneNetwork
    batch_size, repeats : int
    naive_cells : int
        Cells on which the naive model is timed, once, after a warm-up; see `naive_step`.
    device : str

    Yields
    ------
    dict of str to float
        Seconds per epoch by model, once per repeat: "head alone", "individual graph", "global graph", "both
        graphs"; and in the first repeat, with `naive_cells`, "naive, one cell at a time", extrapolated from
        its time per cell.
    """
    expression = read_expression(cells)
    assert expression.genes is not None  # an AnnData names its genes
    X = Normalizer.fit(expression).transform(expression)
    types, y = np.unique(read_labels(cells, label), return_inverse=True)
    graph = GlobalGraph(network.align(expression.genes).normalized("sym").adj_t).prepare()
    models: dict[str, tuple[int, str | None, GlobalGraph | None]] = {
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
                model, CellDataset(X, y, group=False), graph, naive_cells, device
            )
        yield seconds


def naive_step(model: GeneGCN, optimizer: torch.optim.Optimizer, x: Tensor, adj_t: Tensor, y: Tensor) -> None:
    """Take a training step on one cell by the paper's equations, with full N × N matrices for G and A."""
    (conv,) = model.convs
    assert isinstance(conv, InteractionConv) and conv.attention is not None
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
    """Time a naive step, in seconds, after a warm-up."""
    optimizer = torch.optim.Adam(model.parameters())
    adj_t = graph.adj_t.to_dense().to(device)
    taken = []
    for cell in range(num_cells + 1):
        x, _, y = cells.__getitems__([cell])
        assert y is not None
        start = time.perf_counter()
        naive_step(model, optimizer, x.contiguous().to(device), adj_t, y.to(device))
        if device != "cpu":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return float(np.mean(taken[1:]))
