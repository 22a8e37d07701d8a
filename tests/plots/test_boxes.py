"""Boxes are moved apart, as little as needed and inside the page."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from gene_gcn.plots.boxes import keep_apart, separate_boxes


def test_boxes_at_the_same_place_are_separated():
    moved = separate_boxes(np.zeros((4, 2)), np.ones((4, 2)))
    distance = np.abs(moved[:, None] - moved[None]).max(axis=2)
    assert (distance[~np.eye(4, dtype=bool)] > 0.99).all()


def test_boxes_that_do_not_overlap_stay():
    far = np.array([[0.0, 0.0], [5.0, 5.0]])
    np.testing.assert_array_equal(separate_boxes(far, np.ones((2, 2))), far)


def test_boxes_stay_inside_the_page():
    corner = np.full((5, 2), 10.0)
    moved = separate_boxes(corner, np.ones((5, 2)), (np.zeros(2), np.full(2, 10.0)))
    assert moved.min() >= 0.5 and moved.max() <= 9.5
    distance = np.abs(moved[:, None] - moved[None]).max(axis=2)
    assert (distance[~np.eye(5, dtype=bool)] > 0.95).all()


@pytest.mark.parametrize("inches", [(8, 8), (4, 3)])
def test_labels_are_apart_after_the_figure_was_resized_and_far_ones_have_a_line(inches):
    figure = Figure(figsize=(20, 20))
    ax = figure.add_subplot()
    arrow = {"arrowstyle": "-"}
    labels = [
        ax.annotate(f"label {i}", (0.5, 0.5), (0, 0), textcoords="offset pixels", ha="center", va="center",
                    arrowprops=dict(arrow))
        for i in range(9)
    ]  # fmt: skip
    far = ax.annotate("far", (0.1, 0.1), (0, 0), textcoords="offset pixels", ha="center", va="center",
                      arrowprops=arrow)  # fmt: skip
    keep_apart(ax, [*labels, far])
    figure.draw_without_rendering()
    figure.set_size_inches(inches)
    figure.draw_without_rendering()
    boxes = [super(type(label), label).get_window_extent() for label in labels]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    assert any(label.arrow_patch.get_visible() for label in labels) and not far.arrow_patch.get_visible()
