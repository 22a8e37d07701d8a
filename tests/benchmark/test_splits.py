"""Splits of labeled cells: test cells are not trained on, and what is removed is gone."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn.benchmark.splits import (
    KINDS,
    downsample,
    few_labels,
    folds,
    make_splits,
    most_variable,
    whole_groups,
)

LABELS = np.array(["a", "b", "b", "c"] * 60)


@pytest.fixture(scope="module")
def cells():
    """Counts of 600 genes, of which the last hundred vary with the type."""
    rng = np.random.default_rng(0)
    mean = np.where(np.arange(600) < 500, 3.0, np.where(LABELS == "b", 9.0, 0.5)[:, None])
    obs = pd.DataFrame(
        {"type": LABELS.astype(object), "donor": [f"d{i % 3}" for i in range(240)], "one": "same"},
        index=[f"c{i}" for i in range(240)],
    )
    var = pd.DataFrame(index=[f"G{i}" for i in range(600)])
    return anndata.AnnData(sparse.csr_matrix(rng.poisson(mean).astype(np.float32)), obs=obs, var=var)


@pytest.mark.parametrize(("n_groups", "n_splits"), [(2, 2), (10, 10), (11, 5), (40, 5)])
def test_whole_groups_are_held_out_once_each(n_groups, n_splits):
    groups = np.random.default_rng(0).permutation(np.arange(200) % n_groups).astype(str)
    pairs = whole_groups(groups)
    assert len(pairs) == n_splits
    for train, test in pairs:
        assert not set(groups[train]) & set(groups[test])
        assert sorted([*train, *test]) == list(range(200))
    assert sorted(np.concatenate([test for _, test in pairs])) == list(range(200))


def test_one_group_cannot_be_held_out():
    with pytest.raises(ValueError, match="groups has one value, 'a', for all 9 cells"):
        whole_groups(np.array(["a"] * 9))


def test_folds_and_few_labels():
    labels = np.array(["a", "b", "b"] * 20)
    assert sum(len(test) for _, test in folds(labels)) == 60
    for train, test in few_labels(labels, 4):
        assert sorted(labels[train]) == ["a"] * 4 + ["b"] * 4 and not set(train) & set(test)


def test_small_types_give_half_of_their_cells():
    labels = np.array(["a"] * 5 + ["b"] * 100)
    for train, test in few_labels(labels, 10):
        assert pd.Series(labels[train]).value_counts().to_dict() == {"a": 2, "b": 10}
        assert sorted([*train, *test]) == list(range(105))


def test_names_of_every_kind(cells):
    made, skipped = make_splits(cells, "type", KINDS, cells_per_type=(5, 20), groups=["donor"], seeds=2)
    names = pd.Series([split.name for split in made])
    assert skipped == [] and names.value_counts(sort=False).to_dict() == {
        "5 folds": 5,
        "5 per type": 2,
        "20 per type": 2,
        "groups donor": 3,
        "30 % depth, 10 per type": 2,
        "30 % depth, 50 per type": 2,
        "10 % depth, 10 per type": 2,
        "10 % depth, 50 per type": 2,
        "50 % of genes, 10 per type": 2,
        "50 % of genes, 50 per type": 2,
        "10 % of genes, 10 per type": 2,
        "10 % of genes, 50 per type": 2,
        "500 genes, 10 per type": 2,
        "500 genes, 50 per type": 2,
    }
    for split in made:
        train, test = split.cells(cells)
        assert not set(train.obs_names) & set(test.obs_names)
        assert train.n_vars == 600 and set(train.obs["type"]) == set(test.obs["type"]) == {"a", "b", "c"}
        assert test.n_vars == {0.5: 300, 0.1: 60, 500: 500}.get(split.panel, 600)
        assert list(test.var_names) == [gene for gene in cells.var_names if gene in set(test.var_names)]
        again = split.cells(cells)
        assert (again[0].X != train.X).nnz == 0 and (again[1].X != test.X).nnz == 0  # the same every time


def test_impossible_splits_are_skipped(cells):
    values = cells[:, :400].copy()
    values.X = values.X * 0.3
    made, skipped = make_splits(
        values,
        "type",
        ("few-label", "groups", "downsampled", "missing-gene"),
        cells_per_type=(500,),
        groups=["lab", "one", "donor"],
        seeds=1,
    )
    assert {split.name for split in made} == {
        "groups donor",
        *(f"{share} % of genes, {n} per type" for share in (50, 10) for n in (10, 50)),
    }
    for reason, words in zip(
        skipped,
        (
            "no type has more than 500 cells",
            "groups='lab' is not a column",
            "groups has one value",
            "not whole numbers",
            "500 genes of 400",
        ),
        strict=True,
    ):
        assert words in str(reason)


def test_downsampling_is_binomial(cells):
    before, after = cells.X.toarray(), downsample(cells, 0.3, 0).X.toarray()
    assert (after == np.rint(after)).all() and (after <= before).all() and after.shape == before.shape
    n = before.sum()
    assert abs(after.sum() - 0.3 * n) < 4 * np.sqrt(n * 0.3 * 0.7)
    of_nine = after[before == 9]
    assert of_nine.var() == pytest.approx(9 * 0.3 * 0.7, rel=0.15)
    assert (downsample(cells, 0.3, 1).X != downsample(cells, 0.3, 0).X).nnz > 0
    assert (cells.X.toarray() == before).all()


def test_panel_is_chosen_on_training_cells(cells):
    assert set(most_variable(cells, 100)) == set(range(500, 600))
    made, _ = make_splits(cells, "type", ["missing-gene"], seeds=1)
    split = next(split for split in made if split.name == "500 genes, 10 per type")
    train, test = split.cells(cells)
    assert set(test.var_names) == set(cells.var_names[most_variable(train, 500)])
    other = cells.copy()
    other.X = sparse.diags_array(np.isin(np.arange(240), split.train).astype(np.float32)) @ other.X
    assert list(split.cells(other)[1].var_names) == list(test.var_names)
