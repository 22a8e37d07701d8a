"""Genes that tell types apart are found, and confusions are those of cells."""

from __future__ import annotations

import numpy as np
from summed_cells import TYPES, moments_of

from gene_gcn.training.panel_genes import add_genes, expected_confusion, with_further_confusion

N = 30


def draw(n, seed):
    """Genes 0 and 1 set type 0 apart, gene 20 types 1 and 2; others say nothing."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % TYPES
    X = rng.normal(5, 1, (n, N))
    X[:, 0] += 3 * (y == 0)
    X[:, 1] = X[:, 0] + 0.1 * rng.normal(size=n)  # the same again
    X[:, 20] += 2 * (y == 1)
    return X.astype(np.float32), y


def test_the_gene_that_a_panel_lacks_comes_first_and_its_twin_of_another_does_not():
    moments = moments_of(*draw(600, 0), rank=5)
    present = np.zeros(N, bool)
    present[[0, 5, 6]] = True
    genes, confused = add_genes(moments, present, 3)
    assert genes[0] == 20 and 1 not in genes[:1]
    assert len(confused) == 4 and (np.diff(confused) <= 0).all()
    assert confused[1] < confused[0] - 0.1
    assert not present[genes].any() and len(set(genes)) == 3


def test_there_are_no_more_genes_than_the_model_has():
    moments = moments_of(*draw(60, 0), rank=5)
    present = np.ones(N, bool)
    present[3] = False
    genes, confused = add_genes(moments, present, 10)
    assert genes.tolist() == [3] and len(confused) == 2


def test_expected_confusion_is_that_of_new_cells():
    moments = moments_of(*draw(600, 0), rank=5)
    X, y = draw(6000, 1)
    rng = np.random.default_rng(0)
    weight = (moments.means() - moments.means().mean(0)).T + 0.1 * rng.normal(size=(N, TYPES))
    bias = -(np.square(moments.means()).sum(1) - np.square(moments.means().mean(0)).sum()) / 2
    expected = expected_confusion(moments, weight, bias, scales_depth=False)
    called = (X @ weight + bias).argmax(1)
    measured = np.array([np.bincount(called[y == k], minlength=TYPES) / (y == k).sum() for k in range(TYPES)])
    np.testing.assert_allclose(expected.sum(1), 1)
    np.testing.assert_allclose(expected, measured, atol=0.08)


def test_what_is_confused_with_all_genes_is_confused_by_a_panel():
    every, panel = np.eye(3), np.array([[0.8, 0.2, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    held_out = np.array([[50, 0, 45], [0, 95, 0], [0, 0, 0]])
    found = with_further_confusion(panel, every, held_out)
    np.testing.assert_allclose(found.sum(1), 1)
    np.testing.assert_allclose(found[0], [0.8 * 0.55, 0.2, 0.8 * 0.45], atol=1e-6)
    np.testing.assert_allclose(found[1:], panel[1:], atol=1e-6)
    np.testing.assert_allclose(with_further_confusion(every, every, 0 * held_out), every, atol=1e-6)
