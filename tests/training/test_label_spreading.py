"""Types spread from labeled cells to their neighbors."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.semi_supervised import LabelSpreading

from gene_gcn.training.label_spreading import spread_labels


def two_clouds(n=40):
    rng = np.random.default_rng(0)
    types = np.arange(2 * n) % 2
    return torch.tensor(rng.normal(size=(2 * n, 3)) + 6 * types[:, None], dtype=torch.float32), types


def test_labels_reach_the_cloud_that_they_are_in():
    codes, types = two_clouds()
    target = torch.eye(2)[types[:4]]
    spread = spread_labels(codes, target, torch.full((len(codes) - 4, 2), 0.5))
    torch.testing.assert_close(spread.sum(1), torch.ones(len(codes)))
    assert torch.equal(spread[:4], target)
    assert (spread.argmax(1).numpy() == types).all()
    reference = LabelSpreading(kernel="knn", n_neighbors=15).fit(
        codes.numpy(), np.where(np.arange(len(types)) < 4, types, -1)
    )
    assert (spread.argmax(1).numpy() == reference.transduction_).all()


def test_neighbors_correct_a_wrong_first_guess():
    codes, types = two_clouds()
    guess = (4 * torch.eye(2)[types[2:]]).softmax(1)
    guess[-1] = guess[-1].flip(0) / 8 + 7 / 16
    spread = spread_labels(codes, torch.eye(2)[types[:2]], guess)
    assert guess[-1].argmax() != types[-1] and spread[-1].argmax() == types[-1]
