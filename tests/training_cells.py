"""Cells, a model and a network that the tests of gradient training share."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse

from gene_gcn.nn import GeneAutoEncoder, GeneGCN, GlobalGraph
from gene_gcn.nn.sparse import to_csr
from gene_gcn.training.data import CellDataset
from gene_gcn.training.inference import predict_logits
from gene_gcn.training.options import TrainingOptions

N, K = 30, 3


def make_cells(n=90, genes=N, seed=0):
    """Expression of three types that differ in five genes each, and the types."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % K
    X = rng.poisson(0.4, (n, genes))
    for k in range(K):
        X[y == k, 5 * k : 5 * k + 5] += rng.poisson(1.5, ((y == k).sum(), 5))
    return sparse.csr_matrix(np.sqrt(X).astype(np.float32)), y.astype(np.int64)


def dataset(n=90, seed=0, **kwargs):
    return CellDataset(*make_cells(n, seed=seed), **kwargs)


def model_of(channels=1, seed=0, genes=N, **kwargs):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return GeneGCN(genes, K, channels, hidden_channels=(8, 6), **kwargs)


def network(genes=N):
    """A ring: every gene interacts with the next one."""
    adj = torch.eye(genes).roll(1, 0) * 0.5
    return GlobalGraph(to_csr(adj + adj.T)).prepare()


def short(**changes):
    return TrainingOptions(**{"max_epochs": 3, "learning_rate": 0.02, "batch_size": 16, **changes})


def loss_of(model, cells, graph=None, weight=None):
    return F.cross_entropy(predict_logits(model, cells, graph), cells.y, weight).item()


def same_weights(a, b):
    return all(torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items())


def autoencoder_of(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return GeneAutoEncoder(N, (8, 6))
