"""The distribution of confidence is that of the cells of each type."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from gene_gcn.plots import confidence
from gene_gcn.plots.confidence import GRAY


def cells(key="gene_gcn", **values) -> anndata.AnnData:
    types = [name for name, numbers in values.items() for _ in numbers]
    obs = {key: pd.Categorical(types), f"{key}_confidence": np.concatenate(list(values.values()))}
    frame = pd.DataFrame(obs, index=[f"c{i}" for i in range(len(types))])
    return anndata.AnnData(np.zeros((len(types), 1), np.float32), obs=frame)


def rows(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_bars_are_quantiles_and_lines_medians():
    values = np.linspace(0.5, 0.9, 101)
    ax = confidence(cells(B=values))
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(ends, [(0.52, 0.88), (0.6, 0.8)])
    assert ax.collections[0].get_segments()[0][:, 0] == pytest.approx([0.7, 0.7])
    assert rows(ax) == ["B  (101)"] and ax.get_title(loc="left") == "101 cells, median confidence 0.70"


def test_surest_types_come_first_and_unknown_cells_last_in_gray():
    ax = confidence(cells(B=[0.7] * 10, unknown=[0.99] * 10, T=[0.9] * 10))
    assert rows(ax) == ["T  (10)", "B  (10)", "unknown  (10)"]
    colors = [to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert colors[-2:] == [GRAY] * 2 and GRAY not in colors[:-2]


def test_few_cells_are_points():
    ax = confidence(cells(B=[0.7, 0.8, 0.9]), title="mine")
    np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 0], [0.7, 0.8, 0.9])
    assert not ax.patches and ax.get_title(loc="left") == "mine"


def test_given_axes_and_another_key_are_used():
    ax = Figure().add_subplot()
    assert confidence(cells("mine", B=[0.7] * 10), "mine", ax=ax) is ax and ax.patches


def test_cells_without_confidence_are_rejected():
    adata = cells(B=[0.7] * 10)
    del adata.obs["gene_gcn_confidence"]
    with pytest.raises(ValueError, match=r"key='gene_gcn_confidence' is not a column .*clf\.annotate"):
        confidence(adata)
    with pytest.raises(ValueError, match="no cells"):
        confidence(cells(B=[0.7])[:0].copy())
