"""Splits of labelled cells: nothing of a group that is held out is trained on."""

from __future__ import annotations

import numpy as np
import pytest

from gene_gcn.benchmark.accuracy import few_labels, folds, whole_groups


@pytest.mark.parametrize(("n_groups", "n_splits"), [(2, 2), (10, 10), (11, 5), (40, 5)])
def test_whole_groups_are_held_out_once_each(n_groups, n_splits):
    groups = np.random.default_rng(0).permutation(np.arange(200) % n_groups).astype(str)
    splits = whole_groups(groups)
    assert len(splits) == n_splits
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])
        assert sorted([*train, *test]) == list(range(200))
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(200))


def test_one_group_cannot_be_held_out():
    with pytest.raises(ValueError, match="groups has one value, 'a', for all 9 cells"):
        whole_groups(np.array(["a"] * 9))


def test_folds_and_few_labels():
    labels = np.array(["a", "b", "b"] * 20)
    assert sum(len(test) for _, test in folds(labels)) == 60
    for train, test in few_labels(labels, 4):
        assert sorted(labels[train]) == ["a"] * 4 + ["b"] * 4 and not set(train) & set(test)
