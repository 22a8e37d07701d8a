"""Cells that say little get the prior, all others keep their probabilities to the bit."""

from __future__ import annotations

import numpy as np
from example_cells import make_cells
from scipy import sparse

from gene_gcn.cells import Normalizer, read_expression
from gene_gcn.estimators.evidence import Evidence, class_prior


def test_priors():
    target = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(class_prior(target, None), [0.75, 0.25])
    np.testing.assert_allclose(class_prior(target, np.array([4 / 6, 2.0])), [0.5, 0.5])  # balanced


def test_few_genes_draw_towards_the_prior():
    prior = np.array([0.5, 0.5])
    probability = np.tile(np.float32([0.98, 0.02]), (4, 1))
    shrunk = Evidence(np.array([0, 2, 10, 700]), 10.0).shrink(probability, prior)
    np.testing.assert_allclose(shrunk[:, 0], [0.5, 0.2 * 0.98 + 0.8 * 0.5, 0.98, 0.98])
    assert shrunk.dtype == probability.dtype and (shrunk[2:] == probability[2:]).all()
    assert Evidence(np.array([10, 700]), 10.0).shrink(probability, prior) is probability


def test_what_is_enough_depends_on_the_genes_that_are_measured():
    adata = make_cells(60, 800)
    expression = read_expression(adata)
    normalizer = Normalizer.fit(expression)
    matrix = normalizer.transform(expression)
    everything = np.ones(800, bool)
    evidence = Evidence.of(matrix, normalizer, everything)
    assert evidence.enough == 10 and not evidence.is_empty.any()
    assert Evidence.of(matrix, normalizer, np.arange(800) < 20).enough == 1
    empty = Evidence.of(sparse.csr_matrix((3, 800), dtype=np.float32), normalizer, everything)
    assert empty.is_empty.all()


def test_zero_is_a_value_of_scaled_data():
    X = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    X[3] = 0
    normalizer = Normalizer.fit(read_expression(X))
    evidence = Evidence.of(sparse.csr_matrix(X), normalizer, np.ones(5, bool))
    assert not evidence.is_empty.any()
    probability = np.full((30, 2), 0.5, np.float32)
    assert evidence.shrink(probability, np.array([0.1, 0.9])) is probability
