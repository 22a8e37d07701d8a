"""Paired tests against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gene_gcn.benchmark.paired import paired_test


def test_paired_tests_against_scipy():
    better, worse = np.array([0.7, 0.8, 0.75, 0.9, 0.85]), np.array([0.6, 0.72, 0.7, 0.8, 0.82])
    found = paired_test(better - worse)
    t = stats.ttest_rel(better, worse)
    assert found["p_t"] == pytest.approx(t.pvalue) and found["pairs"] == 5
    assert [found["low"], found["high"]] == pytest.approx(list(t.confidence_interval()))
    assert found["difference"] == pytest.approx((better - worse).mean()) and found["verdict"] == "holds"
    assert paired_test(worse - better)["verdict"] == "the opposite"
    assert paired_test(np.array([0.1, -0.1, 0.02, 0.05, -0.03]))["verdict"] == "not shown"
    assert paired_test(np.zeros(5))["verdict"] == "not shown"
    for few in (better[:4], better[:1]):
        assert paired_test(few)["verdict"] == "too few pairs"
