"""GeneAutoEncoder: learns to give back its input, and hands its encoder to a head."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from gene_gcn.nn import GeneAutoEncoder, GeneGCN


@pytest.fixture
def cells():
    """Cells (60, 20) of three programmes of genes."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(60, 3, generator=generator) @ torch.rand(3, 20, generator=generator)


@pytest.mark.parametrize("hidden", [(8, 4), (5,), (9, 7, 3)])
def test_shapes_are_a_mirror_image(cells, hidden):
    autoencoder = GeneAutoEncoder(20, hidden)
    assert autoencoder(cells).shape == (60, 20)
    assert autoencoder.encoder(cells).shape == (60, hidden[-1])
    encoder = [tuple(lin.weight.shape) for lin in autoencoder.encoder.lins]
    decoder = [tuple(lin.weight.shape) for lin in autoencoder.decoder.lins]
    assert decoder == [shape[::-1] for shape in encoder[::-1]]


def test_training_reduces_the_error(cells):
    autoencoder = GeneAutoEncoder(20, (8, 4))
    autoencoder.load_state_dict(constant_start(autoencoder))
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=0.01)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        losses.append(F.mse_loss(autoencoder(cells), cells))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.2 * losses[0]
    assert losses[-1] < cells.var(0, correction=0).mean()  # better than the mean of every gene


def constant_start(autoencoder):
    generator = torch.Generator().manual_seed(1)
    return {
        name: torch.randn(value.shape, generator=generator) * 0.3
        if name.endswith("weight")
        else torch.zeros(value.shape)
        for name, value in autoencoder.state_dict().items()
    }


@pytest.mark.parametrize("channels, hidden", [(1, (8, 4)), (2, (8, 4)), (1, (6,))])
def test_initialize_gives_the_encoder_to_the_hidden_layers(channels, hidden):
    model = GeneGCN(20, 3, channels, hidden_channels=hidden).eval()
    autoencoder = GeneAutoEncoder(20 * channels, hidden).eval()
    last = model.head.lins[-1].weight.clone()
    autoencoder.initialize(model.head)
    for ours, theirs in zip(autoencoder.encoder.lins, model.head.lins, strict=False):
        assert torch.equal(ours.weight, theirs.weight) and torch.equal(ours.bias, theirs.bias)
    assert torch.equal(model.head.lins[-1].weight, last)
    x = torch.rand(5, 20 * channels)
    torch.testing.assert_close(model.head(x), model.head.lins[-1](autoencoder.encoder(x)))


def test_the_head_gets_copies(cells):
    model, autoencoder = GeneGCN(20, 3, hidden_channels=(8, 4)), GeneAutoEncoder(20, (8, 4))
    autoencoder.initialize(model.head)
    model.head.lins[0].weight.data.zero_()
    assert autoencoder.encoder.lins[0].weight.any()
    assert all(parameter.requires_grad for parameter in model.head.parameters())


@pytest.mark.parametrize("genes, hidden", [(20, (8, 5)), (20, (8,)), (20, (8, 4, 2)), (21, (8, 4))])
def test_a_head_of_other_widths_is_refused(genes, hidden):
    model = GeneGCN(genes, 3, hidden_channels=hidden)
    before = model.head.lins[0].weight.clone()
    with pytest.raises(ValueError, match=rf"layers of \[20, 8, 4\], the head \[{genes}, 8.*build them alike"):
        GeneAutoEncoder(20, (8, 4)).initialize(model.head)
    assert torch.equal(model.head.lins[0].weight, before)
