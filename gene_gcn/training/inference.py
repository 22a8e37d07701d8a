"""Logits and codes of cells by trained modules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from gene_gcn.nn.autoencoder import GeneAutoEncoder
from gene_gcn.nn.gene_gcn import GeneGCN
from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.training.data import CellDataset, Cells, batches
from gene_gcn.training.device import choose_device
from gene_gcn.training.imputation import PPCAImputer

BATCH = 256


def predict_logits(
    model: GeneGCN,
    cells: CellDataset,
    graph: GlobalGraph | None = None,
    device: str = "auto",
    imputer: PPCAImputer | None = None,
    present: Tensor | None = None,
) -> Tensor:
    """Return the logits of all cells, (cells, K), on the CPU.

    Parameters
    ----------
    imputer : PPCAImputer, optional
        Imputes genes that are not `present`.
    present : Tensor of bool, shape (N,), optional
        Which genes the cells have; all by default.
    """
    target = choose_device(device)
    shared = None if graph is None else graph.to(target)
    if imputer is None or present is None:
        return _over_batches(model, lambda batch: model(batch.x, shared, equal=batch.equal), cells, target)
    imputer, present = imputer.to(target), present.to(target)
    impute = partial(imputer.impute, present=present, encoder=imputer.encoder(present))
    return _over_batches(model, lambda batch: model(impute(batch.x), shared), cells, target)


def encode(autoencoder: GeneAutoEncoder, cells: CellDataset, device: str = "auto") -> Tensor:
    """Return the codes of all cells, (cells, width of the last hidden layer), on the CPU."""
    return _over_batches(
        autoencoder, lambda batch: autoencoder.encoder(batch.x), cells, choose_device(device)
    )


@torch.inference_mode()
def _over_batches(
    module: nn.Module, result: Callable[[Cells], Tensor], cells: CellDataset, device: torch.device
) -> Tensor:
    module.to(device).eval()
    results = [result(batch).cpu() for batch in batches(cells.to(device), BATCH)]
    module.cpu()
    return torch.cat(results)
