"""Fitted models that annotate cells: a linear head, or a `GeneGCN` that was trained by gradients.

Both hold what they need of the global graph, so that it is prepared once and not at each call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.kernels import product
from gene_gcn.nn.sparse import csr_from_scipy
from gene_gcn.training.device import choose_device
from gene_gcn.training.imputation import PPCAImputer
from gene_gcn.training.linear_head import LinearHead
from gene_gcn.training.panel_head import HeadRefit

if TYPE_CHECKING:
    from gene_gcn.estimators.reference import Reference
    from gene_gcn.nn.gene_gcn import GeneGCN
    from gene_gcn.nn.interaction_conv import InteractionConv


# A linear head is the state of a `GeneGCN` with one layer at most and one channel.
HEAD_WEIGHT, HEAD_BIAS, NETWORK_WEIGHT = "head.lins.0.weight", "head.lins.0.bias", "convs.0.lin.weight"

KEPT_PANELS = 8  # sets of genes whose refitted heads are kept


class FittedModel(Protocol):
    """What the classifier asks of a fitted model."""

    def logits(self, X: sparse.csr_matrix, present: Tensor | None, device: str) -> Tensor:
        """Return the logits (cells, K) of normalized cells, on the CPU.

        Parameters
        ----------
        X : csr_matrix of float32, shape (cells, N)
        present : Tensor of bool, shape (N,), or None
            Which genes the cells have; None for all. Others are imputed, if the model can.
        device : str
        """

    def tensors(self) -> dict[str, Tensor]:
        """Return what is saved: the state of the torch module."""

    def mixing(self) -> list[list[float]]:
        """Return the weights of the individual and the global graph, for each layer."""

    def module(self) -> GeneGCN:
        """Return the model as a torch module."""


class LinearModel:
    """A linear head. Network and imputation are folded into its weights, so cells cost one sparse product.

    Parameters
    ----------
    head : LinearHead
    graph : GlobalGraph or None
        Prepared; not needed where the head takes nothing of it.
    imputer : PPCAImputer or None
        For genes that cells lack; None leaves them zero.
    has_layer : bool
        Whether the model has an interaction layer, even if that takes nothing of the network.
    reference : Reference
    refit : HeadRefit, optional
        Refits the head to the genes that cells have; by default the others are imputed only.
    """

    def __init__(
        self,
        head: LinearHead,
        graph: GlobalGraph | None,
        imputer: PPCAImputer | None,
        has_layer: bool,
        reference: Reference,
        refit: HeadRefit | None = None,
    ):
        self.head = head
        self.graph = graph
        self.imputer = imputer
        self.has_layer = has_layer
        self.reference = reference
        self.refit = refit
        self._weight = head.folded(graph)
        self._refitted: dict[bytes, tuple[Tensor, Tensor]] = {}

    @torch.inference_mode()
    def imputed(self, present: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return what `folded` does, by the head that imputes other genes, even if another was refitted."""
        weight, bias = self._weight, self.head.bias
        if present is None or self.imputer is None:
            return weight, bias
        weight, offset = self.imputer.fold(weight, present)
        return weight, bias + offset

    @torch.inference_mode()
    def folded(self, present: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return weight (N, K) and bias (K,) of normalized cells that have the genes `present`."""
        imputed = self.imputed(present)
        if present is None or self.imputer is None or self.refit is None or bool(present.all()):
            return imputed
        key = present.numpy().tobytes()
        if key not in self._refitted:
            while len(self._refitted) >= KEPT_PANELS:
                self._refitted.pop(next(iter(self._refitted)))
            moments = self.reference.moments
            self._refitted[key] = self.refit.head(moments, present, imputed)
        return self._refitted[key]

    def for_genes(self, present: Tensor) -> LinearModel:
        """Return the model of cells that have some genes only, a mask (N,): others have no weight."""
        weight, bias = self.folded(present)
        return LinearModel(LinearHead(weight, bias), None, None, False, self.reference)

    @torch.inference_mode()
    def logits(self, X: sparse.csr_matrix, present: Tensor | None, device: str) -> Tensor:
        weight, bias = self.folded(present)
        target = choose_device(device)
        return (product(csr_from_scipy(X).to(target), weight.to(target)) + bias.to(target)).cpu()

    def tensors(self) -> dict[str, Tensor]:
        tensors = {HEAD_WEIGHT: self.head.weight.T, HEAD_BIAS: self.head.bias}
        if self.has_layer:
            tensors[NETWORK_WEIGHT] = torch.full((1, 1), self.head.network_weight)
        return tensors

    def mixing(self) -> list[list[float]]:
        return [[self.head.network_weight] * 2] if self.has_layer else []

    def module(self) -> GeneGCN:
        from gene_gcn.nn.gene_gcn import GeneGCN

        num_genes, num_classes = self.head.weight.shape
        model = GeneGCN(num_genes, num_classes, 1, int(self.has_layer), (), attention=None)
        model.load_state_dict(self.tensors())
        return model.eval()


def linear_head_of(tensors: Mapping[str, Tensor]) -> LinearHead:
    """Build again the head whose model gave these tensors."""
    network_weight = float(tensors[NETWORK_WEIGHT]) if NETWORK_WEIGHT in tensors else 0.0
    return LinearHead(tensors[HEAD_WEIGHT].T.contiguous(), tensors[HEAD_BIAS], network_weight)


class GradientModel:
    """A `GeneGCN` and the global graph that it sees.

    Parameters
    ----------
    model : GeneGCN
    graph : GlobalGraph or None
        Prepared.
    imputer : PPCAImputer or None
        For genes that cells lack; None leaves them zero.
    mean : Tensor, shape (N,)
        The mean training cell, with which cells are compared to explain their types.
    """

    def __init__(self, model: GeneGCN, graph: GlobalGraph | None, imputer: PPCAImputer | None, mean: Tensor):
        self.model = model
        self.graph = graph
        self.imputer = imputer
        self.mean = mean

    def logits(self, X: sparse.csr_matrix, present: Tensor | None, device: str) -> Tensor:
        from gene_gcn.training.data import CellDataset
        from gene_gcn.training.inference import predict_logits

        cells = CellDataset(X, channels=self.model.channels, group=groups_genes(self.model))
        imputer = None if present is None else self.imputer
        return predict_logits(self.model, cells, self.graph, device, imputer, present)

    def tensors(self) -> dict[str, Tensor]:
        return self.model.state_dict()

    def mixing(self) -> list[list[float]]:
        return [conv.effective_mixing().tolist() for conv in _layers(self.model)]

    def module(self) -> GeneGCN:
        return self.model


def groups_genes(model: GeneGCN) -> bool:
    """Say whether a model has attention graphs, for which equal genes of a cell are grouped."""
    return any(conv.attention is not None for conv in _layers(model))


def _layers(model: GeneGCN) -> list[InteractionConv]:
    return cast("list[InteractionConv]", list(model.convs))
