"""Explanations of a fitted classifier sum to its logits, whatever genes the cells have."""

from __future__ import annotations

from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gene_gcn import GeneGCNClassifier, GeneNetwork
from gene_gcn.cells.gene_panels import GenePanels
from gene_gcn.errors import ArgumentError
from gene_gcn.estimators.explaining import (
    ExplainedTypes,
    explain_by_gradients,
    explain_query,
    integrated_gradients,
)
from gene_gcn.estimators.fitted import GradientModel, LinearModel

N, TYPES = 80, np.array(["B", "NK", "T"])
RATES = np.random.default_rng(0).gamma(0.5, 1.5, (3, N))
GENES = [f"GENE{i}" for i in range(N)]
NETWORK = GeneNetwork(GENES, np.random.default_rng(1).integers(0, N, (2, 300)))


def draw(n: int, seed: int) -> anndata.AnnData:
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n)
    obs = pd.DataFrame({"cell_type": TYPES[y]}, index=[f"cell{i}" for i in range(n)])
    return anndata.AnnData(
        sparse.csr_matrix(rng.poisson(RATES[y] * 2).astype(np.float32)), obs, pd.DataFrame(index=GENES)
    )


def fit(missing_genes: str = "impute", network_weight: float = 0.0) -> GeneGCNClassifier:
    """Return a classifier that takes so much of its network, whatever cross-validation chose."""
    network = NETWORK if network_weight else None
    clf = GeneGCNClassifier(network, missing_genes=missing_genes, diagonal=1, random_state=0)
    clf = clf.fit(draw(150, 0), "cell_type")
    model = clf.fitted_
    head = replace(model.head, network_weight=network_weight)
    clf.fitted_ = LinearModel(head, model.graph, model.imputer, model.has_layer, model.reference)
    return clf


@pytest.fixture(scope="module")
def fitted() -> dict[tuple[str, float], GeneGCNClassifier]:
    return {(kind, weight): fit(kind, weight) for kind in ("impute", "zero") for weight in (0.0, 0.4)}


@pytest.fixture(scope="module")
def clf(fitted) -> GeneGCNClassifier:
    return fitted["impute", 0.4]


def assert_sums_are_logits(explanation, logits) -> None:
    """Genes, the edges that end in them and the baseline, in each cell and on average."""
    for cells in (*range(0, len(logits), 7), None):
        summary = explanation.summary(cells)
        expected = logits.mean(axis=0) if cells is None else logits[cells]
        np.testing.assert_allclose(summary["logit"], expected, rtol=0, atol=1e-5)
        for k, name in enumerate(explanation.types):
            genes = explanation.genes(name, None, cells=cells)
            edges = explanation.edge_mask(name, cells=cells)
            total = genes["own"].sum() + edges.sum() + genes["through_missing"].sum()
            assert summary["baseline"].iloc[k] + total == pytest.approx(expected[k], abs=1e-5)


@pytest.mark.parametrize("kind", ["impute", "zero"])
@pytest.mark.parametrize("network_weight", [0.0, 0.4])
@pytest.mark.parametrize("step", [1, 2], ids=["all genes", "half of the genes"])
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.MissingGenesWarning")
def test_contributions_sum_to_the_logits(fitted, kind, network_weight, step):
    clf, query = fitted[kind, network_weight], draw(30, 1)[:, ::step].copy()
    logits = clf._logits(clf._read_query(query, "")).double().numpy()
    explanation = clf.explain(query)
    assert_sums_are_logits(explanation, logits)
    summary = explanation.summary()
    assert (summary["from_network"] != 0).any() == bool(network_weight)
    assert (summary["through_missing"] != 0).any() == (step == 2 and (kind == "impute" or network_weight > 0))


@pytest.mark.parametrize("kind", ["impute", "zero"])
def test_cells_of_several_gene_panels(fitted, kind):
    clf = fitted[kind, 0.4]
    query = clf._read_query(draw(30, 2), "")
    present = np.ones((2, N), bool)
    present[0, :20] = present[1, 50:] = False
    panels = GenePanels(present, np.arange(30) % 2)
    matrix = sparse.csr_matrix(query.matrix.multiply(present[panels.of_cell]), dtype=np.float32)
    query = replace(query, matrix=matrix, panels=panels)
    explanation = explain_query(query, clf.fitted_, ExplainedTypes.of(TYPES.tolist(), None, None), GENES)
    assert_sums_are_logits(explanation, clf._logits(query).double().numpy())
    assert (explanation.genes("B", None, cells=0).set_index("gene").loc[GENES[:20], "total"] == 0).all()


def test_another_type_is_subtracted(clf):
    query = draw(30, 1)
    logits = clf._logits(clf._read_query(query, "")).double().numpy()
    explanation = clf.explain(query, against="NK")
    assert explanation.types == ["B", "T"] and explanation.against == "NK"
    assert_sums_are_logits(explanation, logits[:, [0, 2]] - logits[:, [1]])
    assert_sums_are_logits(clf.explain(query, ["T"], "B"), logits[:, [2]] - logits[:, [0]])
    assert clf.explain(query, "T").genes().equals(clf.explain(query).genes("T"))


def test_mean_training_cell_is_the_baseline(clf):
    """With an imputer the mean of the training cells gets no contribution."""
    summary = clf.explain(draw(150, 0)).summary()
    np.testing.assert_allclose(summary[["own", "from_network"]], 0, atol=1e-4)


def test_a_loaded_classifier_explains_the_same(clf, tmp_path):
    query = draw(10, 3)
    clf.save(tmp_path / "model")
    again = GeneGCNClassifier.load(tmp_path / "model")
    pd.testing.assert_frame_equal(clf.explain(query).to_frame(), again.explain(query).to_frame())
    pd.testing.assert_frame_equal(clf.explain_types(), again.explain_types())


def test_explanation_is_written_into_the_cells_that_were_explained(clf):
    query = draw(10, 3)[:, ::-1].copy()
    explanation = clf.explain(query)
    explanation.write(query, "why", cells=[0, 1])
    table = explanation.genes("T", None, cells=[0, 1]).set_index("gene")
    np.testing.assert_allclose(query.varm["why"][:, 2], table.loc[query.var_names, "total"])


@pytest.fixture(scope="module")
def unused() -> GeneGCNClassifier:
    """A classifier with a network that it takes nothing of."""
    clf = GeneGCNClassifier(NETWORK, random_state=0).fit(draw(150, 0), "cell_type")
    model = clf.fitted_
    head = replace(model.head, network_weight=0.0)
    clf.fitted_ = LinearModel(head, model.graph, model.imputer, model.has_layer, model.reference)
    return clf


@pytest.mark.parametrize("step", [1, 2], ids=["all genes", "half of the genes"])
@pytest.mark.parametrize("weight", [0.0, 0.4])
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.MissingGenesWarning")
def test_subnetworks_are_in_the_network_of_the_model(fitted, unused, weight, step, tmp_path):
    clf, query = fitted["impute", weight] if weight else unused, draw(120, 1)[:, ::step].copy()
    explanation = clf.explain(query)
    found = explanation.subnetwork("T", n_permutations=0)
    assert found.kept >= 0.95 and found.excluded >= 0.95
    edges = {
        frozenset(pair) for pair in zip(*np.array(NETWORK.genes)[NETWORK.arrays()["edge_index"]], strict=True)
    }
    assert {frozenset(pair) for pair in found.to_networkx().edges} <= edges
    contribution = found.genes.set_index("gene")["contribution"]
    assert (contribution[~contribution.index.isin(query.var_names)] == 0).all()
    clf.save(tmp_path / "model")
    again = GeneGCNClassifier.load(tmp_path / "model").explain(query).subnetwork("T", n_permutations=0)
    pd.testing.assert_frame_equal(again.genes, found.genes)
    pd.testing.assert_frame_equal(again.edges, found.edges)


def test_subnetworks_need_all_types(clf):
    for arguments in ({"types": "T"}, {"against": "B"}):
        with pytest.raises(ArgumentError, match="subnetwork needs all types of the model"):
            clf.explain(draw(30, 1), **arguments).subnetwork("T")


def test_networks_of_genes_without_names_are_matched_by_position():
    cells = draw(120, 4)
    clf = GeneGCNClassifier(NETWORK, random_state=0).fit(cells.X, cells.obs["cell_type"])
    found = clf.explain(cells.X).subnetwork("B", n_permutations=2)
    assert set(found.edges["source"]) <= set(found.genes["gene"]) <= set(map(str, range(N)))


def test_genes_without_names_are_called_by_position():
    cells = draw(60, 4)
    clf = GeneGCNClassifier(random_state=0).fit(cells.X, cells.obs["cell_type"])
    assert set(clf.explain(cells.X).genes("B", None)["gene"]) == set(map(str, range(N)))


def test_markers_are_genes_with_higher_rates(clf):
    markers = clf.explain_types(top=5)
    others = markers[markers["against"] == "others"]
    assert others.groupby("type").size().tolist() == [5, 5, 5]
    for k, name in enumerate(TYPES):
        genes = others.loc[others["type"] == name, "gene"].str.removeprefix("GENE").astype(int)
        assert np.mean(RATES[k, genes] > np.delete(RATES, k, 0).mean(0)[genes]) >= 0.8


@pytest.mark.filterwarnings("ignore::gene_gcn.errors.MissingGenesWarning")
def test_markers_in_cells(clf):
    train = draw(150, 0)
    table = clf.explain_types(train, "cell_type", top=8, n_bootstraps=10)
    plain = clf.explain_types(top=8)
    pd.testing.assert_frame_equal(table[plain.columns], plain, rtol=1e-5, atol=1e-6)
    assert table["stability"].between(0, 1).all() and table["fraction_in_type"].between(0, 1).all()
    pd.testing.assert_frame_equal(clf.explain_types(train, "cell_type", top=8, n_bootstraps=10), table)

    query = draw(60, 7)
    by_name = clf.explain_types(query, clf.predict(query), n_bootstraps=5)
    pd.testing.assert_frame_equal(clf.explain_types(query, n_bootstraps=5), by_name)
    half = clf.explain_types(query[:, ::2].copy(), "cell_type", n_bootstraps=5)
    assert set(half["gene"]) <= set(GENES[::2])


def test_labels_of_cells_are_those_of_the_model(clf):
    query = draw(60, 7)
    labels = query.obs["cell_type"].astype(object)
    labels[labels == "NK"] = None
    table = clf.explain_types(query, labels, n_bootstraps=5)
    kept = query[labels.notna().to_numpy()].copy()
    pd.testing.assert_frame_equal(clf.explain_types(kept, "cell_type", n_bootstraps=5), table)
    assert set(table["type"]) == {"B", "T"}
    with pytest.raises(
        ArgumentError, match=r"y has 60 cells of types that the model does not know \(b cell\)"
    ):
        clf.explain_types(query, ["b cell"] * 60)
    with pytest.raises(ArgumentError, match="y= has the types of cells; pass these cells as X="):
        clf.explain_types(y="cell_type")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"types": ["T", "C"]}, "types='C' is not among the 3 types"),
        ({"types": []}, r"types=\[\] is empty; leave it out to explain all"),
        ({"against": "C"}, "against='C' is not among the 3 types"),
        ({"types": ["B", "T"], "against": "T"}, "against='T' is also among types"),
    ],
)
def test_types_that_cannot_be_explained_are_refused(clf, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        clf.explain(draw(5, 5), **arguments)


@pytest.mark.filterwarnings("ignore::gene_gcn.errors.EmptyCellsWarning")
def test_no_cells_are_refused(clf, by_gradients):
    for fitted in (clf, by_gradients):
        with pytest.raises(ArgumentError, match="X contains no cells to explain"):
            fitted.explain(draw(40, 6)[:0])


# ---- models trained by gradients ----


@pytest.fixture(scope="module")
def by_gradients() -> GeneGCNClassifier:
    settings = {"attention": "embedded_dot", "hidden_channels": (8,), "max_epochs": 4, "random_state": 0}
    return GeneGCNClassifier(NETWORK, **settings).fit(draw(150, 0), "cell_type")


@pytest.mark.parametrize("step", [1, 2], ids=["all genes", "half of the genes"])
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.MissingGenesWarning")
def test_integrated_gradients_sum_to_the_logits(by_gradients, step):
    query = draw(12, 1)[:, ::step].copy()
    logits = by_gradients._logits(by_gradients._read_query(query, "")).double().numpy()
    explanation = by_gradients.explain(query, n_steps=256)
    for cells in (3, None):
        expected = logits.mean(axis=0) if cells is None else logits[cells]
        summary = explanation.summary(cells)
        np.testing.assert_allclose(summary["logit"], expected, atol=1e-5)
        assert summary["gap"].abs().max() < 2e-2
    assert (summary["through_missing"] == 0).all() == (step == 1)
    against = by_gradients.explain(query, "T", "B", n_steps=256)
    assert against.types == ["T"] and against.against == "B"
    difference = (logits[:, 2] - logits[:, 0]).mean()
    assert against.summary()["logit"].item() == pytest.approx(difference, abs=1e-5)


def test_exact_and_integrated_contributions_are_equal_for_a_linear_model(clf):
    """The default model, loaded as one that was trained by gradients."""
    model, query = clf.fitted_, draw(10, 1)
    by_gradients = GradientModel(model.module(), model.graph, model.imputer, model.imputer.mean)
    types = ExplainedTypes.of(clf.classes_.tolist(), None, None)
    gradients = integrated_gradients(by_gradients, 1, "cpu")
    explanation = explain_by_gradients(clf._read_query(query, ""), gradients, types, GENES)
    exact = clf.explain(query)
    pd.testing.assert_frame_equal(explanation.to_frame(), exact.to_frame(), atol=1e-5)
    np.testing.assert_array_equal(explanation.edge_index, exact.edge_index)
    for name in TYPES:
        mask = exact.edge_mask(name, cells=[1, 4])
        np.testing.assert_allclose(explanation.edge_mask(name, cells=[1, 4]), mask, atol=1e-5)


@pytest.mark.parametrize("missing_genes", ["impute", "zero"])
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.ExplanationWarning")
def test_a_loaded_model_integrates_the_same(missing_genes, tmp_path):
    settings = {"hidden_channels": (4,), "max_epochs": 1, "missing_genes": missing_genes}
    clf = GeneGCNClassifier(NETWORK, random_state=0, **settings).fit(draw(40, 6), "cell_type")
    clf.save(tmp_path / "model")
    again = GeneGCNClassifier.load(tmp_path / "model")
    query, mean = draw(3, 7), clf._read_query(draw(40, 6), "").matrix.mean(axis=0).A1
    np.testing.assert_allclose(clf.fitted_.mean, mean, atol=1e-5)
    frames = (each.explain(query, "B", n_steps=4).to_frame() for each in (clf, again))
    pd.testing.assert_frame_equal(*frames)


@pytest.mark.parametrize("n_steps", [0, 1.5, True])
def test_numbers_of_steps_are_checked(by_gradients, n_steps):
    with pytest.raises(ArgumentError, match=f"n_steps={n_steps} must be a whole number of at least 1"):
        by_gradients.explain(draw(3, 1), n_steps=n_steps)


def test_markers_need_the_exact_fit(by_gradients):
    clf = GeneGCNClassifier(optimizer="sgd", max_epochs=1, random_state=0).fit(draw(40, 6), "cell_type")
    with pytest.raises(ArgumentError, match="optimizer='sgd' trains by gradients: .* use 'lbfgs'"):
        clf.explain_types()
    with pytest.raises(ArgumentError, match="optimizer='auto'"):
        by_gradients.explain_types()
