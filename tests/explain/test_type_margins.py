"""Margins are differences of the logits with the other genes at the baseline, written out."""

from __future__ import annotations

import numpy as np
import pytest
from explained_cells import TYPES, B, N, small_explanation

from gene_gcn.explain.type_margins import TypeMargins, named_types


def logits_of(explanation, genes):
    """Logits (B, K) of cells whose genes are all at the baseline, but for some."""
    logits, X = explanation.logits, explanation.X.toarray().astype(float)
    found = np.zeros((B, len(TYPES)))
    for group in explanation.groups:
        for cell in group.cells:
            chosen = np.isin(np.arange(N), genes) & group.measured
            deviation = np.where(chosen, X[cell] - group.baseline, 0)
            reached = deviation + group.measured * (logits.adjacency @ deviation)
            found[cell] = logits.of(group.baseline) + reached @ logits.weight
            found[cell] += deviation @ group.missing_weight
    return found


def margins_of(explanation, index):
    named = named_types(explanation.X, explanation.logits, explanation.groups)
    parts = (explanation.X, explanation.logits, explanation.groups, named, index)
    return TypeMargins.of(*parts, np.arange(B)), named


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("genes", [[], [3], [0, 4, 7, 11], range(N)])
def test_margins_are_those_written_out(seed, genes):
    explanation = small_explanation(seed)
    logits = logits_of(explanation, list(genes))
    for index in range(len(TYPES)):
        margins, named = margins_of(explanation, index)
        expected = [
            np.delete(logits[cell, index] - logits[cell], index)
            for group in explanation.groups
            for cell in group.cells
            if named[cell] == index
        ]
        for given in np.delete(range(len(TYPES)), index):
            expected += [
                np.full(2, logits[cell, given] - logits[cell, index])
                for group in explanation.groups
                for cell in group.cells
                if named[cell] == given
            ]
        np.testing.assert_allclose(margins.of_genes(genes), expected, atol=1e-12)
        assert margins.num_cells == B and margins.num_of_type == (named == index).sum()


def test_all_genes_give_the_names_of_the_model():
    for seed in range(5):
        explanation = small_explanation(seed)
        summary = np.stack([explanation.summary(cell)["logit"] for cell in range(B)])
        _, named = margins_of(explanation, 0)
        np.testing.assert_array_equal(named, summary.argmax(axis=1))
        for index in range(len(TYPES)):
            margins, _ = margins_of(explanation, index)
            assert (margins.of_all_genes() > 0).all()
            np.testing.assert_allclose(margins.of_all_genes(), margins.of_genes(range(N)), atol=1e-12)


def test_weighted_sums_and_selections_agree():
    margins, _ = margins_of(small_explanation(), 1)
    weight = np.random.default_rng(0).random((B, 2))
    expected = [(weight * margins.of_gene(gene)).sum() for gene in range(N)]
    np.testing.assert_allclose(margins.weighted(weight), expected, atol=1e-12)
    some = margins.select(np.array([5, 2]))
    np.testing.assert_allclose(some.of_gene(0), margins.of_gene(5))
    np.testing.assert_allclose(some.at_baseline(), margins.at_baseline())


def test_mean_is_that_against_the_strongest_rival():
    explanation = small_explanation(1)
    index = int(margins_of(explanation, 0)[1][0])
    margins, _ = margins_of(explanation, index)
    n = margins.num_of_type
    rival = margins.of_all_genes()[:n].argmin(axis=1)
    expected = [margins.of_gene(gene)[np.arange(n), rival].mean() for gene in range(N)]
    np.testing.assert_allclose(margins.mean_of_type(), expected, atol=1e-12)
