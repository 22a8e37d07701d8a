"""Small models with weights as gradients train them, and cells for them."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from gene_gcn.explain import GradientExplanation, IntegratedGradients
from gene_gcn.nn import GeneGCN, GlobalGraph
from gene_gcn.training.imputation import PPCAImputer

B, N, TYPES = 6, 20, ["B", "NK", "T"]
GENES = [f"GENE{i}" for i in range(N)]


def small_graph(seed: int = 0) -> GlobalGraph:
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(0, N, (2, 60), generator=generator)
    return GlobalGraph.from_edges(edge_index, torch.rand(60, generator=generator), N).prepare()


def small_cells(seed: int = 0, n: int = B) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.sqrt(np.random.default_rng(seed).poisson(1.5, (n, N))).astype(np.float32))


def small_gradients(
    graph: GlobalGraph | None = None, impute: bool = False, n_steps: int = 64, **settings
) -> IntegratedGradients:
    """Return integrated gradients of a model with random weights; attention is far from the plain mean."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = GeneGCN(N, len(TYPES), **settings).eval()
        for name, weight in model.named_parameters():
            if ".attention." in name:
                torch.nn.init.normal_(weight, std=0.5)
    many = small_cells(5, 60)
    imputer = PPCAImputer.fit(many) if impute else None
    mean = torch.from_numpy(many.toarray().mean(0)) if imputer is None else imputer.mean
    return IntegratedGradients(model, graph, imputer, mean, n_steps, "cpu")


def gradient_explanation(gradients: IntegratedGradients, **changes) -> GradientExplanation:
    X = small_cells()
    panels = [(np.arange(B), np.ones(N, bool))]
    values = {"X": X, "panels": panels, "contrast": np.eye(3), "gene_names": GENES, "types": TYPES} | changes
    return GradientExplanation(gradients=gradients, **values)
