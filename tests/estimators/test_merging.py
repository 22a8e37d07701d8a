"""Models made of models say what models of all their cells say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from stored_cells import log1p, typed_cells

from gene_gcn import GeneGCNClassifier, GeneNetwork, merge_models
from gene_gcn.errors import ArgumentError, NetworkWarning

QUERY = typed_cells(500, seed=9)


def fit(cells, **parameters):
    return GeneGCNClassifier(random_state=0, **parameters).fit(cells, "cell_type")


@pytest.fixture(scope="module")
def parts():
    return typed_cells(300, seed=1), typed_cells(200, seed=2)


@pytest.fixture(scope="module")
def models(parts):
    return [fit(part) for part in parts]


@pytest.fixture(scope="module")
def merged(models):
    return merge_models(*models)


def accuracy(model, query=QUERY):
    return (model.predict(query) == query.obs["cell_type"]).mean()


def test_sums_are_those_of_all_cells_normalized_alike(parts, models, merged):
    moments = merged.fitted_.reference.moments
    matrices = [
        merged.normalizer_.transform(model._read(part)) for model, part in zip(models, parts, strict=True)
    ]
    for k, label in enumerate(merged.classes_):
        rows = [
            m[(part.obs["cell_type"] == label).to_numpy()] for m, part in zip(matrices, parts, strict=True)
        ]
        mean = sum(row.sum(0) for row in rows) / sum(row.shape[0] for row in rows)
        np.testing.assert_allclose(moments.means()[k], np.asarray(mean).ravel(), rtol=1e-4)
    squares = sum(np.asarray(m.multiply(m).sum(0)).ravel() for m in matrices)
    np.testing.assert_allclose(moments.squares.sum(0), squares, rtol=1e-4)


def test_merged_model_is_as_good_as_one_of_all_cells(parts, merged):
    assert accuracy(merged) > accuracy(fit([*parts])) - 0.01
    assert accuracy(merged) > 0.9


def test_merged_model_is_saved_annotates_and_finds_novel_cells(merged, tmp_path):
    merged.save(tmp_path / "model")
    loaded = GeneGCNClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(QUERY), merged.predict_proba(QUERY))
    assert np.mean(loaded.novelty(QUERY) < 0.01) < 0.05
    sets = loaded.predict_set(QUERY, alpha=0.1)
    own = np.searchsorted(loaded.classes_, QUERY.obs["cell_type"].astype(str))
    assert sets[np.arange(len(own)), own].mean() > 0.85
    np.testing.assert_allclose(merge_models(loaded, merged).prior_, 1 / 3)


def test_models_of_different_types_and_genes_know_all_types_and_shared_genes():
    cells = typed_cells(600, seed=3)
    of = cells.obs["cell_type"].to_numpy()
    first = fit(cells[of != "T", :30].copy())
    second = fit(cells[of != "B", 10:].copy())
    merged = merge_models(first, second)
    assert list(merged.classes_) == ["B", "NK", "T"]
    assert merged.genes_ == tuple(f"GENE{i}" for i in range(10, 30))
    together = fit(cells[:, 10:30].copy())
    shared = QUERY[:, 10:30].copy()
    assert accuracy(merged, shared) > accuracy(together, shared) - 0.02


def test_added_cells_count_as_if_they_had_been_there(parts, models):
    grown = models[0].add(parts[1], "cell_type")
    assert accuracy(grown) > 0.9
    counts = grown.fitted_.reference.moments.type_counts
    assert counts.sum() == sum(part.n_obs for part in parts)


def test_a_new_type_is_added_by_its_cells_alone():
    cells = typed_cells(600, seed=3)
    is_new = (cells.obs["cell_type"] == "T").to_numpy()
    grown = fit(cells[~is_new].copy()).add(cells[is_new].copy(), "cell_type")
    assert list(grown.classes_) == ["B", "NK", "T"] and accuracy(grown) > 0.9


def test_subset_scales_probabilities_to_one(models, tmp_path):
    whole = models[0]
    subset = whole.subset(["T", "B"])
    assert list(subset.classes_) == ["B", "T"]
    expected = whole.predict_proba(QUERY)[:, [0, 2]]
    np.testing.assert_allclose(
        subset.predict_proba(QUERY), expected / expected.sum(1, keepdims=True), rtol=1e-4, atol=1e-6
    )
    subset.save(tmp_path / "subset")
    loaded = GeneGCNClassifier.load(tmp_path / "subset")
    np.testing.assert_array_equal(loaded.predict(QUERY), subset.predict(QUERY))
    assert loaded.novelty(QUERY).shape == (QUERY.n_obs,)


# ---- forgetting ----


def test_forgotten_batch_leaves_the_sums_of_the_others(tmp_path):
    cells = typed_cells(500, seed=4)
    clf = GeneGCNClassifier(random_state=0).fit(cells, "cell_type", batch="donor")
    assert sorted(clf.batches_) == ["d1", "d2"]
    clf.save(tmp_path / "model")
    clf = GeneGCNClassifier.load(tmp_path / "model")
    assert sorted(clf.batches_) == ["d1", "d2"]
    left = clf.forget("d1")
    rest = cells[(cells.obs["donor"] == "d2").to_numpy()]
    X, moments = clf.normalizer_.transform(clf._read(rest)), left.fitted_.reference.moments
    assert moments.type_counts.sum() == rest.n_obs and left.batches_ == ("d2",)
    for k, label in enumerate(left.classes_):
        mean = X[(rest.obs["cell_type"] == label).to_numpy()].mean(0)
        np.testing.assert_allclose(moments.means()[k], np.asarray(mean).ravel(), rtol=1e-4)
    assert accuracy(left) > 0.9
    with pytest.raises(ArgumentError, match="'d1' is not among the batches .*: d2"):
        left.forget("d1")


def test_forgetting_does_not_depend_on_what_is_forgotten():
    cells = typed_cells(400, seed=5)
    left = []
    for seed in (6, 7):  # other cells of the donor that is forgotten, as deep as these
        other = typed_cells(400, seed=seed)
        own = (cells.obs["donor"] == "d2").to_numpy()
        mixed = cells.copy()
        mixed.X = sparse.csr_matrix(np.where(own[:, None], cells.X.toarray(), other.X.toarray()))
        clf = GeneGCNClassifier(random_state=0).fit(mixed, "cell_type", batch="donor")
        left.append(clf.forget("d1"))
    agree = (left[0].predict(QUERY) == left[1].predict(QUERY)).mean()
    assert agree > 0.97


# ---- what cannot be done ----


def test_networks_are_left_out_with_a_warning(parts):
    genes = tuple(parts[0].var_names)
    network = GeneNetwork(genes, np.array([[0, 1], [1, 2]]), np.array([1.0, 1.0]))
    model = fit(parts[0], network=network)
    with pytest.warns(NetworkWarning, match="no network of its own"):
        merged = model.merge(fit(parts[1]))
    assert merged.network_ is None and merged.network is None
    assert model.network_ is not None and model.subset(["B", "T"]).network_ is not None


def test_what_cannot_be_merged_is_refused(parts, models):
    with pytest.raises(ArgumentError, match="normalize expression differently"):
        models[0].merge(fit(parts[1], normalization="log1p"))
    logs = fit(parts[1][:, :20].copy(), normalization="log1p")
    with pytest.raises(ArgumentError, match="Logarithms cannot be scaled"):
        fit(log1p(parts[0]), normalization="log1p").merge(logs)
    renamed = parts[1].copy()
    renamed.var_names = [f"X{i}" for i in range(renamed.n_vars)]
    with pytest.raises(ArgumentError, match="0 genes in common"):
        models[0].merge(fit(renamed))
    with pytest.raises(ArgumentError, match="keeps no sums"):
        models[0].merge(fit(parts[1], missing_genes="zero"))
    with pytest.raises(ArgumentError, match="must be a fitted GeneGCNClassifier; it is a str"):
        merge_models(models[0], "model")
    with pytest.raises(ArgumentError, match="does not know"):
        models[0].subset(["B", "other"])
    with pytest.raises(ArgumentError, match="two types"):
        models[0].subset(["B"])
    with pytest.raises(ArgumentError, match="lacks 10 of the model's genes"):
        models[0].add(parts[1][:, 10:].copy(), "cell_type")
