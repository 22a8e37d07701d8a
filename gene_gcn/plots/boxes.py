"""Boxes of texts are moved apart, as little as needed."""

from __future__ import annotations

import numpy as np

MAX_STEPS = 500


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
