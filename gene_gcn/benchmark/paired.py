"""Paired comparison of two methods on the same splits."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

MIN_PAIRS = 5  # fewer pairs give no verdict


def paired_test(differences: np.ndarray) -> dict[str, Any]:
    """Test whether the mean of paired differences is zero.

    Parameters
    ----------
    differences : ndarray, shape (n,)

    Returns
    -------
    dict
        "pairs" (n), "difference" (the mean), "low" and "high" (its 95 % interval by Student's t), "p_t" and
        "p_wilcoxon", and "verdict": "holds" above zero, "the opposite" below, "not shown" where the interval
        includes zero, "too few pairs" for fewer than five.
    """
    n, mean = len(differences), float(np.mean(differences))
    low, high, p_t, p_wilcoxon = mean, mean, float("nan"), float("nan")
    if n < 2:
        low = high = float("nan")
    elif np.ptp(differences) > 1e-9:  # else there is no variance to test against
        t = stats.ttest_1samp(differences, 0)
        (low, high), p_t = t.confidence_interval(), float(t.pvalue)
        p_wilcoxon = float(stats.wilcoxon(differences, zero_method="zsplit").pvalue)
    verdict = "holds" if low > 0 else "the opposite" if high < 0 else "not shown"
    if n < MIN_PAIRS:
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
