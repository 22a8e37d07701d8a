"""The confusion matrix shows the right numbers, is legible, and does not use pyplot."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

from gene_gcn.plots import confusion_matrix, save_figure

TRUE = ["B", "B", "B", "T", "T", "NK"]
PRED = ["B", "B", "T", "T", "T", "T"]


def names(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def shown(ax) -> dict[tuple[str, str], int]:
    """Return the counts written into the squares, by true and predicted type."""
    columns, rows = names(ax.xaxis), [name.rsplit("  (", 1)[0] for name in names(ax.yaxis)]
    squares = [(text.get_position(), text.get_text()) for text in ax.texts]
    return {(rows[y], columns[x]): int(text.replace(",", "")) for (x, y), text in squares}


def test_counts_and_shares():
    ax = confusion_matrix(TRUE, PRED)
    assert shown(ax) == {("B", "B"): 2, ("B", "T"): 1, ("T", "T"): 2, ("NK", "T"): 1}
    share = np.asarray(ax.images[0].get_array())
    assert share.sum(axis=1) == pytest.approx(1) and share.max() == 1
    assert "6 cells" in ax.get_title(loc="left") and "66.7% classified correctly" in ax.get_title(loc="left")


def test_rows_show_the_number_of_cells_and_columns_have_the_same_order():
    ax = confusion_matrix(TRUE, PRED, labels=["T", "B", "NK"], title="mine")
    assert names(ax.yaxis) == ["T  (2)", "B  (3)", "NK  (1)"] and names(ax.xaxis) == ["T", "B", "NK"]
    assert ax.get_title(loc="left") == "mine"


def test_types_mistaken_for_each_other_are_neighbors():
    rng = np.random.default_rng(0)
    pairs = [("T1", "T2"), ("B1", "B2"), ("M1", "M2")]
    true = rng.choice([name for pair in pairs for name in pair], 600)
    twin = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    pred = np.where(rng.random(600) < 0.3, [twin[name] for name in true], true)
    order = names(confusion_matrix(true, pred).xaxis)
    assert all(abs(order.index(a) - order.index(b)) == 1 for a, b in pairs)


def test_without_mistakes_types_are_sorted_by_size():
    labels = ["c"] * 3 + ["a"] * 2 + ["b"] * 5
    assert names(confusion_matrix(labels, labels).xaxis) == ["b", "c", "a"]


@pytest.mark.parametrize(("true", "pred"), [(["a"], ["a"]), (["a", "a"], ["b", "a"]), ([1, 2, 3], [1, 2, 2])])
def test_few_types_numbers_and_types_that_are_only_predicted(true, pred, tmp_path):
    ax = confusion_matrix(true, pred)
    assert len(names(ax.xaxis)) == len({*true, *pred})
    save_figure(ax, tmp_path / "a.png")


def test_given_axes_are_used():
    ax = Figure().add_subplot()
    assert confusion_matrix(TRUE, PRED, ax=ax) is ax and ax.images


def test_mismatched_labels_are_rejected():
    with pytest.raises(ValueError, match="one label per cell"):
        confusion_matrix(TRUE, PRED[:-1])
    with pytest.raises(ValueError, match="one label per cell"):
        confusion_matrix([], [])


def test_short_names_of_columns_are_horizontal_and_long_ones_slanted():
    short, long = confusion_matrix(TRUE, PRED), confusion_matrix(["CD14+ monocyte"], ["B"])
    assert {label.get_rotation() for label in short.get_xticklabels()} == {0}
    assert {label.get_rotation() for label in long.get_xticklabels()} == {45}


@pytest.mark.parametrize("n_types", [2, 10, 20, 40])
def test_long_names_neither_overlap_nor_are_cut_off(n_types):
    rng = np.random.default_rng(0)
    types = [f"CD{i}+/CD45RA+ naive cytotoxic T" for i in range(n_types)]
    true = rng.choice(types, 1000)
    ax = confusion_matrix(true, np.where(rng.random(1000) < 0.8, true, rng.choice(types, 1000)))
    ax.figure.draw_without_rendering()  # the layout needs two rounds
    ax.figure.draw_without_rendering()
    rows = sorted((label.get_window_extent() for label in ax.get_yticklabels()), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(rows))
    page = ax.figure.bbox
    for label in [*ax.get_yticklabels(), *ax.get_xticklabels()]:
        box = label.get_window_extent()
        assert box.x0 >= page.x0 and box.y0 >= page.y0 and box.y1 <= page.y1
    assert ax.bbox.height / n_types > 12  # pixels of a square at 100 dpi


def test_pyplot_is_not_imported(tmp_path):
    code = (
        "import sys; from gene_gcn.plots import confusion_matrix, save_figure; "
        "save_figure(confusion_matrix(['a', 'b'], ['a', 'a']), sys.argv[1]); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.png")], check=True, timeout=60)
