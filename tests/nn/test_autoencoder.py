"""GeneAutoEncoder: learns to reconstruct its input, and initializes a head with its encoder."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from gene_gcn.nn import GeneAutoEncoder, GeneGCN


@pytest.fixture
def cells():
    """Cells (60, 20) with three gene programs."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(60, 3, generator=generator) @ torch.rand(3, 20, generator=generator)


@pytest.mark.parametrize("hidden", [(8, 4), (5,), (9, 7, 3)])
def test_decoder_mirrors_the_encoder(cells, hidden):
    autoencoder = GeneAutoEncoder(20, hidden)
    assert autoencoder(cells).shape == (60, 20)
    assert autoencoder.encoder(cells).shape == (60, hidden[-1])
    encoder = [tuple(lin.weight.shape) for lin in autoencoder.encoder.lins]
    decoder = [tuple(lin.weight.shape) for lin in autoencoder.decoder.lins]
    assert decoder == [shape[::-1] for shape in encoder[::-1]]


def test_training_reduces_the_error(cells):
    autoencoder = GeneAutoEncoder(20, (8, 4))
    autoencoder.load_state_dict(fixed_weights(autoencoder))
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=0.01)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        losses.append(F.mse_loss(autoencoder(cells), cells))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.2 * losses[0]
    assert losses[-1] < cells.var(0, correction=0).mean()  # better than the mean of every gene


def fixed_weights(autoencoder):
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(value.shape, generator=generator) * 0.3
        if name.endswith("weight")
        else torch.zeros(value.shape)
        for name, value in autoencoder.state_dict().items()
    }


@pytest.mark.parametrize(("channels", "hidden"), [(1, (8, 4)), (2, (8, 4)), (1, (6,))])
def test_initialize_copies_the_encoder_into_the_hidden_layers(channels, hidden):
    model = GeneGCN(20, 3, channels, hidden_channels=hidden).eval()
    autoencoder = GeneAutoEncoder(20 * channels, hidden).eval()
    last = model.head.lins[-1].weight.clone()
    autoencoder.initialize(model.head)
    for source, target in zip(autoencoder.encoder.lins, model.head.lins, strict=False):
        assert torch.equal(source.weight, target.weight) and torch.equal(source.bias, target.bias)
    assert torch.equal(model.head.lins[-1].weight, last)
    x = torch.rand(5, 20 * channels)
    torch.testing.assert_close(model.head(x), model.head.lins[-1](autoencoder.encoder(x)))


def test_head_gets_copies_of_the_weights(cells):
    model, autoencoder = GeneGCN(20, 3, hidden_channels=(8, 4)), GeneAutoEncoder(20, (8, 4))
    autoencoder.initialize(model.head)
    model.head.lins[0].weight.data.zero_()
    assert autoencoder.encoder.lins[0].weight.any()
    assert all(parameter.requires_grad for parameter in model.head.parameters())


@pytest.mark.parametrize(("genes", "hidden"), [(20, (8, 5)), (20, (8,)), (20, (8, 4, 2)), (21, (8, 4))])
def test_head_with_other_widths_is_rejected(genes, hidden):
    model = GeneGCN(genes, 3, hidden_channels=hidden)
    before = model.head.lins[0].weight.clone()
    with pytest.raises(ValueError, match=rf"widths \[{genes}, 8.* encoder has \[20, 8, 4\].*the same widths"):
        GeneAutoEncoder(20, (8, 4)).initialize(model.head)
    assert torch.equal(model.head.lins[0].weight, before)
