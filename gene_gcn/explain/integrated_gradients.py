"""Integrated gradients of a `GeneGCN`, along its genes and along the edges of its network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from gene_gcn.nn.global_graph import GlobalGraph
from gene_gcn.nn.kernels import product
from gene_gcn.training.device import choose_device
from gene_gcn.training.imputation import PPCAImputer

if TYPE_CHECKING:
    from gene_gcn.nn.gene_gcn import GeneGCN
    from gene_gcn.nn.interaction_conv import InteractionConv

__all__ = ["N_STEPS", "Integrals", "IntegratedGradients"]

# Leaves gaps of 0.1 to 0.3 % of the difference of the logits (scripts/integrated_gradients_steps.py); half as
# many steps already stay below 1 %, which is the tolerance.
N_STEPS = 32
BLOCK = 32  # cells at a time
CHUNK_ENTRIES = 2**24  # gathered at a time for the edges (64 MB)


@dataclass(frozen=True, eq=False)
class Integrals:
    """What genes and edges add to one logit, summed over B cells with a weight each.

    Attributes
    ----------
    own, from_network, through_missing : ndarray of float64, shape (N,)
    edges : ndarray of float64, shape (E,)
    baseline, logit : float
        Weighted sums of the logit of the baseline and of those of the cells.
    difference, gap : ndarray of float64, shape (B,)
        By how much the logit of each cell exceeds that of the baseline; what contributions lack of it.
    """

    own: np.ndarray
    from_network: np.ndarray
    through_missing: np.ndarray
    edges: np.ndarray
    baseline: float
    logit: float
    difference: np.ndarray
    gap: np.ndarray

    @classmethod
    def join(cls, parts: Sequence[Integrals]) -> Integrals:
        """Join those of different cells."""
        joined: dict[str, Any] = {}
        for name in cls.__dataclass_fields__:
            values = [getattr(part, name) for part in parts]
            joined[name] = np.concatenate(values) if name in ("difference", "gap") else sum(values)
        return cls(**joined)


@dataclass(frozen=True, eq=False)
class IntegratedGradients:
    r"""Integrated gradients from the mean training cell m to a cell x.

    The logits are a function f(x, z) of the expression x of the genes and of what each of them receives along
    the edges of the network, :math:`z_i = \sum_j A_{ij} e_j x_j` (:math:`e_j` is the vector of gene j, or 1).
    On the straight path from m to x, with gradients averaged over its steps,

    .. math::
        f(x) - f(m) \approx \sum_i (x_i - m_i) \, \overline{\partial f / \partial x_i}
        + \sum_{ij} A_{ij} (x_j - m_j) \, e_j \cdot \overline{\partial f / \partial z_i} .

    In the former gradient what is received stays constant, so it has what a gene does by itself and through
    attention; the latter sum has a term for each edge. Both are exact for linear models. With several layers
    the second one receives other values than these, and the first sum, with the whole gradient, is all.

    Parameters
    ----------
    model : GeneGCN
    graph : GlobalGraph or None
        Prepared.
    imputer : PPCAImputer or None
        For genes that cells lack; None leaves them zero.
    mean : Tensor, shape (N,)
        The mean training cell.
    n_steps : int
        Number of gradients, at the midpoints of as many intervals.
    device : str

    References
    ----------
    Sundararajan, Taly & Yan (2017), Axiomatic attribution for deep networks, arXiv:1703.01365.
    """

    model: GeneGCN
    graph: GlobalGraph | None
    imputer: PPCAImputer | None
    mean: Tensor
    n_steps: int = N_STEPS
    device: str = "auto"

    @property
    def splits_network(self) -> bool:
        """Whether what reaches genes along edges is told apart from their own expression."""
        return self.graph is None or len(self.model.convs) <= 1

    @property
    def edge_index(self) -> np.ndarray:
        """Edges whose contributions are told, (2, E)."""
        if self.graph is None or not self.splits_network:
            return np.empty((2, 0), np.int64)
        adj_t = self.graph.adj_t
        target = torch.repeat_interleave(adj_t.crow_indices().long().diff())
        return torch.stack([adj_t.col_indices().long(), target]).numpy()

    def cells(self, X: sparse.csr_matrix, measured: np.ndarray) -> Tensor:
        """Return cells (B, N) as the model sees them: dense, on the CPU, with imputed genes."""
        x = torch.from_numpy(X.toarray())
        if measured.all() or self.imputer is None:
            return x
        present = torch.from_numpy(measured)
        return self.imputer.impute(x, present, self.imputer.encoder(present))

    def integrate(
        self, X: sparse.csr_matrix, weight: np.ndarray, measured: np.ndarray, contrast: np.ndarray
    ) -> list[Integrals]:
        """Integrate from the mean cell to cells in which the same genes were measured, for K logits.

        Parameters
        ----------
        X : csr_matrix of float32, shape (B, N)
        weight : ndarray, shape (B,)
            Of each cell in the sums.
        measured : ndarray of bool, shape (N,)
        contrast : ndarray, shape (all types, K)
            Weights of the types' logits in each of the K explained ones.
        """
        blocks = []
        with self._on_device() as path:
            for start in range(0, X.shape[0], BLOCK):
                block = slice(start, start + BLOCK)
                x = self.cells(X[block], measured)
                blocks.append(path.integrate(x, weight[block], measured, contrast))
        return [Integrals.join(parts) for parts in zip(*blocks, strict=True)]

    @contextmanager
    def _on_device(self) -> Iterator[_Path]:
        """Move the model to the device for as long as this lasts, and record what its genes receive."""
        device = choose_device(self.device)
        graph = None if self.graph is None else self.graph.to(device)
        imputer = None if self.imputer is None else self.imputer.to(device)
        received: list[Tensor] = []

        def record(_module: object, _inputs: object, output: Tensor) -> Tensor:
            received.append(output.detach().requires_grad_())
            return received[-1]

        layers = cast("list[InteractionConv]", list(self.model.convs))
        conv = layers[0] if layers and self.splits_network else None
        hook = None if conv is None else conv.register_propagate_forward_hook(record)
        try:
            yield _Path(self.model.to(device).eval(), graph, imputer, self.mean.to(device), self, received)
        finally:
            if hook is not None:
                hook.remove()
            self.model.cpu()


@dataclass(frozen=True, eq=False)
class _Path:
    """A block of cells on the device, on the way from the mean cell."""

    model: GeneGCN
    graph: GlobalGraph | None
    imputer: PPCAImputer | None
    mean: Tensor
    settings: IntegratedGradients
    received: list[Tensor]

    def integrate(
        self, x: Tensor, weight: np.ndarray, measured: np.ndarray, contrast: np.ndarray
    ) -> list[Integrals]:
        device = self.mean.device
        present = torch.from_numpy(measured).to(device)
        columns = torch.from_numpy(contrast).to(device, torch.float32)
        mean = self.mean if self.imputer is not None else self.mean * present
        change = x.to(device) - mean  # (B, N)
        with torch.no_grad():
            at_cells, at_mean = (
                (self.model(z, self.graph) @ columns).double().cpu().numpy()
                for z in (mean + change, mean[None])
            )
        weighted = torch.from_numpy(weight).to(device, torch.float32)[:, None] * change
        integrals = []
        for k, gradients in enumerate(self._mean_gradients(mean, change, columns)):
            own, network, through, edges = (
                part.double().cpu().numpy() for part in self._attribute(weighted, *gradients, present)
            )
            difference = at_cells[:, k] - at_mean[0, k]
            gap = difference - self._contributed(change, *gradients).cpu().numpy()
            logits = float(weight.sum() * at_mean[0, k]), float(weight @ at_cells[:, k])
            integrals.append(Integrals(own, network, through, edges, *logits, difference, gap))
        return integrals

    def _mean_gradients(
        self, mean: Tensor, change: Tensor, columns: Tensor
    ) -> list[tuple[Tensor, Tensor | None]]:
        """Average gradients over the steps, for each of K logits.

        Returns
        -------
        list of (Tensor, shape (B, N); Tensor, shape (N, B·C), or None)
            By genes and by what they receive.
        """
        steps = self.settings.n_steps
        sums: list[list[Tensor]] = []
        for step in range(steps):
            self.received.clear()
            x = (mean + (step + 0.5) / steps * change).requires_grad_()
            logits = (self.model(x, self.graph) @ columns).sum(0)
            inputs = [x, *self.received]
            for k, logit in enumerate(logits):
                gradients = torch.autograd.grad(logit, inputs, retain_graph=k + 1 < len(logits))
                if step == 0:
                    sums.append([gradient / steps for gradient in gradients])
                else:
                    for total, gradient in zip(sums[k], gradients, strict=True):
                        total.add_(gradient, alpha=1 / steps)
        return [(each[0], each[1] if len(each) > 1 else None) for each in sums]

    def _contributed(self, change: Tensor, by_gene: Tensor, by_received: Tensor | None) -> Tensor:
        """Return the sum of all contributions in each cell, (B,)."""
        total = (change.double() * by_gene).sum(1)
        if by_received is None:
            return total
        messages = by_received.double() * self._propagate(self._features(change))
        return total + messages.unflatten(1, (len(change), -1)).sum((0, 2))

    def _attribute(
        self, change: Tensor, by_gene: Tensor, by_received: Tensor | None, present: Tensor
    ) -> Sequence[Tensor]:
        """Return the three parts of the genes (N,), and the edges (E,), of one logit, summed over cells."""
        own = (change.double() * by_gene).sum(0) * present
        network, edges = torch.zeros_like(own), own.new_zeros(0)
        through = torch.zeros_like(own)
        of_missing = by_gene
        if by_received is not None:
            features = self._features(change * present)
            network = (by_received.double() * self._propagate(features)).sum(1) * present
            edges = self._edges(features, by_received, present)
            if not present.all():
                through += (change * self._back(by_received * ~present[:, None])).double().sum(0) * present
                of_missing = by_gene + self._back(by_received)
        if not present.all() and self.imputer is not None:
            to_axes = (of_missing * ~present) @ self.imputer.axes
            through += (change * (to_axes @ self.imputer.encoder(present).T)).double().sum(0) * present
        return own, network, through, edges

    def _features(self, change: Tensor) -> Tensor:
        """Return the features of genes as columns, (B, N) -> (N, B·C)."""
        with torch.no_grad():
            return self.model.embed(change).transpose(0, 1).flatten(1).contiguous()

    def _propagate(self, features: Tensor) -> Tensor:
        assert self.graph is not None
        return product(self.graph.adj_t, features)

    def _back(self, by_received: Tensor) -> Tensor:
        """Return the gradient by the expression of the genes that send, (N, B·C) -> (B, N)."""
        assert self.graph is not None and self.graph.adj is not None
        columns = product(self.graph.adj, by_received.contiguous())
        columns = columns.unflatten(1, (-1, self.model.channels))  # (N, B, C)
        vectors = self.model.gene_vectors
        return (columns if vectors is None else columns * vectors.detach()[:, None]).sum(2).T

    def _edges(self, features: Tensor, by_received: Tensor, present: Tensor) -> Tensor:
        """Return what each edge between measured genes adds, (E,)."""
        assert self.graph is not None
        adj_t = self.graph.adj_t
        source, target = adj_t.col_indices(), torch.repeat_interleave(adj_t.crow_indices().diff())
        chunk = max(1, CHUNK_ENTRIES // features.size(1))
        dots = [
            (features[j] * by_received[i]).sum(1)
            for j, i in zip(source.split(chunk), target.split(chunk), strict=True)
        ]
        ends = present[source] & present[target]
        return torch.cat(dots) * adj_t.values() * ends if dots else features.new_zeros(0)
