"""Curves of confidence and errors show what was counted, and tell trustworthy confidence from other."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import binomtest

from gene_gcn.plots import calibration, risk_coverage

CLASSES = ["B", "T"]


def simulated(n=4000, overconfidence=0.0):
    """Return true types and probabilities that are calibrated, or too high."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1, n)
    is_b = rng.random(n) < 0.5
    right = rng.random(n) < p - overconfidence
    true = np.where(right == is_b, "B", "T")
    return true, np.where(is_b, [p, 1 - p], [1 - p, p]).T


def curve(ax) -> tuple[np.ndarray, np.ndarray]:
    return ax.lines[1].get_data()


def test_calibrated_probabilities_lie_on_the_diagonal_and_others_below():
    x, y = curve(calibration(*simulated(), CLASSES))
    assert len(x) == 10 and np.abs(x - y).max() < 0.06
    x, y = curve(calibration(*simulated(overconfidence=0.2), CLASSES))
    assert (x - y).min() > 0.1


def test_intervals_are_wilsons_and_bins_have_enough_cells():
    p = np.array([[0.9, 0.1]] * 25)
    ax = calibration(["B"] * 20 + ["T"] * 5, p, CLASSES)
    (x,), (y,) = curve(ax)
    assert (x, y) == (pytest.approx(0.9), pytest.approx(0.8))
    (segment,) = ax.collections[0].get_segments()
    exact = binomtest(20, 25).proportion_ci(method="wilson")
    np.testing.assert_allclose(segment[:, 1], [exact.low, exact.high], atol=1e-4)
    assert ax.get_title(loc="left") == "Mean confidence 90.0%, accuracy 80.0%"


def test_histogram_shows_where_the_cells_are():
    ax = calibration(["B"] * 30, [[0.93, 0.07]] * 20 + [[0.61, 0.39]] * 10, CLASSES)
    height = {round(bar.get_x(), 3): bar.get_height() for bar in ax.patches if bar.get_height()}
    assert set(height) == {0.6, 0.925} and height[0.925] == pytest.approx(2 * height[0.6])


def test_risk_is_the_error_of_the_most_confident_cells():
    p = [[0.9, 0.1], [0.8, 0.2], [0.8, 0.2], [0.6, 0.4]]
    ax = risk_coverage(["B", "T", "B", "T"], p, CLASSES)
    coverage, risk = curve(ax)
    np.testing.assert_allclose(coverage, [0.25, 0.75, 1])  # equal confidence comes together
    np.testing.assert_allclose(risk, [0, 1 / 3, 1 / 2])
    assert ax.lines[0].get_ydata()[0] == 0.5
    assert ax.get_title(loc="left") == "Errors: 50.0%; more confident half 33.3%"


def test_confidence_that_sorts_errors_starts_low_and_any_other_at_the_mean():
    true, p = simulated()
    coverage, risk = curve(risk_coverage(true, p, CLASSES))
    assert risk[np.searchsorted(coverage, 0.2)] < 0.1 < 0.2 < risk[-1]
    _, flat = curve(risk_coverage(true, np.where(p > 0.5, 0.7, 0.3), CLASSES))
    assert len(flat) == 1 and flat[0] == pytest.approx(risk[-1])


@pytest.mark.parametrize("plot", [calibration, risk_coverage])
def test_types_that_the_classifier_lacks_are_errors(plot):
    ax = plot(["B", "NK"] * 20, [[0.9, 0.1]] * 40, CLASSES)
    assert "50.0%" in ax.get_title(loc="left")


@pytest.mark.parametrize("plot", [calibration, risk_coverage])
def test_given_axes_a_title_and_few_cells(plot):
    ax = Figure().add_subplot()
    assert plot([1], [[0.0, 1.0]], [0, 1], ax=ax, title="mine") is ax
    assert ax.get_title(loc="left") == "mine"
    ax.figure.draw_without_rendering()


@pytest.mark.parametrize(
    ("true", "p", "message"),
    [
        (["B"], [[0.5, 0.5]] * 2, r"shape \(2, 2\); for 1 labels in y_true and 2 classes, it needs"),
        ([], np.empty((0, 2)), "needs a row per label"),
        (["B"], [[2.0, -1.0]], "not probabilities.*clf.predict_proba"),
        (["B"], [[0.9, 0.9]], "not probabilities"),
        (["B"], [[np.nan, 0.5]], "not probabilities"),
    ],
)
def test_what_is_not_a_probability_of_each_type_is_rejected(true, p, message):
    with pytest.raises(ValueError, match=message):
        calibration(true, p, CLASSES)
