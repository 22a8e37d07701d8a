"""The dot plot shows fractions and means of the right genes in the right types."""

from __future__ import annotations

from itertools import pairwise

import anndata
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import sparse

from gene_gcn import GeneGCNClassifier
from gene_gcn.plots import markers

GENES = ["MS4A1", "CD79A", "CD3D", "CD3E", "ACTB"]
# Each cell has 10 counts, so normalized expression is their root.
COUNTS = {"B": [[4, 1, 0, 0, 5], [4, 0, 0, 0, 6]], "T": [[0, 0, 9, 0, 1], [0, 0, 1, 0, 9], [1, 0, 0, 4, 5]]}
TABLE = pd.DataFrame(
    [
        ("T", "CD3D", "others"),
        ("T", "CD3E", "others"),
        ("T", "ACTB", "B"),
        ("B", "MS4A1", "others"),
        ("B", "GONE", "others"),
        ("B", "CD79A", "others"),
        ("mast", "CD3E", "others"),
    ],
    columns=["type", "gene", "against"],
)


def cells(**more) -> anndata.AnnData:
    counts = COUNTS | more
    types = [name for name, rows in counts.items() for _ in rows]
    X = sparse.csr_matrix(np.array([row for rows in counts.values() for row in rows], np.float32))
    obs = pd.DataFrame({"gene_gcn": types}, index=[f"c{i}" for i in range(len(types))])
    return anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=GENES))


def texts(labels) -> list[str]:
    return [label.get_text() for label in labels]


def dots(ax) -> tuple[np.ndarray, np.ndarray]:
    """Return the areas relative to the largest and the colors, each (types, genes)."""
    shape = (len(ax.get_yticks()), len(ax.get_xticks()))
    size = ax.collections[0].get_sizes().reshape(shape)
    return size / size.max(), np.asarray(ax.collections[0].get_array()).reshape(shape)


def test_sizes_are_fractions_and_colors_are_means_scaled_for_each_gene():
    ax = markers(cells(), TABLE)
    assert texts(ax.get_xticklabels()) == ["CD3D", "CD3E", "MS4A1", "CD79A"]  # in the order of the table
    assert texts(ax.get_yticklabels()) == ["T  (3)", "B  (2)"]
    fraction, mean = dots(ax)
    np.testing.assert_allclose(fraction, [[2 / 3, 1 / 3, 1 / 3, 0], [0, 0, 1, 1 / 2]], atol=1e-6)
    np.testing.assert_allclose(mean, [[1, 1, 0, 0], [0, 0, 1, 1]], atol=1e-6)
    assert texts(ax.texts) == ["T", "B"]


def test_means_are_of_normalized_cells_whatever_their_depth_and_scale():
    deep = cells(NK=[[2, 0, 1, 0, 7]])
    expected = dots(markers(deep, TABLE))[1]
    assert expected[2, 0] == pytest.approx(1 / (4 / 3))  # 1 against (3 + 1 + 0) / 3 in T cells
    shallow = deep.copy()
    shallow.X = sparse.csr_matrix(np.diag([3, 1, 2, 1, 1, 5.0]) @ deep.X.toarray())
    np.testing.assert_allclose(dots(markers(shallow, TABLE))[1], expected, atol=1e-5)


def test_types_without_markers_come_last_and_those_without_cells_are_left_out():
    ax = markers(cells(unknown=[[1, 1, 1, 1, 6]], NK=[[0, 0, 0, 0, 10]]), TABLE, top=1)
    assert texts(ax.get_yticklabels()) == ["T  (3)", "B  (2)", "NK  (1)", "unknown  (1)"]
    assert texts(ax.get_xticklabels()) == ["CD3D", "MS4A1"]


def test_given_axes_other_names_and_a_title():
    adata = cells()
    adata.var["symbol"] = GENES
    adata.var_names = [f"ENSG{i:011d}" for i in range(5)]
    ax = Figure().add_subplot()
    assert markers(adata, TABLE, gene_column="symbol", title="mine", ax=ax) is ax
    assert ax.get_title(loc="left") == "mine" and len(ax.get_xticks()) == 4
    with pytest.raises(ValueError, match=r"No marker .* types B, T and the genes ENSG.*gene_column="):
        markers(adata, TABLE)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (TABLE, {"top": 0}, "top=0 must be a whole number of at least 1"),
        (TABLE, {"groupby": "leiden"}, "groupby='leiden' is not a column"),
        (TABLE.drop(columns="gene"), {}, "table lacks the column 'gene'"),
        (TABLE.assign(type="mast"), {}, "No marker of the table is of a type"),
        (TABLE, {"layer": "counts"}, "layer='counts'"),
    ],
)
def test_invalid_arguments_are_rejected(table, options, message):
    with pytest.raises(ValueError, match=message):
        markers(cells(), table, **options)


def test_names_of_thirty_types_do_not_overlap():
    rng = np.random.default_rng(0)
    types = [f"CD{i}+ naive cytotoxic T" for i in range(30)]
    X = rng.poisson(1.0, (300, 60)).astype(np.float32)
    obs = pd.DataFrame({"gene_gcn": np.resize(types, 300)}, index=[f"c{i}" for i in range(300)])
    adata = anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=[f"GENE{i}" for i in range(60)]))
    table = pd.DataFrame({"type": np.repeat(types, 2), "gene": adata.var_names})
    ax = markers(adata, table)
    ax.figure.draw_without_rendering()
    ax.figure.draw_without_rendering()
    for labels, low, high in ((ax.get_yticklabels(), "y0", "y1"), (ax.get_xticklabels(), "x0", "x1")):
        ends = sorted((getattr(b, low), getattr(b, high)) for b in (t.get_window_extent() for t in labels))
        assert all(one[1] <= other[0] + 1 for one, other in pairwise(ends))
    diameter = np.sqrt(ax.collections[0].get_sizes().max()) / 72 * ax.figure.dpi
    assert diameter <= min(ax.bbox.width / 60, ax.bbox.height / 30) + 1


def test_markers_of_a_fitted_classifier():
    adata = cells()
    rng = np.random.default_rng(0)
    adata = anndata.concat([adata] * 8, index_unique="-")
    adata.X = sparse.csr_matrix(adata.X.toarray() + rng.poisson(0.3, adata.shape).astype(np.float32))
    table = GeneGCNClassifier(random_state=0).fit(adata, "gene_gcn").explain_types(top=2)
    ax = markers(adata, table, top=1)
    _, mean = dots(ax)
    assert texts(ax.texts) == ["B", "T"] and mean.argmax(axis=0).tolist() == [0, 1]
