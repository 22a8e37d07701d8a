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

from gene_gcn import GeneGCNClassifier, GeneNetwork
from gene_gcn import suspicious as suspicious_in_any_folds
from gene_gcn.errors import (
    ArgumentError,
    EmptyCellsWarning,
    LabelWarning,
    MissingGenesWarning,
    ScaleWarning,
)
from gene_gcn.estimators import suspicious as module

N = 60
suspicious = partial(suspicious_in_any_folds, n_folds=2, random_state=0)  # few folds are fast
TYPES = np.array(["B", "NK", "T"], dtype=object)


def make_cells(n=90, seed=0):
    """Counts of three types with genes of their own, and right labels in `obs["cell_type"]`."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = rng.poisson(np.where(np.arange(N) // 20 == y[:, None], 4.0, 0.7)).astype(np.float32)
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
def clean():
    """Cells with right labels only, which need no second round."""
    return make_cells()


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


def test_nothing_is_found_in_no_cells(flipped, found):
    with pytest.warns(EmptyCellsWarning, match="nothing to judge"):
        none = suspicious(flipped[:0].copy(), "cell_type")
    for name in ("cells", "pairs", "duplicates"):
        empty, full = getattr(none, name), getattr(found, name)
        assert not len(empty) and list(empty.columns) == list(full.columns)
    assert (none.cells.dtypes.map(str) == found.cells.dtypes.map(str)).all()


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


def test_same_seed_same_result_for_every_kind_of_cells(flipped, found, clean, tmp_path):
    labels = flipped.obs["cell_type"]
    with_layer = anndata.AnnData(obs=flipped.obs, var=flipped.var, layers={"counts": flipped.X})
    with_layer.write_h5ad(tmp_path / "cells.h5ad")
    clf = GeneGCNClassifier(layer="counts", random_state=0)
    for other in (
        suspicious(tmp_path / "cells.h5ad", "cell_type", estimator=clf),
        suspicious(flipped.to_df(), labels.sample(frac=1, random_state=0)),
    ):
        pd.testing.assert_frame_equal(other.cells, found.cells, check_names=False)
        pd.testing.assert_frame_equal(other.pairs, found.pairs)
    by_position = suspicious(clean.X, clean.obs["cell_type"].to_numpy()).cells
    assert set(by_position.index) == set(range(90)) and by_position["quality"].median() > 0.9


def test_prepared_features_are_taken_as_they_are(flipped):
    """With negative values, `fit` takes a table as features."""
    counts = flipped.to_df()
    with pytest.warns(ScaleWarning, match="negative values, as scaled data do") as caught:
        table = suspicious(counts - counts.mean(), flipped.obs["cell_type"]).cells
    assert len(caught) == 1
    is_flipped = table.index.isin(flipped.obs_names[::10])
    assert roc_auc_score(is_flipped, -table["quality"]) > 0.97


def spy(monkeypatch, see):
    """Show the estimator, the cells and the labels of each fit to `see`."""
    original = GeneGCNClassifier.fit

    def fit(self, X, y):
        see(self, X, y)
        return original(self, X, y)

    monkeypatch.setattr(GeneGCNClassifier, "fit", fit)


def test_nothing_is_learned_from_judged_cells_nor_in_the_second_round_from_suspicious_ones(
    flipped, found, monkeypatch
):
    fits = []
    spy(monkeypatch, lambda clf, X, y: fits.append(X.X.toarray()))
    suspicious(flipped, "cell_type")
    row = flipped[found.cells.index[-1]].X.toarray()[0]
    learned = [any((row == known).all() for known in X) for X in fits]
    assert len(fits) == 4 and learned.count(False) == 2  # its fold, in both rounds
    first, second = (sum(len(X) for X in fits[start : start + 2]) for start in (0, 2))
    assert first == flipped.n_obs and 6 < first - second < 18  # of 9 flips


def test_network_of_the_estimator_is_used(clean, monkeypatch):
    pairs = np.arange(N - 1)
    network = GeneNetwork(tuple(clean.var_names), np.stack([pairs, pairs + 1]), np.ones(N - 1))
    seen = []
    spy(monkeypatch, lambda clf, X, y: seen.append(clf.network))
    table = suspicious(clean, "cell_type", estimator=GeneGCNClassifier(network, random_state=0)).cells
    assert seen and all(given.genes == network.genes for given in seen)
    assert table["quality"].median() > 0.9


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
    class SeenError(Exception):
        """Ends the run before anything is fitted."""

    class Spy(StratifiedGroupKFold):
        def split(self, X, y, groups):
            raise SeenError(groups)

    monkeypatch.setattr(module, "StratifiedGroupKFold", Spy)
    with pytest.raises(SeenError) as seen:
        suspicious(with_copies, "cell_type")
    (groups,) = seen.value.args
    np.testing.assert_array_equal(groups[:10], groups[-10:])
    assert len(np.unique(groups)) == 90


# ---- cells that are not judged ----


@pytest.fixture
def with_small_types(clean):
    cells = clean.copy()
    cells.obs["cell_type"] = cells.obs["cell_type"].astype(object)
    cells.obs.iloc[[1, 4], 0] = "rare"
    cells.obs.iloc[11, 0] = "single"
    return cells


def test_small_types_are_told_once_and_get_a_row_without_a_score(with_small_types):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = suspicious(with_small_types, "cell_type", n_folds=3).cells
    (warning,) = caught
    assert issubclass(warning.category, LabelWarning) and warning.filename == __file__
    assert "than the 3 folds are left out" in str(warning.message)
    remedy = "Use a smaller n_folds= to include those with two or more."
    assert str(warning.message).endswith(f"no score: rare (2), single (1). {remedy}")
    small = table.loc[["c1", "c4", "c11"]]
    assert small[["label_probability", "quality"]].isna().all(axis=None) and not small["is_suspicious"].any()
    assert small["predicted"].tolist() == list(TYPES[[1, 1, 2]]) and set(table.index[-3:]) == set(small.index)
    assert table["quality"].notna().sum() == 87


def test_weights_of_types_that_are_left_out_are_left_out(with_small_types, monkeypatch):
    seen = []
    spy(monkeypatch, lambda clf, X, y: seen.append(clf.class_weight))
    weights = {"single": 3.0, "rare": 2.0}
    clf = GeneGCNClassifier(class_weight=weights, random_state=0)
    with pytest.warns(LabelWarning, match=r"single \(1\)\.$"):  # which no number of folds includes
        table = suspicious(with_small_types, "cell_type", estimator=clf).cells
    assert table["quality"].isna().sum() == 1
    assert {"rare": 2.0} in seen and all("single" not in given for given in seen)
    assert clf.class_weight is weights


def test_copies_do_not_make_a_type_large_enough():
    cells = make_cells()
    copies = anndata.concat([cells, *[cells[:1]] * 7], index_unique="-")
    copies.obs["cell_type"] = copies.obs["cell_type"].astype(object)
    copies.obs.iloc[[0, *range(90, 97)], 0] = "copied"
    with pytest.warns(LabelWarning, match=r"copied \(1\)"):
        table = suspicious(copies, "cell_type").cells
    assert table.loc[table["label"] == "copied", "quality"].isna().all()


def test_unlabeled_cells_get_a_type_and_no_score(clean):
    """Labels may be numbers, here."""
    numbers = clean.obs["cell_type"].map({"B": 0, "NK": 1, "T": 2}).astype("Int64")
    numbers.iloc[[3, 6]] = pd.NA
    table = suspicious(clean, numbers).cells
    unlabeled = table.loc[["c3", "c6"]]
    assert unlabeled["label"].isna().all() and unlabeled["quality"].isna().all()
    assert unlabeled["predicted"].tolist() == [0, 0] and not unlabeled["is_suspicious"].any()
    assert (unlabeled["predicted_probability"] > 0.5).all()


def test_cells_without_expression_get_nothing(clean):
    cells = clean.copy()
    X = cells.X.toarray()
    X[5] = 0
    cells.X = sparse.csr_matrix(X)
    with pytest.warns(EmptyCellsWarning, match="1 of 90 cells express none") as caught:
        table = suspicious(cells, "cell_type").cells
    assert len(caught) == 1
    empty = table.loc["c5"]
    assert pd.isna(empty["predicted"]) and pd.isna(empty["quality"]) and not empty["is_suspicious"]


def test_joined_panels_are_told_once_with_the_number_of_all_cells():
    cells, more_genes = make_cells(), make_cells(seed=1)
    more_genes.var_names = [f"OTHER{i}" for i in range(N)]
    more_genes.X = sparse.csr_matrix(more_genes.X.toarray() + 2)
    more = anndata.concat([cells, more_genes], axis="var", merge="first")
    cells = anndata.concat([more[24:], cells[:24]], join="outer", fill_value=0)
    with pytest.warns(MissingGenesWarning) as caught:
        suspicious(cells, "cell_type")
    (warning,) = caught
    assert "24 of 90 cells have no count in any of 60 of the model's 120 genes" in str(warning.message)
    assert "these zeros are learned" in str(warning.message)


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
            {"n_folds": 35},
            "y needs two types with 35 different cells each.* has 0 of 3; .*use a smaller n_folds=",
        ),
        ({"estimator": "svm"}, "estimator='svm' must be a GeneGCNClassifier"),
        ({"estimator": GeneGCNClassifier(diagonal=7)}, "diagonal=7"),
        ({"y": "type"}, "y='type' is not a column of .obs"),
        ({"y": ["B"] * 90}, "only one class is present"),
        ({"y": ["B"] * 3}, r"y has shape \(3,\)"),
        ({"y": np.linspace(0, 1, 90)}, "numbers with decimals"),
    ],
)
def test_mistakes_are_named(flipped, change, message):
    with pytest.raises(ArgumentError, match=message):
        suspicious(flipped, **{"y": "cell_type", "random_state": 0, **change})


def test_several_references_are_refused(flipped):
    with pytest.raises(ArgumentError, match=r"join them with anndata\.concat first") as error:
        suspicious([flipped, flipped.to_df()], "cell_type")
    assert error.value.argument == "cells"


def test_genes_as_rows_are_refused(flipped):
    table = pd.DataFrame(flipped.X.toarray(), index=[f"ENSG{i:011d}" for i in range(90)])
    with pytest.raises(ArgumentError, match=r"genes as rows \(ENSG00000000000"):
        suspicious(table, ["B", "T"] * 45)
