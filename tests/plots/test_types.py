"""Types are named in order, and their colors can be told apart."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from gene_gcn.plots.types import (
    NO_TYPE_COLOR,
    PALETTE,
    as_types,
    legible,
    obs_column,
    ordered_types,
    type_colors,
)

# Severe deuteranomaly (Machado, Oliveira & Fernandes 2009, doi:10.1109/TVCG.2009.113), on linear RGB.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colors) -> np.ndarray:
    rgb = np.array([to_rgb(color) for color in colors])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    t = np.clip(rgb, 0, 1) @ TO_XYZ.T / TO_XYZ.sum(axis=1)
    x, y, z = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def closest(points: np.ndarray) -> float:
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    return distance[~np.eye(len(points), dtype=bool)].min()


def test_colors_are_distinct_with_and_without_color_vision_deficiency():
    for n, normal, deuteranope in ((8, 20, 18), (len(PALETTE), 9, 9)):  # CIELAB; 2.3 is just noticeable
        colors = linear([*PALETTE[:n], NO_TYPE_COLOR])
        assert closest(lab(colors)) > normal
        assert closest(lab(colors @ DEUTERANOPIA.T)) > deuteranope


@pytest.mark.parametrize("color", [*PALETTE, "white", "black"])
def test_text_in_the_color_of_a_type_is_legible_on_white(color):
    luminance = linear([legible(color)])[0] @ TO_XYZ[1]
    assert 1.05 / (luminance + 0.05) >= 4.499


def test_types_keep_the_order_of_categories_and_those_without_a_type_come_last():
    labels = pd.Series(pd.Categorical(["b", "unknown", "a", None], ["unknown", "b", "a", "c"]))
    assert ordered_types(labels) == ["b", "a", "unknown", "unassigned"]
    assert as_types(labels).tolist() == ["b", "unknown", "a", "unassigned"]
    assert ordered_types(np.array([10, 9, 9])) == ["10", "9"]


def test_types_without_a_name_are_gray_and_take_no_color():
    colors = type_colors(["unknown", "B", "T"])
    assert colors == {"unknown": NO_TYPE_COLOR, "B": PALETTE[0], "T": PALETTE[1]}
    assert type_colors([str(i) for i in range(40)])["39"] == PALETTE[39 - len(PALETTE)]


def test_columns_that_are_not_there_are_refused_with_a_remedy():
    cells = anndata.AnnData(np.ones((2, 2)), obs=pd.DataFrame({"leiden": ["0", "1"]}, index=["a", "b"]))
    assert obs_column(cells, "leiden", "color").tolist() == ["0", "1"]
    with pytest.raises(
        ValueError, match=r"color='gene_gcn' is not a column .*has 'leiden'\. clf\.annotate"
    ) as caught:
        obs_column(cells, "gene_gcn", "color")
    assert caught.value.argument == "color"
