"""A fit to cells on disk is the fit in memory."""

from __future__ import annotations

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from stored_cells import Rows, log1p, typed_cells

from gene_gcn import GeneGCNClassifier, GeneNetwork
from gene_gcn.cells import blocks, open_cells
from gene_gcn.errors import ArgumentError, EmptyCellsWarning, LabelWarning

QUERY = typed_cells(2000, seed=9)


def fit(X, y="cell_type", network=None, batch=None, **parameters):
    return GeneGCNClassifier(network, random_state=0, **parameters).fit(X, y, batch=batch)


def assert_alike(one, other, mean=1e-6, query=QUERY):
    """Probabilities differ by so little on average, and the same cells get the same types."""
    assert list(one.classes_) == list(other.classes_) and one.genes_ == other.genes_
    np.testing.assert_allclose(one.prior_, other.prior_)
    a, b = one.predict_proba(query), other.predict_proba(query)
    assert np.abs(a - b).mean() < mean
    assert (a.argmax(1) == b.argmax(1)).mean() >= 0.998


def write(cells, path):
    (cells.write_zarr if path.suffix == ".zarr" else cells.write_h5ad)(path)
    return path


@pytest.fixture(scope="module")
def many():
    return typed_cells(25_000)


@pytest.fixture(scope="module")
def fitted(many):
    return fit(many)


# ---- more cells than the sample ----


def test_streamed_fit_is_that_in_memory(many, fitted, tmp_path):
    streamed = fit(open_cells(write(many, tmp_path / "cells.h5ad")))
    assert_alike(streamed, fitted, 1e-3)
    assert streamed.history_["loss"].to_numpy() == pytest.approx(fitted.history_["loss"].to_numpy(), abs=1e-4)
    assert streamed.n_features_in_ == 40 and streamed.normalizer_.input_scale == "counts"
    a, b = streamed.novelty(QUERY), fitted.novelty(QUERY)
    assert np.abs(np.asarray(a) - np.asarray(b)).mean() < 0.01
    streamed.save(tmp_path / "model")
    loaded = GeneGCNClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(QUERY), streamed.predict_proba(QUERY))


def test_cells_sorted_by_type_give_the_same_model(many, fitted, tmp_path):
    """Other cells are drawn into the sample and folds, so that temperatures differ within their error."""
    ordered = many[np.argsort(many.obs["cell_type"], kind="stable")].copy()
    streamed = fit(open_cells(write(ordered, tmp_path / "cells.h5ad")))
    assert_alike(streamed, fitted, 1e-3)


def test_several_files_are_batches_as_in_memory(many, tmp_path):
    """All are streamed: one of them alone is smaller than the sample."""
    parts = [many[:15_000].copy(), log1p(many[15_000:])]
    paths = [write(parts[0], tmp_path / "a.h5ad"), write(parts[1], tmp_path / "b.zarr")]
    assert_alike(fit(open_cells(paths)), fit(parts), 1e-3)


# ---- fewer cells than the sample: the same arithmetic ----


@pytest.fixture
def cells():
    cells = typed_cells(900)
    cells.layers["log"] = log1p(cells).X
    cells.raw = typed_cells(900, 45)
    return cells


@pytest.fixture
def path(cells, tmp_path):
    return write(cells, tmp_path / "cells.h5ad")


def test_few_cells_give_the_same_model(cells, path):
    expected = fit(cells)
    for X in (open_cells(path), ad.read_h5ad(path, backed="r"), [ad.read_h5ad(path, backed="r")]):
        assert_alike(fit(X), expected)
    assert_alike(fit(ad.read_h5ad(path, backed="r")[100:700]), fit(cells[100:700].copy()))


def test_no_cells_are_annotated_as_in_memory(cells, tmp_path):
    cells[:0].copy().write_h5ad(tmp_path / "none.h5ad")
    backed, empty = ad.read_h5ad(tmp_path / "none.h5ad", backed="r"), cells[:0].copy()
    clf = fit(cells)
    for each in (backed, empty):
        with pytest.warns(EmptyCellsWarning, match="contains no cells"):
            clf.annotate(each, unknown=True)
    assert list(backed.obs) == list(empty.obs) and "gene_gcn_novelty" in backed.obs


def test_large_files_are_streamed_by_themselves(cells, path, monkeypatch):
    monkeypatch.setattr(blocks, "LARGEST_IN_MEMORY", 1000)
    monkeypatch.setattr("gene_gcn.cells.files.read_cells", None)
    assert_alike(fit(path), fit(cells))
    assert_alike(fit([str(path)]), fit(cells))


@pytest.mark.parametrize("options", [{"layer": "log"}, {"use_raw": True}, {"layer": "log", "scale": "log1p"}])
def test_other_matrices_than_X(cells, path, options):
    query = QUERY.copy()
    query.layers["log"], query.raw = log1p(query).X, typed_cells(2000, 45, seed=9)
    expected = fit(cells, **options)
    assert_alike(fit(open_cells(path, **options), **options), expected, query=query)
    assert_alike(fit(ad.read_h5ad(path, backed="r"), **options), expected, query=query)


@pytest.mark.parametrize("normalization", ["log1p", "none"])
def test_other_normalizations(cells, path, normalization):
    backed = ad.read_h5ad(path, backed="r")
    expected = fit(cells, normalization=normalization)
    assert_alike(fit(backed, normalization=normalization), expected)


@pytest.mark.parametrize("kind", ["dense", "CSR of float64"])
def test_other_layouts(cells, tmp_path, kind):
    stored = cells.copy()
    stored.X = stored.X.toarray() if kind == "dense" else stored.X.astype(float)
    assert_alike(fit(open_cells(write(stored, tmp_path / "other.h5ad"))), fit(cells))


def test_cells_without_a_label_are_left_out(cells, tmp_path):
    cells.obs["cell_type"] = cells.obs["cell_type"].where(np.arange(900) % 3 > 0)
    path = write(cells, tmp_path / "gaps.h5ad")
    with pytest.warns(
        LabelWarning, match="300 of 900 cells have no label; cells on disk are learned from only"
    ):
        model = fit(open_cells(path), batch="donor")
    labeled = cells[np.arange(900) % 3 > 0].copy()
    # Depth and fractions of genes are those of all cells.
    assert_alike(model, fit(labeled, batch="donor"), 0.01)


def test_batches(cells, path):
    expected = fit(cells, batch="donor")
    assert_alike(fit(open_cells(path), batch="donor"), expected)
    assert_alike(fit(open_cells(path), batch=cells.obs["donor"].to_numpy()), expected)


@pytest.mark.parametrize("network", ["coexpression", "ring"])
def test_networks(cells, path, network):
    if network == "ring":
        genes = tuple(cells.var_names)
        network = GeneNetwork(genes, np.array([range(40), [*range(1, 40), 0]]), np.ones(40))
    expected, found = fit(cells, network=network), fit(open_cells(path), network=network)
    assert_alike(found, expected)
    assert found.network_.num_edges == expected.network_.num_edges > 0


def test_a_network_with_streamed_cells(many, tmp_path):
    streamed = fit(open_cells(write(many, tmp_path / "cells.h5ad")), network="coexpression")
    assert streamed.network_.num_edges > 0
    assert (streamed.predict(QUERY) == QUERY.obs["cell_type"].to_numpy()).mean() > 0.99


def test_objects_with_slices(cells):
    labels, expected = cells.obs["cell_type"].to_numpy(), fit(cells)
    named = fit(Rows(cells.X, cells.var_names), labels)
    assert_alike(named, expected)
    assert_alike(fit(Rows(cells), pd.Series(labels)), expected)
    nameless = fit(Rows(cells.X.toarray()), labels)
    assert nameless.genes_ is None
    assert_alike(nameless, fit(cells.X, labels), query=QUERY.X)
    assert_alike(
        fit([Rows(cells[:500].copy()), Rows(cells[500:].copy())], [labels[:500], labels[500:]]),
        fit([cells[:500].copy(), cells[500:].copy()], "cell_type"),
    )


# ---- what is refused leaves the estimator as it was ----


@pytest.fixture
def classifier(cells):
    classifier = fit(cells)
    before = dict(vars(classifier))
    yield classifier
    assert vars(classifier).keys() == before.keys()
    assert all(vars(classifier)[name] is value for name, value in before.items())


@pytest.mark.parametrize("y", ["type", "cell_typ", None])
def test_labels_that_one_file_lacks(classifier, path, tmp_path, y):
    other = typed_cells(100, seed=3)
    other.obs = other.obs.rename(columns={"cell_type": "type"})
    second = write(other, tmp_path / "second.h5ad")
    name = "cells.h5ad" if y != "cell_type" else "second.h5ad"
    with pytest.raises(ArgumentError, match=name) as caught:
        classifier.fit(open_cells([path, second]), y)
    assert caught.value.argument == "y"
    with pytest.raises(ArgumentError, match="second.h5ad': .* is not a column of .obs"):
        classifier.fit(open_cells([path, second]), "cell_type")


def test_labels_of_objects_need_values(classifier, cells):
    with pytest.raises(ArgumentError, match="names a column of .obs, but X is a"):
        classifier.fit(Rows(cells.X), "cell_type")
    with pytest.raises(ArgumentError, match="X has 900 cells"):
        classifier.fit(Rows(cells.X), ["B", "T"])


def test_loaders_are_refused(classifier, cells):
    class Loader:
        batch_size = 64

        def __iter__(self):
            yield {"X": cells.X, "obs": cells.obs}

    with pytest.raises(ArgumentError, match="Loader, which yields batches"):
        classifier.fit(Loader(), "cell_type")


def test_a_bad_block_ends_the_fit_in_its_first_pass(classifier, many, path, tmp_path):
    second = write(many, tmp_path / "second.h5ad")
    with h5py.File(second, "r+") as file:
        file["X/data"][-1] = np.nan
    opened = open_cells([path, second])
    with pytest.raises(
        ArgumentError, match=r"second.h5ad', cells 24,577 to 25,000, have values that are NaN"
    ):
        classifier.fit(opened, "cell_type")


def test_a_file_that_changes_during_the_fit_is_named(classifier, many):
    """Index arrays are checked at every reading."""

    class Changing(Rows):
        def __getitem__(self, rows):
            block = super().__getitem__(rows)
            if sum(self.read) > 60_000:
                block.indices[0] = 2**30
            return block

    with pytest.raises(ArgumentError, match="the Changing, cells .* cannot be read"):
        classifier.fit(Changing(sparse.csr_matrix(many.X)), many.obs["cell_type"].to_numpy())
