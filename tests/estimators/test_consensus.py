"""annotate lets cells agree over a column of obs, a graph in obsp, or clusters of their components."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn import GeneGCNClassifier
from gene_gcn.cells import write_predictions
from gene_gcn.errors import ArgumentError
from gene_gcn.estimators import consensus

N, TYPES = 200, np.array(["B", "NK", "T"])
RATES = np.random.default_rng(0).gamma(0.3, 1.0, (len(TYPES), N))


def draw(n, seed, depth=3.0) -> anndata.AnnData:
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n)
    counts = sparse.csr_matrix(rng.poisson(RATES[y] * depth).astype(np.float32))
    obs = pd.DataFrame({"cell_type": TYPES[y]}, index=[f"cell{i}" for i in range(n)])
    return anndata.AnnData(counts, obs, pd.DataFrame(index=[f"GENE{i}" for i in range(N)]))


@pytest.fixture(scope="module")
def clf() -> GeneGCNClassifier:
    return GeneGCNClassifier(random_state=0).fit(draw(300, 0), "cell_type")


@pytest.fixture
def shallow() -> anndata.AnnData:
    """Cells of which many are called wrongly, with clusters that are pure but for one in ten cells."""
    cells = draw(400, 1, depth=0.06)
    rng = np.random.default_rng(0)
    wrong = rng.random(400) < 0.1
    own = np.searchsorted(TYPES, cells.obs["cell_type"])
    cells.obs["leiden"] = pd.Categorical(np.where(wrong, rng.integers(0, 3, 400), own).astype(str))
    return cells


def accuracy(cells, key):
    return np.mean(cells.obs[key].astype(str) == cells.obs["cell_type"])


@pytest.mark.filterwarnings("ignore::gene_gcn.errors.EmptyCellsWarning")
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.ShiftWarning")
def test_a_column_of_clusters(clf, shallow, tmp_path):
    clf.annotate(shallow, over="leiden")
    assert accuracy(shallow, "gene_gcn") > accuracy(shallow, "gene_gcn_cell") + 0.01
    clf.annotate(shallow, "alone", unknown=True, alpha=0.2)
    clf.annotate(shallow, unknown=True, alpha=0.2, over="leiden")
    pd.testing.assert_series_equal(shallow.obs["gene_gcn_cell"], shallow.obs["alone"], check_names=False)
    pd.testing.assert_frame_equal(shallow.obsm["gene_gcn_set"], shallow.obsm["alone_set"])
    for name in ("unknown", "unassigned"):
        np.testing.assert_array_equal(shallow.obs["gene_gcn"] == name, shallow.obs["alone"] == name)
    shallow.write_h5ad(tmp_path / "cells.h5ad")
    made = anndata.read_h5ad(tmp_path / "cells.h5ad").uns["gene_gcn"]
    table = made["clusters"]
    assert made["over"] == "leiden" and table.index.tolist() == ["0", "1", "2"]
    np.testing.assert_array_equal(table["cells"], shallow.obs["leiden"].value_counts()[table.index])
    named = pd.crosstab(shallow.obs["leiden"], shallow.obs["gene_gcn"], normalize="index")
    np.testing.assert_allclose(table["share"], named.max(axis=1))
    assert table["type"].tolist() == named.idxmax(axis=1).tolist()
    write_predictions(tmp_path / "p.csv", shallow)
    written = pd.read_csv(tmp_path / "p.csv", index_col="cell", dtype={"cluster": str})
    assert written["cluster"].tolist() == shallow.obs["leiden"].tolist()
    assert written["cell_label"].tolist() == shallow.obs["gene_gcn_cell"].tolist()
    assert {"cell_confidence", "cluster_share"} <= set(written) and "neighbor_share" not in written


@pytest.mark.filterwarnings("ignore::gene_gcn.errors.EmptyCellsWarning")
def test_a_graph_of_neighbors(clf, shallow, tmp_path):
    code = shallow.obs["leiden"].cat.codes.to_numpy()
    near = sparse.random(400, 400, 0.05, random_state=0).tocsr()
    shallow.obsp["spatial_connectivities"] = near.multiply(code[:, None] == code).tocsr()
    clf.annotate(shallow, over="spatial_connectivities")
    assert accuracy(shallow, "gene_gcn") > accuracy(shallow, "gene_gcn_cell")
    assert shallow.obs["gene_gcn_neighbor_share"].between(0, 1).mean() > 0.9
    assert "clusters" not in shallow.uns["gene_gcn"]
    write_predictions(tmp_path / "p.csv", shallow)
    assert "neighbor_share" in pd.read_csv(tmp_path / "p.csv")


def test_own_clusters(clf, tmp_path):
    pytest.importorskip("igraph", reason="needs the extra clusters")
    cells = draw(300, 2)
    clf.annotate(cells, over="clusters")
    assert accuracy(cells, "gene_gcn") > 0.95
    table = cells.uns["gene_gcn"]["clusters"]
    assert cells.uns["gene_gcn"]["over"] == "gene_gcn_cluster" and table["cells"].sum() == 300
    assert cells.obs["gene_gcn_cluster"].cat.categories.tolist() == table.index.tolist()
    cells.write_h5ad(tmp_path / "cells.h5ad")
    cells.obs["clusters"] = "one"
    clf.annotate(cells, over="clusters")  # a column of the user's comes first
    assert cells.uns["gene_gcn"]["clusters"].index.tolist() == ["one"]
    with pytest.warns(match="no cells"):
        clf.annotate(empty := draw(5, 1)[:0].copy(), over="clusters")
    assert {"gene_gcn_cell", "gene_gcn_cluster_share"} <= set(empty.obs)


def test_missing_clusters_and_types_that_are_numbers():
    cells, query = draw(120, 3), draw(60, 4)
    clf = GeneGCNClassifier(random_state=0).fit(cells, np.searchsorted(TYPES, cells.obs["cell_type"]))
    query.X = sparse.csr_matrix(query.X.toarray() * (np.arange(60) > 0)[:, None])  # the first cell is empty
    query.obs["group"] = np.where(np.arange(60) < 50, np.arange(60) % 2, np.nan)  # as numbers with gaps
    with pytest.warns(match="none of the model's"):
        clf.annotate(query, over="group")
    assert query.obs["gene_gcn_cluster_share"].isna().tolist() == [False] * 50 + [True] * 10
    table = query.uns["gene_gcn"]["clusters"]
    assert table["cells"].tolist() == [25, 25] and set(table["type"]) <= {"0", "1", "2"}
    assert query.obs["gene_gcn"].isna().tolist() == [True] + [False] * 59


def test_mistakes(clf, monkeypatch):
    cells = draw(20, 5)
    cells.obs["depth"] = np.linspace(0.1, 1, 20)
    cells.obsp["distances"] = sparse.eye(20, format="csr")
    cells.obsp["negative"] = -sparse.csr_matrix(np.ones((20, 20)))
    for over, message in [
        (
            "laiden",
            r"over='laiden' is not in .obs or .obsp \(distances, negative\); .*could be: \['cell_type'\]",
        ),
        (3, "over=3 is not in .obs"),
        ("depth", "fractional numbers"),
        ("gene_gcn", "would be replaced; copy the column, or choose another key_added="),
        ("distances", "holds distances; .* over='connectivities'"),
        ("negative", "negative or not finite"),
    ]:
        with pytest.raises(ArgumentError, match=message) as error:
            clf.annotate(cells, over=over)
        assert error.value.argument == "over"
    monkeypatch.setattr(consensus, "find_spec", lambda name: None)
    with pytest.raises(
        ArgumentError, match=r"over='clusters' needs igraph, .* pip install 'gene-gcn\[clusters\]'"
    ):
        clf.annotate(cells, over="clusters")
    monkeypatch.undo()
    zero = GeneGCNClassifier(missing_genes="zero", random_state=0).fit(draw(60, 0), "cell_type")
    pytest.importorskip("igraph", reason="needs the extra clusters")
    with pytest.raises(ArgumentError, match="exactly, .*missing_genes='impute'"):
        zero.annotate(cells, over="clusters")
    assert "gene_gcn" not in cells.obs
