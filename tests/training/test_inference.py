from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from layer_reference import LargestTensor
from scipy import sparse
from training_cells import K, autoencoder_of, dataset, make_cells, model_of, network, same_weights

from gene_gcn.training.data import CellDataset
from gene_gcn.training.gradient import train
from gene_gcn.training.inference import BATCH, encode, predict_logits
from gene_gcn.training.options import TrainingOptions


def test_codes_are_those_of_the_encoder():
    X, _ = make_cells(BATCH + 20)
    autoencoder = autoencoder_of()
    with torch.no_grad():
        expected = autoencoder.encoder(torch.from_numpy(X.toarray()))
    torch.testing.assert_close(encode(autoencoder, CellDataset(X, group=False)), expected)


@pytest.mark.parametrize("channels", [1, 4])
def test_predictions_do_not_depend_on_the_batch(channels):
    X, _ = make_cells(BATCH + 40)
    model = model_of(channels)
    with torch.no_grad():
        model.gene_vectors is not None and model.gene_vectors.mul_(2)
    together = predict_logits(model, CellDataset(X, channels=channels), network())
    assert together.shape == (BATCH + 40, K)
    order = np.random.default_rng(0).permutation(X.shape[0])
    torch.testing.assert_close(
        predict_logits(model, CellDataset(X[order], channels=channels), network()), together[order]
    )
    for cell in (0, 17, BATCH + 39):
        alone = CellDataset(X[cell], channels=channels)
        torch.testing.assert_close(predict_logits(model, alone, network()), together[[cell]])
    ungrouped = CellDataset(X, channels=channels, group=False)
    torch.testing.assert_close(predict_logits(model, ungrouped, network()), together)


def test_predicting_leaves_the_model_as_it_was_and_out_of_training():
    model = model_of(dropout=0.5).train()
    before = copy.deepcopy(model)
    first = predict_logits(model, dataset())
    assert torch.equal(first, predict_logits(model, dataset()))
    assert not first.requires_grad and same_weights(model, before)


def test_cells_are_never_dense_as_a_whole(monkeypatch):
    """A table of 2,000 cells × 20,000 genes would be 160 MB; a batch of predictions is 20 MB."""
    monkeypatch.setattr("gene_gcn.training.gradient.SAMPLE_VALUES", 2**20)  # else all of these are the sample
    monkeypatch.setattr("gene_gcn.training.tasks.LARGEST_KEPT_BLOCK", 0)  # which holds no cells
    X = sparse.random(2000, 20_000, density=0.002, format="csr", dtype=np.float32, random_state=0)
    model = model_of(genes=20_000, num_layers=0)
    with LargestTensor() as seen:
        cells = CellDataset(X, np.arange(2000) % K)
        train(model, cells, cells, options=TrainingOptions(head_init="random", max_epochs=1))
        predict_logits(model, cells)
    assert seen.entries == BATCH * 20_000
