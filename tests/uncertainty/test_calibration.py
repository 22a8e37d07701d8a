"""The expected calibration error, by hand and of calibrated cells."""

from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.uncertainty import calibration_error


def test_by_hand():
    correct = np.array([True, False, True, True])
    confidence = np.array([0.9, 0.9, 0.6, 0.0])  # bins (0.8, 1], (0.6, 0.8] …; 0 is in the first
    expected = (2 * abs(0.5 - 0.9) + abs(1 - 0.6) + abs(1 - 0.0)) / 4
    assert calibration_error(correct, confidence, n_bins=5) == pytest.approx(expected)


def test_calibrated_cells_have_none():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 200_000)
    correct = rng.uniform(size=len(confidence)) < confidence
    assert calibration_error(correct, confidence) < 0.005
    assert calibration_error(correct, np.ones(len(correct))) == pytest.approx(1 - correct.mean())
