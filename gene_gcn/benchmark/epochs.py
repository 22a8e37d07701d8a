"""What the graphs cost: an epoch of the full model over an epoch of the fully connected head alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from gene_gcn.expression import Normalizer, read_expression, read_labels
from gene_gcn.networks import GeneNetwork
from gene_gcn.nn import GeneGCN, GlobalGraph
from gene_gcn.training import CellDataset, TrainingOptions, train

if TYPE_CHECKING:
    from anndata import AnnData

EPOCHS = 4


def epoch_seconds(cells: AnnData, label: str, network: GeneNetwork, batch_size: int = 64, repeats: int = 3,
                  device: str = "cpu") -> Iterator[dict[str, float]]:
    """Time epochs with no graph, each graph alone and both, in turns in one process.

    A run of four epochs less a run of one, so that what is done once is left out.

    Yields
    ------
    dict
        Seconds of an epoch by model, once per repeat: "head alone", "individual graph", "global graph",
        "both graphs".
    """
    expression = read_expression(cells)
    X = Normalizer.fit(expression).transform(expression)
    types, y = np.unique(read_labels(cells, label), return_inverse=True)
    graph = GlobalGraph.prepare(network.align(expression.genes).normalized("sym").adj_t)
    models = {"head alone": (0, None, None), "individual graph": (1, "embedded_dot", None),
              "global graph": (1, None, graph), "both graphs": (1, "embedded_dot", graph)}
    for _ in range(repeats):
        seconds = {}
        for name, (num_layers, attention, shared) in models.items():
            data = CellDataset(X, y, group=attention is not None)
            taken = []
            for epochs in (1, 1 + EPOCHS):
                torch.manual_seed(0)
                model = GeneGCN(X.shape[1], len(types), num_layers=num_layers, attention=attention)
                options = TrainingOptions(max_epochs=epochs, batch_size=batch_size, head_init="random",
                                          device=device)
                start = time.perf_counter()
                train(model, data, graph=shared, options=options)
                taken.append(time.perf_counter() - start)
            seconds[name] = (taken[1] - taken[0]) / EPOCHS
        yield seconds
