"""Planted label errors are found; copies, small types and unlabeled cells get what they should."""

from __future__ import annotations

import warnings
from functools import partial

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from gene_gcn import GeneGCNClassifier
from gene_gcn import suspicious as suspicious_in_any_folds
from gene_gcn.errors import ArgumentError, EmptyCellsWarning, LabelWarning
from gene_gcn.estimators import suspicious as module

N = 60
suspicious = partial(suspicious_in_any_folds, n_folds=3, random_state=0)  # few folds are fast
TYPES = np.array(["B", "NK", "T"], dtype=object)


def make_cells(n=120, seed=0):
    """Counts of three types with genes of their own, and right labels in `obs["cell_type"]`."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = rng.poisson(np.where(np.arange(N) // 20 == y[:, None], 3.0, 0.7)).astype(np.float32)
    obs = pd.DataFrame({"cell_type": TYPES[y]}, index=[f"c{i}" for i in range(n)])
    var = pd.DataFrame(index=[f"GENE{i}" for i in range(N)])
    return anndata.AnnData(sparse.csr_matrix(X), obs=obs, var=var)


def next_type(labels):
    return TYPES[(np.searchsorted(TYPES, labels) + 1) % 3]


@pytest.fixture(scope="module")
def flipped():
    """Cells of which every tenth has a wrong label."""
    cells = make_cells()
    labels = cells.obs["cell_type"].to_numpy(copy=True)
    labels[::10] = next_type(labels[::10])
    cells.obs["cell_type"] = labels
    return cells


@pytest.fixture(scope="module")
def found(flipped):
    return suspicious(flipped, "cell_type")


def test_planted_errors_come_first(flipped, found):
    table = found.cells
    assert set(table.index) == set(flipped.obs_names) and table["quality"].is_monotonic_increasing
    is_flipped = table.index.isin(flipped.obs_names[::10])
    assert roc_auc_score(is_flipped, -table["quality"]) > 0.97
    assert is_flipped[table["is_suspicious"]].mean() > 0.8
    assert table["is_suspicious"][is_flipped].mean() > 0.8
    assert table["duplicate_group"].isna().all() and found.duplicates.empty


def test_columns_agree_with_each_other_and_with_the_labels(flipped, found):
    table = found.cells
    assert (table["label"].astype(object) == flipped.obs["cell_type"].loc[table.index]).all()
    agrees = table["label"].astype(object) == table["predicted"].astype(object)
    assert ((table["label_probability"] == table["predicted_probability"]) == agrees).all()
    assert ((table["quality"] < 0.5) == ~agrees).all()
    assert not table.loc[agrees, "is_suspicious"].any()


def test_pairs_count_the_labels_that_are_predicted_as_another_type(found):
    table = found.cells
    wrong = table[table["label"].astype(object) != table["predicted"].astype(object)]
    assert found.pairs["cells"].sum() == len(wrong)
    for row in found.pairs.itertuples():
        labeled = table[table["label"] == row.label]
        assert row.cells == (labeled["predicted"] == row.predicted).sum()
        assert row.share == pytest.approx(row.cells / len(labeled))
        back = table[(table["label"] == row.predicted) & (table["predicted"] == row.label)]
        assert row.reverse_cells == len(back)


def test_same_seed_same_result_for_every_kind_of_cells(flipped, found, tmp_path):
    flipped.write_h5ad(tmp_path / "cells.h5ad")
    labels = flipped.obs["cell_type"]
    for other in (
        suspicious(tmp_path / "cells.h5ad", "cell_type"),
        suspicious(flipped.to_df(), labels.sample(frac=1, random_state=0)),
    ):
        pd.testing.assert_frame_equal(other.cells, found.cells, check_names=False)
        pd.testing.assert_frame_equal(other.pairs, found.pairs)
    with_layer = anndata.AnnData(obs=flipped.obs, var=flipped.var, layers={"counts": flipped.X})
    clf = GeneGCNClassifier(layer="counts", random_state=0)
    other = suspicious(with_layer, "cell_type", estimator=clf)
    pd.testing.assert_frame_equal(other.cells, found.cells)
    by_position = suspicious(flipped.X, labels.to_numpy()).cells
    is_flipped = by_position.index % 10 == 0
    assert roc_auc_score(is_flipped, -by_position["quality"]) > 0.97


def spy(monkeypatch, see):
    """Show the cells and labels of each fit to `see`."""
    original = GeneGCNClassifier.fit

    def fit(self, X, y):
        see(X, y)
        return original(self, X, y)

    monkeypatch.setattr(GeneGCNClassifier, "fit", fit)


def test_nothing_is_learned_from_the_cells_that_are_judged(flipped, found, monkeypatch):
    cell = found.cells.index[-1]
    fits = []
    spy(monkeypatch, lambda X, y: fits.append(X.X.toarray()))
    suspicious(flipped, "cell_type")
    row = flipped[cell].X.toarray()[0]
    learned = [any((row == known).all() for known in X) for X in fits]
    assert len(fits) == 6 and learned.count(False) == 2  # its fold, in both rounds


def test_second_round_leaves_out_the_suspicious_labels(flipped, monkeypatch):
    sizes = []
    spy(monkeypatch, lambda X, y: sizes.append(len(y)))
    suspicious(flipped, "cell_type")
    first, second = sizes[:3], sizes[3:]
    assert sum(first) == 2 * flipped.n_obs and 16 < sum(first) - sum(second) < 40  # 12 flips, each in two


# ---- near duplicates ----


@pytest.fixture(scope="module")
def with_copies():
    """Cells of which ten are there twice, with the same wrong label."""
    cells = make_cells()
    copied = cells[:10].copy()
    copied.obs_names = [f"{name}-copy" for name in copied.obs_names]
    both = anndata.concat([cells, copied])
    labels = both.obs["cell_type"].to_numpy(copy=True)
    labels[:10] = labels[-10:] = next_type(labels[:10])
    both.obs["cell_type"] = labels
    return both


def quality_of_copies(cells):
    table = suspicious(cells, "cell_type").cells
    return table["quality"].loc[[*cells.obs_names[:10], *cells.obs_names[-10:]]]


def test_copies_do_not_confirm_each_other(with_copies, monkeypatch):
    assert quality_of_copies(with_copies).median() < 0.1
    monkeypatch.setattr(module, "near_duplicate_groups", lambda X, rng: np.zeros(X.shape[0], int))
    assert quality_of_copies(with_copies).median() > 0.1


def test_copies_share_a_group_and_differing_labels_are_told(with_copies):
    with_copies.obs["cell_type"] = with_copies.obs["cell_type"].astype(object)
    with_copies.obs.loc["c3-copy", "cell_type"] = (
        "B" if with_copies.obs.loc["c3", "cell_type"] != "B" else "T"
    )
    found = suspicious(with_copies, "cell_type")
    duplicates = found.duplicates
    assert len(duplicates) == 20 and duplicates["duplicate_group"].nunique() == 10
    assert set(duplicates.index[duplicates["labels_differ"]]) == {"c3", "c3-copy"}
    groups = found.cells["duplicate_group"]
    assert all(groups[f"c{i}"] == groups[f"c{i}-copy"] == i + 1 for i in range(10))


def test_groups_reach_the_splitter(with_copies, monkeypatch):
    seen = []

    class Spy(StratifiedGroupKFold):
        def split(self, X, y, groups):
            seen.append(groups)
            return super().split(X, y, groups)

    monkeypatch.setattr(module, "StratifiedGroupKFold", Spy)
    suspicious(with_copies, "cell_type")
    (groups,) = seen
    np.testing.assert_array_equal(groups[:10], groups[-10:])
    assert len(np.unique(groups)) == 120


# ---- cells that are not judged ----


def test_small_types_are_told_once_and_get_a_row_without_a_score(flipped):
    cells = flipped.copy()
    cells.obs["cell_type"] = cells.obs["cell_type"].astype(object)
    cells.obs.iloc[[1, 4], 0] = "rare"
    cells.obs.iloc[11, 0] = "single"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = suspicious(cells, "cell_type").cells
    (warning,) = caught
    assert issubclass(warning.category, LabelWarning) and warning.filename == __file__
    assert "than the 3 folds are left out" in str(warning.message)
    assert "no score: rare (2), single (1). Use a smaller n_folds=" in str(warning.message)
    small = table.loc[["c1", "c4", "c11"]]
    assert small[["label_probability", "quality"]].isna().all(axis=None) and not small["is_suspicious"].any()
    assert small["predicted"].tolist() == list(TYPES[[1, 1, 2]]) and set(table.index[-3:]) == set(small.index)
    assert table["quality"].notna().sum() == 117


def test_copies_do_not_make_a_type_large_enough():
    cells = make_cells()
    copies = anndata.concat([cells, *[cells[:1]] * 7], index_unique="-")
    copies.obs["cell_type"] = copies.obs["cell_type"].astype(object)
    copies.obs.iloc[[0, *range(120, 127)], 0] = "copied"
    with pytest.warns(LabelWarning, match=r"copied \(1\)"):
        table = suspicious(copies, "cell_type").cells
    assert table.loc[table["label"] == "copied", "quality"].isna().all()


def test_unlabeled_cells_get_a_type_and_no_score(flipped):
    """Labels may be numbers, here."""
    numbers = flipped.obs["cell_type"].map({"B": 0, "NK": 1, "T": 2}).astype("Int64")
    numbers.iloc[[3, 6]] = pd.NA
    table = suspicious(flipped, numbers).cells
    unlabeled = table.loc[["c3", "c6"]]
    assert unlabeled["label"].isna().all() and unlabeled["quality"].isna().all()
    assert unlabeled["predicted"].tolist() == [0, 0] and not unlabeled["is_suspicious"].any()
    assert (unlabeled["predicted_probability"] > 0.5).all()


def test_cells_without_expression_get_nothing(flipped):
    cells = flipped.copy()
    X = cells.X.toarray()
    X[5] = 0
    cells.X = sparse.csr_matrix(X)
    with pytest.warns(EmptyCellsWarning, match="1 of 120 cells express none") as caught:
        table = suspicious(cells, "cell_type").cells
    assert len(caught) == 1
    empty = table.loc["c5"]
    assert pd.isna(empty["predicted"]) and pd.isna(empty["quality"]) and not empty["is_suspicious"]


def test_parameters_of_the_estimator_are_used_and_left_alone(flipped, found):
    clf = GeneGCNClassifier(normalization="log1p", random_state=0)
    other = suspicious(flipped, "cell_type", estimator=clf)
    assert not hasattr(clf, "classes_")
    assert (other.cells["quality"].sort_index() != found.cells["quality"].sort_index()).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_folds": 1}, "n_folds=1 must be a whole number, 2 or more"),
        ({"n_folds": 2.5}, "n_folds=2.5 must be a whole number"),
        (
            {"n_folds": 41},
            "y needs two types with 41 different cells each.* has 0 of 3; .*use a smaller n_folds=",
        ),
        ({"estimator": "svm"}, "estimator='svm' must be a GeneGCNClassifier"),
        ({"estimator": GeneGCNClassifier(diagonal=7)}, "diagonal=7"),
        ({"y": "type"}, "y='type' is not a column of .obs"),
        ({"y": ["B"] * 120}, "only one class is present"),
        ({"y": ["B"] * 3}, r"y has shape \(3,\)"),
        ({"y": np.linspace(0, 1, 120)}, "numbers with decimals"),
    ],
)
def test_mistakes_are_named(flipped, change, message):
    with pytest.raises(ArgumentError, match=message):
        suspicious(flipped, **{"y": "cell_type", "random_state": 0, **change})


def test_genes_as_rows_are_refused(flipped):
    table = pd.DataFrame(flipped.X.toarray(), index=[f"ENSG{i:011d}" for i in range(120)])
    with pytest.raises(ArgumentError, match=r"genes as rows \(ENSG00000000000"):
        suspicious(table, ["B", "T"] * 60)
