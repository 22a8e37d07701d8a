"""Boxes are moved apart, as little as needed and inside the page."""

from __future__ import annotations

import numpy as np

from gene_gcn.plots.boxes import separate_boxes


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
