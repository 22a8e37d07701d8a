"""docs/guide/scanpy.md runs, and what it writes comes back from files."""

from __future__ import annotations

import re
from pathlib import Path

import anndata
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "guide" / "scanpy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> dict:
    """The variables of the page after all of its blocks, and where they wrote files."""
    folder = tmp_path_factory.mktemp("page")
    variables: dict = {"folder": folder}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        plt.switch_backend("agg")
        for block in BLOCKS:
            exec(block, variables)
    plt.close("all")
    return variables


def test_plots_leave_one_color_per_type(page):
    query = page["query"]
    for key in ("gene_gcn", "by_cluster"):
        assert len(query.uns[f"{key}_colors"]) == len(query.obs[key].cat.categories)


@pytest.mark.parametrize("name", ["annotated.h5ad", "annotated.zarr"])
def test_cells_come_back_from_files(page, name):
    query = page["query"]
    read = anndata.read_h5ad if name.endswith("h5ad") else anndata.read_zarr
    again = read(page["folder"] / name)
    for key in ("gene_gcn", "by_cluster"):
        assert again.obs[key].tolist() == query.obs[key].tolist()
        assert list(again.obs[key].cat.categories) == list(query.obs[key].cat.categories)
        assert list(again.uns[f"{key}_colors"]) == list(query.uns[f"{key}_colors"])
        told, kept = query.uns[key], again.uns[key]
        assert set(told) == set(kept) and list(told["types"]) == list(kept["types"])
    np.testing.assert_array_equal(again.obsm["gene_gcn_proba"], query.obsm["gene_gcn_proba"])
    assert list(again.obsm["gene_gcn_proba"].columns) == list(query.obsm["gene_gcn_proba"].columns)
    clusters = again.uns["by_cluster"]["clusters"], query.uns["by_cluster"]["clusters"]
    pd.testing.assert_frame_equal(
        *clusters, check_dtype=False, check_index_type=False, check_categorical=False
    )


def test_types_keep_their_colors_when_cells_from_a_file_are_annotated_again(page, tmp_path):
    def colors(cells):
        return dict(zip(cells.obs["gene_gcn"].cat.categories, cells.uns["gene_gcn_colors"], strict=True))

    again = page["again"].copy()
    before = colors(again)
    page["clf"].annotate(again, over="louvain")
    assert colors(again).items() <= before.items()
    again.write_h5ad(tmp_path / "again.h5ad")
