"""Labels of points that do not overlap, at any size of the figure. Import it where something is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.text import Annotation, Text

from gene_gcn.plots.boxes import separate_boxes

LEADER_FROM = 1.2  # heights of a label; one that is moved farther gets a line to its point


class LabelPlacer(Artist):
    """Keeps labels from overlapping, inside their axes.

    It is drawn before them, when the size of the axes is known.

    Parameters
    ----------
    labels : sequence of matplotlib.text.Annotation
        Of the same axes, centered on their points in data coordinates, with an arrow and
        ``textcoords="offset pixels"``.
    """

    def __init__(self, labels: Sequence[Annotation]):
        super().__init__()
        self.labels = list(labels)
        self.set_in_layout(False)
        self.set_zorder(min(label.get_zorder() for label in labels) - 0.1)

    def draw(self, renderer: RendererBase) -> None:
        """Move the labels."""
        assert isinstance(self.axes, Axes)
        points = self.axes.transData.transform([label.xy for label in self.labels])
        boxes = [Text.get_window_extent(label, renderer) for label in self.labels]  # without the arrow
        gap = 0.15 * np.mean([box.height for box in boxes])
        size = np.array([[box.width, box.height] for box in boxes]) + gap
        page = self.axes.bbox
        moved = separate_boxes(points, size, (np.array(page.min), np.array(page.max))) - points
        for label, offset, (_, height) in zip(self.labels, moved, size, strict=True):
            label.set_position(offset)
            assert label.arrow_patch is not None
            label.arrow_patch.set_visible(bool(np.hypot(*offset) > LEADER_FROM * height))
