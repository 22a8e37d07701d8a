"""Tests of two methods on the same splits."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

FEWEST_PAIRS = 5  # of which a test may say something


def paired(differences: np.ndarray) -> dict[str, Any]:
    """Mean of paired differences with its 95 % interval and the p values of two tests that it is zero."""
    n, mean = len(differences), float(np.mean(differences))
    low, high, p_t, p_wilcoxon = mean, mean, float("nan"), float("nan")
    if n < 2:
        low = high = float("nan")
    elif np.ptp(differences) > 1e-9:  # else there is no spread to compare with
        t = stats.ttest_1samp(differences, 0)
        (low, high), p_t = t.confidence_interval(), float(t.pvalue)
        p_wilcoxon = float(stats.wilcoxon(differences, zero_method="zsplit").pvalue)
    verdict = "holds" if low > 0 else "the opposite" if high < 0 else "not shown"
    if n < FEWEST_PAIRS:
        verdict = "too few pairs"
    return {
        "pairs": n,
        "difference": mean,
        "low": float(low),
        "high": float(high),
        "p_t": p_t,
        "p_wilcoxon": p_wilcoxon,
        "verdict": verdict,
    }
