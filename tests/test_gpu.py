"""The same on a GPU as on the CPU. Run with: pytest -m gpu"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from gene_gcn import GeneGCNClassifier, GeneNetwork
from gene_gcn.nn import GeneGCN, GlobalGraph, find_equal_genes
from gene_gcn.training.data import CellDataset

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    return GeneNetwork(
        [f"g{i}" for i in range(300)], rng.integers(0, 300, (2, 2000)), rng.uniform(1, 9, 2000)
    )


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("attention", ["embedded_dot", "dot", "additive", None])
def test_model_and_gradients_equal_those_of_the_cpu(network, attention, channels, num_layers):
    """The second layer has distinct values: interpolated with one channel, by flash attention with four."""
    x = torch.poisson(torch.full((16, 300), 0.4), generator=torch.Generator().manual_seed(0))
    model = GeneGCN(300, 5, channels=channels, num_layers=num_layers, attention=attention)
    results = {}
    for device in ("cpu", "cuda"):
        model.to(device).zero_grad()
        cells = x.to(device)
        equal = find_equal_genes(model.embed(cells).detach())
        out = model(cells, GlobalGraph(network.adj_t).prepare().to(torch.device(device)), equal=equal)
        out.square().sum().backward()
        results[device] = [out.detach().cpu(), *(p.grad.cpu() for p in model.parameters())]
    for on_cpu, on_gpu in zip(*results.values(), strict=True):
        torch.testing.assert_close(on_gpu, on_cpu, rtol=1e-3, atol=1e-4)


def test_batches_made_there_equal_those_made_here():
    X = sparse.random(50, 300, 0.1, "csr", np.float32, random_state=0)
    here, there = CellDataset(X), CellDataset(X).to(torch.device("cuda"))
    batch, batch_there = here.__getitems__([3, 1, 40]), there.__getitems__([3, 1, 40])
    assert batch_there.x.is_cuda and torch.equal(batch_there.x.cpu(), batch.x)
    for a, b in zip(batch.equal, batch_there.equal, strict=True):
        assert torch.equal(a, b.cpu())


@pytest.mark.parametrize("parameters", [{}, {"attention": "embedded_dot", "hidden_channels": (128, 64)}])
def test_a_model_trained_there_predicts_the_same_here(network, tmp_path, parameters):
    rng = np.random.default_rng(0)
    y = np.arange(200) % 4
    X = rng.poisson(np.where(np.arange(300) // 75 == y[:, None], 3.0, 0.3)).astype(np.float32)
    clf = GeneGCNClassifier(network, device="cuda", max_epochs=10, random_state=0, **parameters).fit(X, y)
    assert clf.score(X, y) > 0.9
    clf.save(tmp_path / "model")
    here = GeneGCNClassifier.load(tmp_path / "model").set_params(device="cpu")
    np.testing.assert_allclose(here.predict_proba(X), clf.predict_proba(X), atol=1e-4)


def test_an_exact_head_is_that_of_the_cpu(network):
    rng = np.random.default_rng(0)
    y = np.arange(200) % 4
    X = rng.poisson(np.where(np.arange(300) // 75 == y[:, None], 3.0, 0.3)).astype(np.float32)
    here, there = (
        GeneGCNClassifier(network, device=device, random_state=0).fit(X[:60], y[:60], unlabelled=X[60:])
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(there.predict_proba(X), here.predict_proba(X), atol=1e-2)
