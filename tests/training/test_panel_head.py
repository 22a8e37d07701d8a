"""Heads refitted to some of the genes, from moments alone."""

from __future__ import annotations

import numpy as np
import torch
from summed_cells import TYPES, moments_of

from gene_gcn.training.panel_head import IMPUTED_WEIGHT, HeadRefit, draw_training

N = 50
PRIOR = np.full(TYPES, 1 / TYPES)


def draw(n, seed):
    rate = np.random.default_rng(0).gamma(1.0, 2.0, (TYPES, N))
    y = np.arange(n) % TYPES
    counts = np.random.default_rng(seed).poisson(rate[y])
    return np.sqrt(100 * counts / counts.sum(1, keepdims=True)).astype(np.float32), y


def test_drawn_cells_have_one_depth_and_types_count_by_the_prior():
    moments = moments_of(*draw(90, 0), rank=20)
    prior = np.array([0.5, 0.25, 0.25])
    X, y, class_weight = draw_training(moments, prior, True, 0)
    np.testing.assert_allclose(np.square(X).sum(1), 100, rtol=1e-3)
    counted = class_weight.numpy() * np.bincount(y)
    np.testing.assert_allclose(counted / counted.sum(), prior, rtol=1e-5)


def test_refitted_head_classifies_by_the_genes_that_are_there():
    moments = moments_of(*draw(90, 0), rank=20)
    present = torch.arange(N) < 10
    nothing = torch.zeros(N, TYPES), torch.zeros(TYPES)
    weight, bias = HeadRefit(PRIOR).head(moments, present, nothing)
    X, y = draw(600, 1)
    called = (X[:, :10] @ weight[:10].numpy() + bias.numpy()).argmax(1)
    assert not weight[10:].any() and (called == y).mean() > 0.8


def test_with_all_genes_the_given_head_counts_alone():
    moments = moments_of(*draw(90, 0), rank=20)
    given = torch.randn(N, TYPES, generator=torch.Generator().manual_seed(0)), torch.arange(3.0)
    weight, bias = HeadRefit(PRIOR).head(moments, torch.ones(N, dtype=torch.bool), given)
    torch.testing.assert_close(weight, given[0])
    torch.testing.assert_close(bias, given[1])
    one = torch.arange(N) < 1  # of a given head, hardly more than its least weight stays
    zeros = torch.zeros(N, TYPES), torch.zeros(TYPES)
    refit = HeadRefit(PRIOR)
    difference = refit.head(moments, one, given)[1] - refit.head(moments, one, zeros)[1]
    least = IMPUTED_WEIGHT + (1 - IMPUTED_WEIGHT) / N
    torch.testing.assert_close(difference, least * given[1], rtol=1e-4, atol=1e-4)
