"""What single cells tell of their scale."""

from __future__ import annotations

import numpy as np
import pytest
from example_cells import apply, depth_scaled, make_cells
from scipy import sparse

from gene_gcn.cells.scale import FORWARD, INVERSE
from gene_gcn.cells.scale_evidence import LINEAR_FAMILY, collect_evidence

CANDIDATES = ("cp10k", "log1p", "sqrt", "log2p1", "log10p1")
LARGEST = np.array([2.0**25, 17.3, 5793.0, 25.0, 7.5])


def evidence_of(X):
    return collect_evidence(sparse.csr_matrix(X), [INVERSE[name] for name in CANDIDATES], LARGEST)


def test_multiples_of_the_smallest_value_are_counted():
    evidence = evidence_of(np.float32([[1, 2, 3, 4, 4, 0], [0.5, 1.0, 1.24, 0, 0, 20], [0, 0, 0, 0, 0, 0]]))
    np.testing.assert_array_equal(evidence.seen[0, :, 0], [4, 2, 0])  # 40 is too large, 1 is no multiple
    np.testing.assert_array_equal(evidence.hits[0, :, 0], [4, 1, 0])
    np.testing.assert_array_equal(evidence.different[0, :, 0], [3, 1, 0])
    np.testing.assert_allclose(evidence.totals[:, 0], [14, 22.74, 0], rtol=1e-6)
    np.testing.assert_array_equal(evidence.is_whole, [True, False, True])
    np.testing.assert_array_equal(evidence.is_equal, [False, False, True])


@pytest.mark.parametrize("candidate", range(len(CANDIDATES)))
def test_every_inverse_is_found_and_none_is_wrong(candidate):
    X = apply(FORWARD[CANDIDATES[candidate]], depth_scaled(make_cells(60, 300).X, 1e4))
    sure = evidence_of(X).sure_candidates()
    assert set(sure) <= {-1, candidate} and (sure >= 0).mean() > 0.9


def test_counts_corrected_for_collisions_of_umis_are_nearly_whole():
    """Of 256 barcodes, c that are seen come from -256 log(1 - c / 256) molecules."""
    counts = np.minimum(make_cells(60, 400).X.toarray(), 250)
    corrected = -256 * np.log1p(-counts / 256)
    for candidate, scale in enumerate(CANDIDATES):
        sure = evidence_of(FORWARD[scale](corrected).astype(np.float32)).sure_candidates()
        assert set(sure) <= {-1, candidate} and (sure >= 0).mean() > 0.3


def test_effective_genes_count_equal_values_and_ignore_the_depth():
    X = np.float32([[2, 2, 2, 2, 0], [5, 0, 0, 0, 0], [1, 3, 5, 2, 7]])
    genes = evidence_of(X).effective_genes[:, LINEAR_FAMILY]
    np.testing.assert_allclose(10 ** genes[:2], [4, 1], rtol=1e-5)
    np.testing.assert_allclose(evidence_of(10 * X).effective_genes[:, LINEAR_FAMILY], genes, rtol=1e-5)
    assert (evidence_of(np.log1p(X)).effective_genes[2, 0] > genes[2]).all()  # a logarithm spreads them


def test_cells_that_are_not_sure_are_guessed_by_those_that_are():
    X = make_cells(60, 300).X
    even = np.random.default_rng(0).uniform(1, 2, (3, 300))
    evidence = evidence_of(sparse.vstack([apply(np.log1p, X), even], "csr").astype(np.float32))
    sure = evidence.sure_candidates()
    groups = np.bincount(sure[sure >= 0], minlength=len(CANDIDATES))
    chosen, is_guess = evidence.assign(sure, groups, 20)
    assert (sure[-3:] == -1).all() and (chosen == 1).all()  # logarithms, as all that are sure
    np.testing.assert_array_equal(np.flatnonzero(is_guess), [60, 61, 62])
    groups[2] = 5  # roots are among the others
    chosen, is_guess = evidence.assign(sure, groups, 20)
    assert is_guess[sure < 0].all() and not is_guess[sure >= 0].any() and (chosen[sure >= 0] == 1).all()


def test_values_too_large_for_any_other_candidate_are_linear():
    evidence = evidence_of(np.float32([[6000, 0.3, 1.7], [5000, 0.3, 1.7]]))
    np.testing.assert_array_equal(evidence.is_only_linear, [True, False])
    np.testing.assert_array_equal(evidence.sure_candidates(), [LINEAR_FAMILY, -1])


def test_the_right_inverse_gives_all_cells_one_total():
    tpm = depth_scaled(np.random.default_rng(0).gamma(0.3, 5.0, (40, 400)), 1e6)
    for candidate in (1, 2, 3):
        assert evidence_of(apply(FORWARD[CANDIDATES[candidate]], tpm)).best_total() == candidate
