"""Flows hold every cell once, show what changed, and are legible with many types."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from gene_gcn.plots import label_flow
from gene_gcn.plots.label_flow import SAME, SMALL, _apart
from gene_gcn.plots.types import PALETTE

OLD = ["B"] * 4 + ["T"] * 6
NEW = ["B"] * 4 + ["T"] * 4 + ["NK"] * 2


def flows(ax) -> list[tuple[str, float]]:
    """Return the color of each flow and its height at the left, in units of cells' heights."""
    bands = ax.collections[0]
    heights = [np.ptp(path.vertices[path.vertices[:, 0] == 0, 1]) for path in bands.get_paths()]
    return [(to_hex(color), h) for color, h in zip(bands.get_facecolors(), heights, strict=True)]


def labels(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_changes_are_colored_and_the_rest_is_gray():
    ax = label_flow(OLD, NEW)
    (color, height), *same = sorted(flows(ax), key=lambda flow: flow[0] == SAME)
    assert color == PALETTE[1] and [gray for gray, _ in same] == [
        SAME,
        SAME,
    ]
    assert sorted(h / height for _, h in same) == pytest.approx([2, 2])
    assert set(labels(ax)) == {"B  (4)", "T  (6)", "T  (4)", "NK  (2)", "old", "new"}
    assert ax.get_title(loc="left") == "10 cells, 20.0% with another label"


def test_clusters_and_types_have_flows_in_the_colors_of_the_clusters():
    ax = label_flow([0, 0, 1, 1, 1], ["B", "B", "T", "T", "T"], names=("leiden", "type"), title="mine")
    assert {color for color, _ in flows(ax)} == set(PALETTE[:2])
    assert {"leiden", "type"} < set(labels(ax)) and ax.get_title(loc="left") == "mine"
    assert label_flow([0, 1], ["B", "T"]).get_title(loc="left") == "2 cells"


def test_every_cell_is_in_a_flow():
    rng = np.random.default_rng(0)
    old, new = rng.choice(list("abcdef"), 500), rng.choice(list("abcdef"), 500)
    ax = label_flow(old, new)
    heights = sum(height for _, height in flows(ax))
    bars = [bar for bar in ax.patches if bar.get_x() < 0]
    assert heights == pytest.approx(sum(bar.get_height() for bar in bars)) and len(bars) == 6
    assert len(flows(ax)) == len(set(zip(old, new, strict=True)))


def test_small_flows_are_gray_and_small_types_are_drawn_together():
    old = ["A"] * 1000 + ["B"] * 1000 + ["x", "y"]
    new = ["A"] * 999 + ["B"] * 1001 + ["A", "A"]
    ax = label_flow(old, new)
    assert SMALL in {color for color, _ in flows(ax)}
    assert "other (2 types)  (2)" in labels(ax) and not any(text.startswith("x") for text in labels(ax))


def test_permuted_clusters_are_ordered_so_that_no_flows_cross():
    rng = np.random.default_rng(1)
    old = np.repeat(np.arange(12), rng.integers(20, 60, 12))
    ax = label_flow([f"cluster {i}" for i in old], [f"type {(7 * i) % 12}" for i in old])
    for path in ax.collections[0].get_paths():
        left, right = (path.vertices[path.vertices[:, 0] == x, 1].min() for x in (0, 1))
        assert left == pytest.approx(right)


@pytest.mark.parametrize("n_types", [3, 10, 32])
def test_names_do_not_overlap(n_types):
    rng = np.random.default_rng(0)
    types = np.array([f"CD{i}+ naive cytotoxic T" for i in range(n_types)])
    old = rng.choice(types, 2000, p=rng.dirichlet(np.full(n_types, 0.7)))
    ax = label_flow(old, np.where(rng.random(2000) < 0.8, old, rng.choice(types, 2000)))
    ax.figure.draw_without_rendering()
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    page = ax.figure.bbox
    assert all(page.x0 <= box.x0 and box.x1 <= page.x1 for box in boxes)


def test_places_move_as_little_as_needed():
    np.testing.assert_allclose(_apart(np.array([0.1, 0.5, 0.9]), 0.2), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(_apart(np.array([0.5, 0.5]), 0.2), [0.4, 0.6])
    np.testing.assert_allclose(_apart(np.array([0.95, 0.99, 1.0]), 0.2), [0.6, 0.8, 1.0])


def test_given_axes_are_used():
    ax = Figure().add_subplot()
    assert label_flow(OLD, NEW, ax=ax) is ax and ax.collections


def test_missing_labels_are_unassigned():
    assert {"unassigned  (1)", "B  (1)"} <= set(labels(label_flow(["B", None], ["B", np.nan])))


def test_labels_of_different_cells_are_rejected():
    with pytest.raises(ValueError, match="old has 10 labels and new has 9; both need one label per cell"):
        label_flow(OLD, NEW[:-1])
    with pytest.raises(ValueError, match="both need one label per cell"):
        label_flow([], [])
    with pytest.raises(ValueError, match=r"names=\('a',\) must be two"):
        label_flow(OLD, NEW, names=("a",))
