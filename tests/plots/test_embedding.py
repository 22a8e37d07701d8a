"""The embedding shows every cell once, names types legibly, and is the same at every call."""

from __future__ import annotations

import time

import anndata
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from gene_gcn.plots import embedding, save_figure
from gene_gcn.plots.types import NO_TYPE_COLOR, PALETTE


def cells(types, spread=1.0, **columns) -> anndata.AnnData:
    rng = np.random.default_rng(0)
    types = pd.Categorical(types)
    centers = rng.normal(size=(len(types.categories) + 1, 2))
    adata = anndata.AnnData(np.zeros((len(types), 1), np.float32))
    adata.obs["gene_gcn"] = types
    for name, values in columns.items():
        adata.obs[name] = values
    adata.obsm["X_umap"] = centers[types.codes] + spread * rng.normal(size=(len(types), 2))
    return adata


def text_boxes(ax):
    ax.figure.draw_without_rendering()
    return [Text.get_window_extent(text) for text in ax.texts]


def test_each_cell_is_drawn_once_in_the_color_of_its_type():
    adata = cells(["B", "T", "T", "unknown", None], spread=0)
    ax = embedding(adata)
    points = ax.collections[0]
    drawn = {
        (*map(float, xy), to_hex(color))
        for xy, color in zip(points.get_offsets(), points.get_facecolors(), strict=True)
    }
    b, t, _, unknown, missing = adata.obsm["X_umap"]
    colors = [(b, PALETTE[0]), (t, PALETTE[1]), (unknown, NO_TYPE_COLOR), (missing, NO_TYPE_COLOR)]
    assert len(points.get_offsets()) == 5 and drawn == {(*xy, color) for xy, color in colors}
    assert [to_hex(color) for color in points.get_facecolors()[:2]] == [NO_TYPE_COLOR] * 2  # below
    assert [text.get_text() for text in ax.texts] == ["B", "T"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["unknown (1)", "unassigned (1)"]
    assert ax.get_title(loc="left") == "gene_gcn, 5 cells" and points.get_rasterized()


@pytest.mark.parametrize("n_types", [2, 10, 30])
def test_names_neither_overlap_nor_leave_the_axes(n_types):
    types = [f"CD{i}+ naive T" for i in np.arange(20 * n_types) % n_types]
    ax = embedding(cells(types, spread=0.3))
    boxes = text_boxes(ax)
    assert len(boxes) == n_types
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    page = ax.bbox
    assert all(page.x0 <= b.x0 + 1 and b.x1 <= page.x1 + 1 for b in boxes)
    assert all(page.y0 <= b.y0 + 1 and b.y1 <= page.y1 + 1 for b in boxes)


def test_colors_of_scanpy_are_used():
    adata = cells(["B", "T"])
    adata.uns["gene_gcn_colors"] = ["#ff0000", "#00ff00"]
    colors = {to_hex(color) for color in embedding(adata).collections[0].get_facecolors()}
    assert colors == {"#ff0000", "#00ff00"}


def test_numbers_have_a_scale_and_unusual_ones_are_on_top():
    confidence = np.array([0.1, *[0.9] * 8, np.nan])
    adata = cells(["B"] * 10, gene_gcn_confidence=confidence, depth=np.arange(10) * 100)
    ax = embedding(adata, "gene_gcn_confidence")
    gray, points = ax.collections
    assert len(gray.get_offsets()) == 1 and to_hex(gray.get_facecolors()[0]) == NO_TYPE_COLOR
    np.testing.assert_array_equal(points.get_offsets()[-1], adata.obsm["X_umap"][0])
    assert points.get_clim() == (0, 1) and ax.child_axes[0].get_ylabel() == "gene_gcn_confidence"
    assert embedding(adata, "depth").collections[0].get_clim() == (0, 900)


def test_any_coordinates_in_given_axes_with_a_title():
    adata = cells(["B", "T"])
    adata.obsm["X_pca"] = np.array([[1.0, 2, 3], [np.nan, 5, 6]])
    ax = Figure().add_subplot()
    assert embedding(adata, basis="pca", title="mine", ax=ax) is ax
    assert ax.xaxis.get_label().get_text() == "PCA 1"
    assert ax.get_title(loc="left") == "mine" and len(ax.collections[0].get_offsets()) == 1


def test_missing_coordinates_are_refused_with_the_remedy():
    adata = cells(["B", "T"])
    with pytest.raises(ValueError, match=r"basis='X_tsne' .* pass one of 'X_umap', or .*sc\.tl\.umap"):
        embedding(adata, basis="X_tsne")
    del adata.obsm["X_umap"]
    with pytest.raises(ValueError, match=r"basis='X_umap' .*coordinates; compute them with sc\.pp\.pca"):
        embedding(adata)
    with pytest.raises(ValueError, match="color='type' is not a column"):
        embedding(adata, "type")


def test_a_hundred_thousand_cells_take_seconds_and_little_space(tmp_path):
    adata = cells([f"type {i}" for i in np.arange(100_000) % 12])
    start = time.process_time()
    save_figure(embedding(adata), tmp_path / "a.pdf")
    assert time.process_time() - start < 20
    assert (tmp_path / "a.pdf").stat().st_size < 2_000_000  # vectors would take 10 MB
