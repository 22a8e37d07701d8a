"""References and queries: which cells are on which side."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn.benchmark.accuracy import CellSet
from gene_gcn.benchmark.pairs import make_pairs, on_shared_genes


def make_set(name, types, batches, genes=range(40), **columns):
    """Counts of one; the index of a cell holds the name of its set."""
    n = len(types)
    obs = pd.DataFrame({"type": types, "batch": batches, **columns}, index=[f"{name}{i}" for i in range(n)])
    var = pd.DataFrame(index=[f"G{i}" for i in genes])
    X = sparse.csr_matrix(np.ones((n, len(var)), dtype=np.float32))
    return CellSet.prepare(name, anndata.AnnData(X, obs=obs.astype(object), var=var), "type")


@pytest.fixture(scope="module")
def sets():
    a = make_set(
        "a", ["B", "T", "NK"] * 20 + ["DC"] * 6, ["x"] * 30 + ["y"] * 36, donor=["1"] * 30 + ["2"] * 36
    )
    return [a, make_set("b", ["B", "T"] * 20 + ["HSC"] * 9, ["z"] * 49, genes=range(20, 60))]


def test_all_ordered_pairs_of_a_column_and_of_files(sets):
    pairs, skipped = make_pairs(sets, ["transfer"], ["batch", "donor"])
    assert [(pair.name, pair.family) for pair in pairs] == [
        ("a/x → a/y", "a, batch"),  # the donor is the batch
        ("a/y → a/x", "a, batch"),
        ("a → b", "b, other files"),
        ("b → a", "a, other files"),
    ]
    assert [str(reason) for reason in skipped] == [
        "b: groups='donor' is not a column of .obs. Columns with few values, which it could be: "
        "['type', 'batch']."
    ]
    first, _, between, _ = pairs
    assert first.shared_types == ["B", "NK", "T"] and first.query.types == {"B", "DC", "NK", "T"}
    reference, query = first.cells()
    assert not set(reference.obs_names) & set(query.obs_names) and query.n_obs == 36
    reference, query = between.cells()
    assert list(reference.var_names) == [f"G{i}" for i in range(40)] and query.var_names[-1] == "G59"
    shared = [f"G{i}" for i in range(20, 40)]
    assert [list(side.var_names) for side in on_shared_genes(reference, query)] == [shared, shared]


def test_small_types_are_excluded_from_their_side():
    cells = make_set("a", ["B", "T"] * 20 + ["NK"] * 9, ["x"] * 43 + ["y"] * 6)  # three NK cells in x
    cells.cells.obs["batch"] = ["x"] * 20 + ["y"] * 20 + ["x"] * 3 + ["y"] * 6
    pairs, _ = make_pairs([cells], ["transfer"], ["batch"])
    assert pairs[0].name == "a/x → a/y"
    assert pairs[0].reference.types == {"B", "T"} and pairs[0].query.types == {"B", "NK", "T"}
    assert pairs[1].query.types == {"B", "T"}


def test_pairs_that_share_too_little_are_skipped(sets):
    other = make_set("c", ["ductal", "beta", "B"] * 10, ["x"] * 30)
    mouse = make_set("d", ["B", "T"] * 10, ["x"] * 20, genes=range(100, 140))
    pairs, skipped = make_pairs([sets[1], other, mouse], ["transfer"])
    reasons = [str(reason) for reason in skipped]
    assert not pairs and len(reasons) == 6
    assert reasons[0] == "b → c: fewer than two types have at least five cells on both sides."
    assert reasons[1] == "b → d: only 0 genes have the same name on both sides."


def test_columns_with_many_values_are_skipped():
    cells = make_set("a", ["B", "T"] * 50, [f"x{i}" for i in range(100)])
    pairs, (reason,) = make_pairs([cells], ["transfer"], ["batch"])
    assert not pairs and str(reason).startswith("a: groups='batch' has 100 values, more than the 20")


def test_each_type_is_held_out_of_the_training_cells_of_each_fold(sets):
    pairs, skipped = make_pairs(sets[:1], ["held-out-types"])
    assert skipped == [] and len(pairs) == 5 * 4
    assert {pair.splits for pair in pairs} == {"held-out types, 5 folds"}
    assert pairs[0].name == "a without fold 0 → a fold 0, B held out"
    for pair in pairs:
        reference, query = pair.cells()
        assert pair.held_out not in set(reference.obs["type"]) and pair.held_out in set(query.obs["type"])
        assert not set(reference.obs_names) & set(query.obs_names)


def test_types_are_held_out_of_transfer_pairs_if_two_others_are_shared(sets):
    pairs, _ = make_pairs(sets, ["transfer", "held-out-types"], ["batch"])
    held_out = [pair for pair in pairs if pair.held_out]
    assert len(pairs) == 4 + 2 * 3 and {pair.family for pair in held_out} == {"a, batch"}
    assert {pair.splits for pair in held_out} == {"held-out types, transfer"}
    assert all("B" in pair.query.types for pair in held_out)
