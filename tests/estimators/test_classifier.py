"""The estimator: scikit-learn's contract, AnnData, networks, saving."""

from __future__ import annotations

import copy
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import anndata
import example_cells
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from gene_gcn import CellEmbedding, GeneGCNClassifier, GeneNetwork
from gene_gcn.cells import read_expression
from gene_gcn.errors import (
    ArgumentError,
    EmptyCellsWarning,
    LabelWarning,
    MissingGenesWarning,
    NetworkWarning,
)
from gene_gcn.estimators.fitted import LinearModel
from gene_gcn.nn import GlobalGraph


@parametrize_with_checks([GeneGCNClassifier()])
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="sklearn")  # of its own data
        check(estimator)


def simulate(n_cells=120, n_genes=60, n_types=3, seed=0) -> anndata.AnnData:
    """Counts in which every type has its own highly expressed genes."""
    rng = np.random.default_rng(seed)
    kind = np.arange(n_cells) % n_types
    rate = np.full((n_types, n_genes), 0.5)
    for k in range(n_types):
        rate[k, k * 10 : (k + 1) * 10] = 4
    X = sparse.csr_matrix(rng.poisson(rate[kind]).astype(np.float32))
    obs = pd.DataFrame(
        {"cell_type": pd.Categorical([f"type {k}" for k in kind])}, index=[f"cell{i}" for i in range(n_cells)]
    )
    var = pd.DataFrame(
        {"ensembl": [f"ENSG{i:011d}" for i in range(n_genes)]}, index=[f"GENE{i}" for i in range(n_genes)]
    )
    return anndata.AnnData(X, obs=obs, var=var)


@pytest.fixture(scope="module")
def cells():
    return simulate()


@pytest.fixture(scope="module")
def network(cells):
    rng = np.random.default_rng(1)
    return GeneNetwork(
        tuple(cells.var_names), rng.integers(0, cells.n_vars, (2, 200)), rng.uniform(1, 9, 200)
    )


DEEP = {"attention": "embedded_dot", "hidden_channels": (128, 64), "max_epochs": 15}


@pytest.fixture(scope="module", params=["exact", "deep"])
def fitted(cells, network, request):
    parameters = DEEP if request.param == "deep" else {}
    return GeneGCNClassifier(network, random_state=0, **parameters).fit(cells, "cell_type")


def test_learns_and_annotates_new_cells(fitted):
    query = simulate(seed=5)
    assert fitted.score(query, "cell_type") > 0.9
    probability = fitted.predict_proba(query)
    assert probability.shape == (120, 3)
    np.testing.assert_allclose(probability.sum(1), 1, rtol=1e-5)
    assert (fitted.predict(query) == fitted.classes_[probability.argmax(1)]).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"attention": None, "hidden_channels": ()},
        {"hidden_channels": ()},
        {"class_weight": None},
        {"missing_genes": "zero"},
        {"attention": None},
        {"network": None},
        {"network": None, "attention": None},
        {"residual": False},
        {"diagonal": 1},
        {"network_normalization": "max"},
        {"channels": 3},
        {"num_layers": 2},
        {"num_layers": 0},
        {"head_init": "random"},
        {"head_init": "autoencoder"},
        {"optimizer": "adam"},
        {"class_weight": "balanced"},
        {"class_weight": {"type 0": 2.0}},
        {"dropout": 0.2},
        {"network": "coexpression"},
        {"hidden_channels": (8,)},
        {"normalization": "log1p"},
        {"validation_fraction": 0.2},
        {"attention": "dot"},
        {"attention": "additive"},
        {"heads": 3},
        {"attention": "dot", "channels": 4, "heads": 2},
        {"learn_mixing": True},
    ],
)
def test_every_part_switches_on_and_off(cells, network, parameters):
    clf = GeneGCNClassifier(**{"network": network, **DEEP, "max_epochs": 8, "random_state": 0, **parameters})
    clf.fit(cells, "cell_type")
    assert clf.score(simulate(seed=5), "cell_type") > 0.8
    assert len(clf.history_) <= 8


def test_mixing_weights_are_learned_reported_and_saved(cells, network, tmp_path):
    clf = GeneGCNClassifier(
        network, learn_mixing=True, num_layers=2, random_state=0, **DEEP | {"max_epochs": 4}
    )
    mixing = clf.fit(cells, "cell_type").mixing_
    assert list(mixing.columns) == ["individual", "global"] and len(mixing) == 2
    assert (mixing > 0).all(axis=None) and (mixing != 1).any(axis=None)
    clf.save(tmp_path / "model")
    pd.testing.assert_frame_equal(GeneGCNClassifier.load(tmp_path / "model").mixing_, mixing)
    fixed = GeneGCNClassifier(network, random_state=0, **DEEP | {"channels": 2, "max_epochs": 1})
    assert (fixed.fit(cells, "cell_type").mixing_ == 1).all(axis=None)


def test_graphs_change_the_model(cells, network):
    fitted = GeneGCNClassifier(network, random_state=0, **DEEP).fit(cells, "cell_type")
    without = clone(fitted).set_params(network=None).fit(cells, "cell_type")
    assert not np.allclose(fitted.predict_proba(cells), without.predict_proba(cells), atol=1e-5)
    assert fitted.network_.num_edges == network.num_edges
    assert without.network_ is None


def test_an_exact_fit_on_negative_values_does_not_use_the_network(cells, network):
    X, y = cells.X.toarray() - 1, cells.obs["cell_type"].to_numpy()
    with pytest.warns(NetworkWarning, match="the network is not used. Pass optimizer='sgd'"):
        clf = GeneGCNClassifier(network, random_state=0).fit(X, y)
    without = GeneGCNClassifier(None, random_state=0).fit(X, y)
    assert clf.mixing_["global"].tolist() == [0]
    np.testing.assert_allclose(clf.predict_proba(X), without.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("genes", [60, 40])
def test_the_module_computes_what_the_classifier_does(cells, network, genes):
    clf = GeneGCNClassifier(network, random_state=0).fit(cells, "cell_type")
    clf.fitted_ = LinearModel(
        replace(clf.fitted_.head, network_weight=0.8),
        graph_of(network),
        clf.imputer_,
        True,
        clf.fitted_.reference,
    )
    query = cells[:, :genes].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingGenesWarning)
        probability = clf.predict_proba(query)
        x = torch.from_numpy(clf.normalizer_.transform(read_expression(query)).toarray())
    if genes < cells.n_vars:
        present = torch.arange(cells.n_vars) < genes
        x = clf.imputer_.impute(x, present, clf.imputer_.encoder(present)).clamp(min=0)
    logits = clf.model_(x, graph_of(network))
    np.testing.assert_allclose(probability, logits.softmax(1).detach(), atol=1e-5 if genes == 60 else 0.02)
    assert clf.mixing_["global"].tolist() == [0.8]


@pytest.mark.parametrize("parameters", [{}, {"attention": "embedded_dot", "max_epochs": 2}])
def test_the_graph_is_prepared_once(cells, network, monkeypatch, tmp_path, parameters):
    clf = GeneGCNClassifier(network, random_state=0, **parameters).fit(cells, "cell_type")
    clf.save(tmp_path / "model")
    loaded = GeneGCNClassifier.load(tmp_path / "model")
    monkeypatch.setattr(GlobalGraph, "prepare", lambda graph: pytest.fail("was prepared again"))
    np.testing.assert_array_equal(clf.predict_proba(cells), loaded.predict_proba(cells))


def graph_of(network):
    return GlobalGraph(network.normalized("sym").adj_t).prepare()


@pytest.mark.parametrize("clone_of", [copy.deepcopy, lambda clf: pickle.loads(pickle.dumps(clf))])
def test_fitted_classifiers_can_be_copied_and_pickled(cells, fitted, clone_of):
    np.testing.assert_array_equal(clone_of(fitted).predict_proba(cells), fitted.predict_proba(cells))


@pytest.mark.parametrize("parameters", [{}, {"hidden_channels": (8,), "dropout": 0.3, "max_epochs": 3}])
def test_fits_in_python_threads_give_what_they_give_one_after_another(cells, parameters):
    def fit(seed):
        clf = GeneGCNClassifier(random_state=seed, **parameters).fit(cells, "cell_type")
        return clf.predict_proba(cells)

    alone = [fit(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for expected, found in zip(alone, pool.map(fit, range(4)), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_an_exact_fit_does_not_depend_on_threads():
    """So many cells and genes that dense operations would be spread over several threads."""
    large = simulate(700, 3000)
    clf = GeneGCNClassifier("coexpression", random_state=0)
    expected = clone(clf).fit(large, "cell_type").fitted_.head.weight
    before = torch.get_num_threads()
    try:
        for ambient, n_jobs in ((3, None), (1, 2), (2, -1)):
            torch.set_num_threads(ambient)
            weight = clone(clf).set_params(n_jobs=n_jobs).fit(large, "cell_type").fitted_.head.weight
            assert torch.equal(weight, expected)
            assert torch.get_num_threads() == ambient
    finally:
        torch.set_num_threads(before)


def test_one_model_annotates_cells_that_lack_genes(cells, network):
    fitted = GeneGCNClassifier(network, random_state=0).fit(cells, "cell_type")
    query = simulate(seed=5)[:, ::2]
    with pytest.warns(MissingGenesWarning, match="30 of the model's 60 genes"):
        imputed = fitted.score(query, "cell_type")
    zeros = clone(fitted).set_params(missing_genes="zero").fit(cells, "cell_type")
    with pytest.warns(MissingGenesWarning, match="30 of the model's 60 genes"):
        assert imputed >= zeros.score(query, "cell_type") and imputed > 0.9


def test_paper_settings(cells, network):
    clf = GeneGCNClassifier.paper(network, max_epochs=2, random_state=0)
    assert (clf.optimizer, clf.batch_size, clf.head_init) == ("adam", 1, "random")
    assert (clf.attention, clf.hidden_channels, clf.class_weight) == ("embedded_dot", (128, 64), None)
    assert clf.fit(cells, "cell_type").score(cells, "cell_type") > 0.5


@pytest.mark.parametrize("form", ["anndata", "dense anndata", "dataframe", "shuffled", "log1p", "ensembl"])
def test_forms_of_the_same_cells_get_the_same_types(cells, network, fitted, form):
    expected, query = fitted.predict_proba(cells), cells.copy()
    if form == "dense anndata":
        query.X = query.X.toarray()
    elif form == "dataframe":
        query = query.to_df()
    elif form == "shuffled":
        query = query[:, np.random.default_rng(0).permutation(query.n_vars)].copy()
    elif form == "log1p":
        query.X = sparse.csr_matrix(
            sparse.diags_array(1e4 / np.asarray(query.X.sum(1)).ravel()) @ query.X
        ).log1p()
    elif form == "ensembl":
        query.var = query.var.assign(symbol=query.var_names).set_index("ensembl")
        fitted = copy.copy(fitted).set_params(gene_column="symbol")
    np.testing.assert_allclose(fitted.predict_proba(query), expected, atol=1e-4)


@pytest.mark.parametrize("as_path", [str, Path])
def test_cells_are_read_from_a_file(cells, tmp_path, as_path):
    cells.write_h5ad(tmp_path / "x.h5ad")
    path = as_path(tmp_path / "x.h5ad")
    clf = GeneGCNClassifier(random_state=0).fit(path, "cell_type", unlabelled=path)
    expected = GeneGCNClassifier(random_state=0).fit(cells, "cell_type", unlabelled=cells)
    np.testing.assert_array_equal(clf.predict_proba(path), expected.predict_proba(cells))
    np.testing.assert_array_equal(clf.predict(path), expected.predict(cells))
    assert clf.score(path, "cell_type") == expected.score(cells, "cell_type")
    with pytest.raises(FileNotFoundError, match="'absent.h5ad' does not exist"):
        clf.predict(as_path("absent.h5ad"))


def test_labels_in_a_table_of_cells_are_found_by_name(cells, tmp_path):
    table = cells.to_df()
    table["cluster"] = np.arange(120) % 3  # which would be a gene otherwise
    table.to_csv(tmp_path / "x.csv")
    clf = GeneGCNClassifier(random_state=0).fit(tmp_path / "x.csv", "cluster")
    assert clf.genes_ == tuple(cells.var_names) and clf.score(tmp_path / "x.csv", "cluster") > 0.9


def test_genes_as_rows_are_refused(cells):
    query = cells.copy()
    query.var_names = query.var["ensembl"]
    clf = GeneGCNClassifier(random_state=0).fit(query, "cell_type")
    with pytest.raises(
        ArgumentError, match=r"^X has genes as rows \(ENSG00000000000, .*transpose it \(X.T\)"
    ):
        clf.fit(query.T.copy(), ["a", "b"] * 30)
    with pytest.raises(ArgumentError, match="y='cell_type' is a column of .var, not of .obs; if the rows"):
        clf.fit(cells.T.copy(), "cell_type")
    for model, X in [(clf, query), (GeneGCNClassifier(random_state=0).fit(cells, "cell_type"), cells)]:
        with pytest.raises(ArgumentError, match="rows of X are named like 60 genes of the model: transpose"):
            model.predict(X.T.copy())


def test_arrays_and_sparse_matrices_agree(cells):
    dense, labels = cells.X.toarray(), cells.obs["cell_type"].to_numpy()
    clf = GeneGCNClassifier(max_epochs=5, random_state=0)
    from_array = clone(clf).fit(dense, labels).predict_proba(dense)
    for matrix in (cells.X, cells.X.tocsc(), sparse.coo_array(cells.X)):
        np.testing.assert_array_equal(clone(clf).fit(matrix, labels).predict_proba(matrix), from_array)


def test_columns_are_those_of_the_matrix_that_is_read(cells):
    clf = GeneGCNClassifier(use_raw=True, random_state=0).fit(cells.X, cells.obs["cell_type"])
    query = cells[:, :20].copy()
    query.raw = cells
    np.testing.assert_array_equal(clf.predict(query), clf.predict(cells.X))
    query.raw = query
    with pytest.raises(ValueError, match="X has 20 features, but the model is expecting 60 features"):
        clf.predict(query)


def test_missing_genes_warn_once_with_the_overlap(cells, fitted):
    with pytest.warns(
        MissingGenesWarning, match=r"20 of the model's 60 genes \(33.3%\) are missing"
    ) as record:
        fitted.predict(cells[:, :40])
    assert sum(issubclass(warning.category, MissingGenesWarning) for warning in record) == 1


@pytest.mark.parametrize("estimator", [GeneGCNClassifier, CellEmbedding])
def test_joined_panels_in_training_are_told(estimator):
    cells = simulate(n_cells=160, n_genes=300)
    everywhere = np.random.default_rng(1).poisson(2.0, cells.shape).astype(np.float32)
    cells.X = sparse.csr_matrix(cells.X + everywhere)
    part = cells[90:, ::2]
    joined = anndata.concat([cells[:90], part], join="outer", fill_value=0)
    joined.obs_names_make_unique()
    told = r"70 of 160 cells have no count in any of 150 of the model's 300 genes.*learned.*join='inner'"
    with pytest.warns(MissingGenesWarning, match=told) as record:
        estimator(max_epochs=1, random_state=0).fit(joined, "cell_type")
    assert sum(issubclass(warning.category, MissingGenesWarning) for warning in record) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", MissingGenesWarning)
        estimator(max_epochs=1, random_state=0).fit(cells, "cell_type")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a[:, :0], r"0 feature\(s\)"),
        (lambda a: renamed(a, [f"ENSMUSG{i:011d}" for i in range(60)]), "mouse Ensembl gene ids"),
        (lambda a: renamed(a, [g.capitalize() for g in a.var_names]), "organism=.mouse"),
        (lambda a: with_value(a, np.nan), "NaN"),
        (lambda a: with_value(a, np.inf), "infinity"),
        (lambda a: with_value(a, -1), "negative values"),
    ],
)
def test_queries_that_cannot_be_read_are_refused(cells, fitted, change, message):
    with pytest.raises(ValueError, match=message):
        fitted.predict(change(cells))


def renamed(adata, names):
    adata = adata.copy()
    adata.var = adata.var.drop(columns="ensembl")
    adata.var_names = names
    return adata


def with_value(adata, value):
    adata = adata.copy()
    adata.X[0, 0] = value
    return adata


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("celltype", "Did you mean 'cell_type'"),
        (["a"] * 120, "only one class"),
        ([None] + ["a", "b"] * 59 + ["a"], "missing"),
        (["a", "b"], "120 cells"),
        (None, "requires y"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(cells, labels, message):
    with pytest.raises(ValueError, match=message):
        GeneGCNClassifier(optimizer="sgd", max_epochs=1).fit(cells, labels)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"optimizer": "sgdd"}, r"optimizer='sgdd' must be one of"),
        ({"diagonal": 2}, "diagonal=2"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"dropout": 1}, "dropout=1"),
        ({"num_layers": -1}, "num_layers=-1"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0"),
        ({"hidden_channels": (0,)}, r"hidden_channels=\(0,\)"),
        (
            {"head_init": "autoencoder"},
            "head_init='autoencoder' initializes hidden layers, but there are none",
        ),
        (
            {"optimizer": "lbfgs", "attention": "dot"},
            "cannot train attention='dot'; pass optimizer='sgd' or optimizer='adam'",
        ),
        ({"missing_genes": "drop"}, "missing_genes='drop' must be 'impute', 'refit' or 'zero'"),
        ({"normalization": "rank"}, "normalization='rank'"),
        ({"network": 3}, "network=3 has type int; pass"),
        ({"device": "gpu0"}, "device='gpu0'"),
        ({"layer": "counts"}, "layer='counts'"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"head_init": "zero"}, "head_init"),
        ({"heads": 0}, "heads=0"),
        ({"attention": "gauss"}, "attention='gauss' must be one of .*'additive'"),
        ({"attention": "dot", "heads": 2}, "heads=2 does not divide channels=1"),
        ({"learn_mixing": True}, "learn_mixing=True needs both graphs"),
    ],
)
def test_wrong_parameters_are_named(cells, parameters, message):
    with pytest.raises(ArgumentError, match=message) as error:
        GeneGCNClassifier(max_epochs=1, **parameters).fit(cells, "cell_type")
    assert error.value.argument in parameters


@pytest.fixture(scope="module", params=["components", "autoencoder"])
def pretrained(cells, request):
    """A classifier that learns from 30 labeled and 90 unlabeled cells."""
    if request.param == "components":
        return GeneGCNClassifier(random_state=0).fit(cells[:30], "cell_type", unlabelled=cells[30:])
    clf = GeneGCNClassifier(
        head_init="autoencoder", hidden_channels=(16,), normalization="log1p", max_epochs=4, random_state=0
    )
    return clf.fit(cells[:30], "cell_type", unlabelled=cells[30:])


@pytest.mark.parametrize("missing", [None, np.nan, "", " ", pd.NA])
def test_cells_without_a_label_are_unlabeled_cells(cells, pretrained, missing):
    labels = cells.obs["cell_type"].astype(object).to_numpy(copy=True)
    labels[30:] = missing
    clf = clone(pretrained).fit(cells, labels)
    assert clf.classes_.tolist() == pretrained.classes_.tolist()
    np.testing.assert_allclose(clf.predict_proba(cells), pretrained.predict_proba(cells), atol=1e-4)


def test_unlabeled_cells_take_part_and_are_matched_by_name(cells, pretrained):
    without = clone(pretrained).fit(cells[:30], "cell_type")
    assert not np.allclose(without.predict_proba(cells), pretrained.predict_proba(cells), atol=1e-3)
    others = cells[30:, np.random.default_rng(0).permutation(cells.n_vars)].to_df()
    again = clone(pretrained).fit(cells[:30], "cell_type", unlabelled=others)
    np.testing.assert_array_equal(again.predict_proba(cells), pretrained.predict_proba(cells))


def test_labels_may_be_missing_in_arrays_and_columns(cells):
    clf = GeneGCNClassifier(random_state=0)
    numbers = np.where(np.arange(120) < 60, np.arange(120) % 3, np.nan)
    assert clone(clf).fit(cells.X, numbers).classes_.tolist() == [0, 1, 2]
    column = cells.copy()
    column.obs["cell_type"] = column.obs["cell_type"].where(np.arange(120) < 60)
    assert len(clone(clf).fit(column, "cell_type").classes_) == 3
    with pytest.raises(ValueError, match="60 labels are missing or empty"):
        clone(clf).set_params(optimizer="sgd", max_epochs=1).fit(column, "cell_type")


@pytest.mark.parametrize("head_init", ["pca", "random"])
def test_unlabeled_cells_that_nothing_learns_from_are_refused(cells, head_init):
    message = (
        "unlabelled= holds cells without labels, which are used only with optimizer='lbfgs' or head_init="
    )
    with pytest.raises(ArgumentError, match=message):
        GeneGCNClassifier(head_init=head_init, hidden_channels=(8,)).fit(cells, "cell_type", unlabelled=cells)


def test_network_of_other_genes_is_refused(cells):
    network = GeneNetwork(["Cd3e", "Cd4"], [[0], [1]])
    with pytest.raises(ValueError, match=r"share 0 genes.*Cd3e.*GENE0"):
        GeneGCNClassifier(network).fit(cells, "cell_type")
    with pytest.raises(ValueError, match="network has 2 genes, X 60 columns"):
        GeneGCNClassifier(network).fit(cells.X, cells.obs["cell_type"].to_numpy())


@pytest.mark.parametrize(
    "labels",
    [
        np.array([3, 7, 9]),
        np.array([True, False, True]),
        np.array([0.5, 1.5, 2.5]).astype(object).astype(str),
        np.array(["b", "a", "c"], dtype=object),
        pd.array(["x", "y", "z"], dtype="string"),
        np.array([1, 2, 3], dtype=np.uint8),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_of_any_dtype_come_back_as_given(cells, labels, tmp_path):
    y = labels[np.arange(120) % 3]
    clf = GeneGCNClassifier(max_epochs=3, random_state=0).fit(cells, y)
    assert set(clf.predict(cells)) <= set(np.unique(np.asarray(y)))
    assert clf.classes_.dtype == np.unique(np.asarray(y)).dtype
    clf.save(tmp_path / "model")
    loaded = GeneGCNClassifier.load(tmp_path / "model")
    assert loaded.classes_.dtype == clf.classes_.dtype
    np.testing.assert_array_equal(loaded.predict(cells), clf.predict(cells))


def test_same_seed_same_model_and_no_global_state(cells, network, fitted):
    np.random.seed(11)
    torch.manual_seed(11)
    expected = np.random.random(), torch.rand(1).item()
    np.random.seed(11)
    torch.manual_seed(11)
    again = clone(fitted).fit(cells, "cell_type")
    assert (np.random.random(), torch.rand(1).item()) == expected
    np.testing.assert_array_equal(again.predict_proba(cells), fitted.predict_proba(cells))
    other = clone(fitted).set_params(random_state=1).fit(cells, "cell_type").predict_proba(cells)
    exact = fitted.attention is None  # then nothing is drawn
    assert np.array_equal(other, fitted.predict_proba(cells)) == exact


def test_fit_is_quiet_and_leaves_the_data_alone(cells, network, capfd):
    before = cells.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GeneGCNClassifier(network, max_epochs=2, random_state=0).fit(cells, "cell_type").predict(cells)
    captured = capfd.readouterr()
    assert captured.out == "" and captured.err == ""
    np.testing.assert_array_equal(cells.X.toarray(), before.X.toarray())


def test_pipeline_grid_search_and_cross_validation(cells, network):
    X, y = cells.to_df(), cells.obs["cell_type"].to_numpy()
    clf = GeneGCNClassifier(network, max_epochs=5, random_state=0)
    search = GridSearchCV(clf, {"network": [None, network], "diagonal": [0, 1]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.8
    pipeline = make_pipeline(FunctionTransformer(lambda frame: frame.iloc[:, :50]), clf)
    assert cross_val_score(pipeline, X, y, cv=2).min() > 0.8


def test_clone_keeps_the_network(network):
    assert clone(GeneGCNClassifier(network)).network == network


def test_annotate_writes_what_h5ad_can_hold(cells, fitted, tmp_path):
    query = cells.copy()
    assert fitted.annotate(query) is None
    query.write_h5ad(tmp_path / "annotated.h5ad")
    read = anndata.read_h5ad(tmp_path / "annotated.h5ad")
    np.testing.assert_array_equal(read.obs["gene_gcn"].astype(str), fitted.predict(cells))
    probability = read.obsm["gene_gcn_proba"]
    np.testing.assert_allclose(probability.max(axis=1), read.obs["gene_gcn_confidence"])
    assert list(probability.columns) == list(fitted.classes_)
    assert read.uns["gene_gcn"]["normalization"] == "sqrt"
    fitted.annotate(query, key_added="again")
    assert "again_confidence" in query.obs
    with pytest.raises(ValueError, match="annotate takes an AnnData"):
        fitted.annotate(cells.X)


def test_saved_and_loaded_predict_the_same_bits(cells, fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = GeneGCNClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(cells), fitted.predict_proba(cells))
    assert loaded.network_ == fitted.network_
    assert loaded.network_.source == fitted.network_.source
    pd.testing.assert_frame_equal(loaded.history_, fitted.history_)
    assert loaded.get_params() == fitted.get_params() | {"network": loaded.network_}
    clone(loaded).set_params(max_epochs=1).fit(cells, "cell_type")  # a loaded model is a whole estimator


def test_unfitted_says_so(cells, tmp_path):
    for call in (lambda c: c.predict(cells), lambda c: c.annotate(cells.copy()), lambda c: c.save(tmp_path)):
        with pytest.raises(ValueError, match="not fitted yet"):
            call(GeneGCNClassifier())


def test_rare_types_stay_in_training(cells):
    labels = cells.obs["cell_type"].astype(str).to_numpy()
    labels[0] = "one of its kind"
    clf = GeneGCNClassifier(optimizer="sgd", max_epochs=3, validation_fraction=0.3, random_state=0)
    clf.fit(cells, labels)
    assert "one of its kind" in clf.classes_
    assert "validation_loss" in clf.history_


def test_an_empty_sample_has_an_empty_result(cells, fitted):
    query = cells[:0].copy()
    with pytest.warns(EmptyCellsWarning, match="no cells"):
        assert fitted.predict_proba(query).shape == (0, 3)
    with pytest.warns(EmptyCellsWarning, match="no cells"):
        fitted.annotate(query)
    assert query.obs["gene_gcn"].dtype == "category" and query.uns["gene_gcn"]["types"].tolist() == list(
        fitted.classes_
    )


def with_empty_cells(cells, rows):
    X = cells.X.tolil(copy=True)
    X[rows] = 0
    query = cells.copy()
    query.X = X.tocsr()
    return query


@pytest.mark.parametrize("class_weight", ["balanced", None])
@pytest.mark.parametrize("parameters", [{}, {"attention": "dot", "max_epochs": 2}])
def test_empty_cells_get_the_prior_and_no_type(cells, tmp_path, class_weight, parameters):
    train = cells[np.flatnonzero(np.arange(120) % 4 != 3)].copy()
    train = train[~((train.obs["cell_type"] == "type 2") & (np.arange(90) < 60))].copy()
    query = with_empty_cells(simulate(seed=5), [3, 40])
    clf = GeneGCNClassifier(class_weight=class_weight, random_state=0, **parameters).fit(train, "cell_type")
    shares = train.obs["cell_type"].value_counts(normalize=True)[clf.classes_]
    prior = np.full(3, 1 / 3) if class_weight else shares
    clf.save(tmp_path / "model")
    for model in (clf, GeneGCNClassifier.load(tmp_path / "model")):
        with pytest.warns(EmptyCellsWarning, match="2 of 120 cells express none of the model's 60 genes"):
            model.annotate(query)
        np.testing.assert_allclose(query.obsm["gene_gcn_proba"].iloc[[3, 40]], [prior] * 2, rtol=1e-5)
        assert list(query.obs["gene_gcn"].iloc[[3, 40]]) == ["unassigned"] * 2
        assert (query.obs["gene_gcn"] == "unassigned").sum() == 2
        with pytest.warns(EmptyCellsWarning):
            assert set(model.predict(query)) <= set(model.classes_)
    query.write_h5ad(tmp_path / "annotated.h5ad")


def test_empty_cells_have_no_number_as_type(cells, tmp_path):
    clf = GeneGCNClassifier(random_state=0).fit(cells, np.arange(120) % 3)
    query = with_empty_cells(cells, [3])
    with pytest.warns(EmptyCellsWarning):
        clf.annotate(query)
    assert query.obs["gene_gcn"].isna().sum() == 1 and query.obs["gene_gcn"].cat.categories.dtype.kind == "i"
    query.write_h5ad(tmp_path / "annotated.h5ad")


def test_nearly_empty_cells_are_not_confident():
    cells = simulate(n_genes=800)
    query = cells.copy()
    X = query.X.tolil()
    row = X[0].toarray().ravel()
    X[0] = 0
    X[0, np.flatnonzero(row)[:2]] = 1
    query.X = X.tocsr()
    clf = GeneGCNClassifier(random_state=0).fit(cells, "cell_type")
    with pytest.warns(EmptyCellsWarning, match="1 of 120 cells express fewer than 10 of the model's genes"):
        probability = clf.predict_proba(query)
    assert probability[0].max() <= 0.2 + 0.8 / 3 + 1e-6
    np.testing.assert_array_equal(probability[1:], clf.predict_proba(query[1:].copy()))


@pytest.mark.parametrize("text", ["nan", "None", "<NA>"])
def test_text_for_missing_labels_is_no_type(cells, text):
    train = cells.copy()
    labels = train.obs["cell_type"].astype(str)
    labels.iloc[::7] = text
    train.obs["cell_type"] = labels.astype("category")
    with pytest.warns(LabelWarning, match=f"18 of them text that stands for a missing label .'{text}'"):
        clf = GeneGCNClassifier(random_state=0).fit(train, "cell_type")
    assert clf.classes_.tolist() == ["type 0", "type 1", "type 2"]


@pytest.mark.parametrize("gaps", [False, True])
def test_numbers_in_object_columns_are_learned_and_saved(cells, tmp_path, gaps):
    labels = np.array([np.int64(i % 3) for i in range(120)], dtype=object)
    if gaps:
        labels[::10] = None
    clf = GeneGCNClassifier(random_state=0).fit(cells, labels)
    clf.save(tmp_path / "model")
    loaded = GeneGCNClassifier.load(tmp_path / "model")
    assert loaded.classes_.dtype.kind == "i" and loaded.classes_.tolist() == [0, 1, 2]
    assert loaded.score(simulate(seed=5), (np.arange(120) % 3).astype(float)) > 0.9
    assert loaded.score(simulate(seed=5), (np.arange(120) % 3).astype(str)) > 0.9


def test_labels_are_aligned_in_fit_and_score(cells):
    X, y = cells.to_df(), cells.obs["cell_type"]
    for query in (X, cells):
        clf = GeneGCNClassifier(random_state=0).fit(query, y[::-1])
        assert clf.score(query, y) > 0.95 and clf.score(query, y.sample(frac=1, random_state=0)) > 0.95
        with pytest.raises(ArgumentError, match="none of the cells of X"):
            clf.score(query, y.rename(lambda name: f"{name}_1"))


def test_spellings_of_one_type_are_told(cells):
    labels = cells.obs["cell_type"].astype(str).to_numpy(copy=True)
    labels[:12:3] = "Type 0 "
    with pytest.warns(LabelWarning, match=r"'Type 0 ' \(4 cells\) and 'type 0' \(36 cells\)"):
        GeneGCNClassifier(random_state=0).fit(cells, labels)


def test_types_of_any_name_survive_files(cells, tmp_path):
    names = np.array(["CD4+/CD25 T", "\u03b3\u03b4 T (\u30c6)", "_index"])
    query = cells.copy()
    clf = GeneGCNClassifier(random_state=0).fit(cells, names[np.arange(120) % 3])
    clf.annotate(query)
    query.write_h5ad(tmp_path / "annotated.h5ad")
    read = anndata.read_h5ad(tmp_path / "annotated.h5ad")
    assert list(read.obs["gene_gcn"]) == list(clf.predict(cells))
    assert list(read.uns["gene_gcn"]["types"]) == list(clf.classes_)
    assert list(read.obsm["gene_gcn_proba"].columns) == ["CD4+|CD25 T", "_index_", "\u03b3\u03b4 T (\u30c6)"]
    np.testing.assert_array_equal(read.obsm["gene_gcn_proba"], clf.predict_proba(cells))
    with pytest.raises(ArgumentError, match="key_added='a/b' has '/'.*pass key_added='a_b'"):
        clf.annotate(query, key_added="a/b")


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ArgumentError])
@pytest.mark.parametrize(
    "step",
    [
        "classifier.resolve_network",
        "fitting.PPCAImputer.fit",
        "fitting.fit_exactly",
        "fitting.fit_by_gradients",
    ],
)
def test_an_interrupted_fit_leaves_no_half_model(cells, monkeypatch, tmp_path, error, step):
    parameters = {"attention": "dot", "max_epochs": 2} if step.endswith("gradients") else {}
    fitted = GeneGCNClassifier(random_state=0, **parameters).fit(cells, "cell_type")
    expected, attributes = fitted.predict_proba(cells), vars(fitted).copy()
    unfitted = clone(fitted)

    def interrupt(*args, **kwargs):
        raise error("interrupted")

    with monkeypatch.context() as patch:
        patch.setattr(f"gene_gcn.estimators.{step}", interrupt)
        for clf in (fitted, unfitted):
            with pytest.raises(error):
                clf.fit(cells[:60, :40].to_df(), ["a", "b"] * 30)
    assert vars(fitted) == attributes
    np.testing.assert_array_equal(fitted.predict_proba(cells), expected)
    for use in (unfitted.predict, lambda cells: unfitted.save(tmp_path / "model")):
        with pytest.raises(NotFittedError):
            use(cells)
    assert not [name for name in vars(unfitted) if name.endswith("_")]


def test_real_cells_with_string(shared_data):
    from gene_gcn import networks

    links = next((shared_data / "mirror/string/download/protein.links.v12.0").glob("*.gz"))
    cells = anndata.read_h5ad(shared_data / "cells/pbmc3k.h5ad")
    network = networks.string(path=links)
    clf = GeneGCNClassifier(network, random_state=0).fit(cells[::2], "cell_type")
    assert clf.score(cells[1::2], "cell_type") > 0.85
    assert clf.network_.num_genes == cells.n_vars
    assert clf.network_.num_edges > 50_000


def test_outer_join_of_panels_is_predicted_panel_by_panel():
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.6, 1.0, (3, 600)) + 0.02
    kind = np.arange(300) % 3
    X = rng.poisson(mean[kind]).astype(np.float32)
    adata = anndata.AnnData(X, obs={"cell_type": np.array(["A", "B", "C"])[kind]})
    adata.obs_names = [f"cell{i}" for i in range(300)]
    adata.var_names = [f"G{i}" for i in range(600)]
    clf = GeneGCNClassifier(random_state=0).fit(adata[:150], "cell_type")
    small = adata[225:, :150].copy()
    joined = anndata.concat([adata[150:225], small], join="outer", fill_value=0)[:, adata.var_names]
    with pytest.warns(MissingGenesWarning, match="75 of 150 cells have no count in any of 450"):
        together = clf.predict_proba(joined)
    with pytest.warns(MissingGenesWarning, match="missing from X"):
        np.testing.assert_allclose(together[75:], clf.predict_proba(small), atol=1e-4)
    np.testing.assert_array_equal(together[:75], clf.predict_proba(adata[150:225]))


def test_scale_is_stated_and_saved(tmp_path):
    adata = example_cells.make_cells(n=100)
    clf = GeneGCNClassifier(scale="counts", random_state=0).fit(adata, "cell_type")
    clf.save(tmp_path / "m")
    again = GeneGCNClassifier.load(tmp_path / "m")
    assert again.scale == again.normalizer_.input_scale == "counts"
    np.testing.assert_array_equal(again.predict_proba(adata), clf.predict_proba(adata))
    with pytest.raises(ArgumentError, match="scale='log' is not supported"):
        clf.set_params(scale="log").fit(adata, "cell_type")
