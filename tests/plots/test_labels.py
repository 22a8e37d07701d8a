"""Labels are apart whenever the figure is drawn, at any size."""

from __future__ import annotations

import pickle

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from gene_gcn.plots.labels import LabelPlacer


@pytest.fixture
def figure():
    """Nine labels at one place, and one far from them."""
    figure = Figure(figsize=(20, 20))
    ax = figure.add_subplot()
    options = {"xytext": (0, 0), "textcoords": "offset pixels", "ha": "center", "va": "center"}
    points = [*((0.5, 0.5) for _ in range(9)), (0.1, 0.1)]
    labels = [
        ax.annotate(f"label {i}", point, arrowprops={"arrowstyle": "-"}, **options)
        for i, point in enumerate(points)
    ]
    ax.add_artist(LabelPlacer(labels))
    return figure


def boxes(figure):
    figure.draw_without_rendering()
    return [Text.get_window_extent(text) for text in figure.axes[0].texts]


@pytest.mark.parametrize("inches", [(20, 20), (8, 8), (4, 3)])
def test_labels_are_apart_after_the_figure_was_resized(figure, inches):
    boxes(figure)
    figure.set_size_inches(inches)
    drawn = boxes(figure)
    assert not any(one.overlaps(other) for i, one in enumerate(drawn) for other in drawn[:i])


def test_labels_that_were_moved_far_have_a_line_to_their_point(figure):
    boxes(figure)
    *moved, alone = figure.axes[0].texts
    assert any(label.arrow_patch.get_visible() for label in moved)
    assert not alone.arrow_patch.get_visible() and tuple(alone.get_position()) == (0, 0)


def test_figures_can_be_pickled(figure):
    assert len(boxes(pickle.loads(pickle.dumps(figure)))) == 10
