"""Texts that do not overlap: boxes are moved apart, as little as needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.text import Annotation

MAX_STEPS = 500
LEADER_FROM = 1.2  # heights of a label; one that is moved farther gets a line to its point


def separate_boxes(
    points: np.ndarray, size: np.ndarray, bounds: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
    """Move boxes until none overlaps another.

    Parameters
    ----------
    points : array, shape (n, 2)
        Centers of the boxes.
    size : array, shape (n, 2)
        Their widths and heights.
    bounds : pair of arrays, shape (2,), optional
        Lower left and upper right corner of the page, which the boxes do not leave.

    Returns
    -------
    array, shape (n, 2)
        The moved centers. If the page is too small for all boxes, some still overlap.
    """
    points = _clip(points.copy(), size, bounds)
    required = (size[:, None] + size[None]) / 2  # (n, n, 2)
    others = ~np.eye(len(points), dtype=bool)
    order = np.sign(np.subtract.outer(np.arange(len(points)), np.arange(len(points))))
    for _ in range(MAX_STEPS):
        distance = points[:, None] - points[None]
        overlap = required - np.abs(distance)
        overlapping = (overlap > 0).all(axis=2) & others
        if not overlapping.any():
            break
        # Along the axis that needs the smaller move; of two at the same place, the later one moves right.
        direction = np.where(distance != 0, np.sign(distance), order[..., None])
        by_x = overlap[..., 0] < overlap[..., 1]
        moved = np.stack([by_x, ~by_x], axis=2) & overlapping[..., None]
        points = _clip(points + 0.3 * np.where(moved, direction * overlap, 0).sum(axis=1), size, bounds)
    return points


def _clip(points: np.ndarray, size: np.ndarray, bounds: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    if bounds is None:
        return points
    low, high = bounds[0] + size / 2, bounds[1] - size / 2
    return np.clip(points, np.minimum(low, high), np.maximum(low, high))


def keep_apart(ax: Axes, labels: Sequence[Annotation]) -> None:
    """Keep labels from overlapping whenever the figure is drawn, at any size, inside the axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    labels : sequence of matplotlib.text.Annotation
        Centered on their points in data coordinates, with arrows; ``textcoords="offset pixels"``.
    """
    from matplotlib.artist import Artist

    class Placer(Artist):
        """Moves the labels; it is drawn before them, when the size of the axes is known."""

        def draw(self, renderer: RendererBase) -> None:
            _place(ax, labels, renderer)

    placer = Placer()
    placer.set_in_layout(False)
    placer.set_zorder(min(label.get_zorder() for label in labels) - 0.1)
    ax.add_artist(placer)


def _place(ax: Axes, labels: Sequence[Annotation], renderer: RendererBase) -> None:
    from matplotlib.text import Text

    points = ax.transData.transform([label.xy for label in labels])
    boxes = [Text.get_window_extent(label, renderer) for label in labels]  # without the arrow
    gap = 0.15 * np.mean([box.height for box in boxes])
    size = np.array([[box.width, box.height] for box in boxes]) + gap
    moved = separate_boxes(points, size, (np.array(ax.bbox.min), np.array(ax.bbox.max))) - points
    for label, offset, (_, height) in zip(labels, moved, size, strict=True):
        label.set_position(offset)
        assert label.arrow_patch is not None
        label.arrow_patch.set_visible(bool(np.hypot(*offset) > LEADER_FROM * height))
