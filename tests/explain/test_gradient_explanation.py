"""Tables of integrated gradients sum to the logits up to the gap that they tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from explained_models import (
    GENES,
    TYPES,
    B,
    N,
    gradient_explanation,
    small_cells,
    small_gradients,
    small_graph,
)

from gene_gcn.errors import ArgumentError, ExplanationWarning


@pytest.fixture(scope="module")
def explanation():
    return gradient_explanation(small_gradients(small_graph(), n_steps=512))


def logits_of(explanation) -> np.ndarray:
    x = torch.from_numpy(small_cells().toarray())
    with torch.inference_mode():
        return explanation.gradients.model(x, explanation.gradients.graph).double().numpy()


@pytest.mark.parametrize("cells", [3, [0, 1, 5], [2, 2, 5], np.arange(B) > 2, None])
def test_tables_sum_to_the_logits(explanation, cells):
    chosen = np.arange(B) if cells is None else np.atleast_1d(np.arange(B)[cells])
    expected = logits_of(explanation)[chosen].mean(axis=0)
    summary = explanation.summary(cells)
    np.testing.assert_allclose(summary["logit"], expected, atol=1e-5)
    np.testing.assert_allclose(summary.drop(columns="logit").sum(axis=1), expected, atol=1e-5)
    assert summary["gap"].abs().max() < 1e-3
    for k, name in enumerate(TYPES):
        genes, mask = explanation.genes(name, None, cells=cells), explanation.edge_mask(name, cells=cells)
        assert genes["from_network"].sum() == pytest.approx(mask.sum(), abs=1e-5)
        assert summary["baseline"].iloc[k] + genes["total"].sum() == pytest.approx(expected[k], abs=1e-3)


@pytest.mark.filterwarnings("ignore::gene_gcn.errors.ExplanationWarning")  # the logits hardly differ
def test_the_gap_of_each_cell_is_told(explanation):
    gap = explanation.gap([4, 1])
    assert gap.index.tolist() == [1, 4] and gap.columns.tolist() == TYPES
    for cell in (1, 4):
        expected = explanation.summary(cell)["gap"].to_numpy()
        np.testing.assert_allclose(gap.loc[cell], expected, atol=1e-5)


def test_too_few_steps_are_warned_of():
    coarse = gradient_explanation(small_gradients(small_graph(), n_steps=1))
    with pytest.warns(ExplanationWarning, match=r"contributions to '.*' miss .*%.*pass n_steps=4"):
        coarse.summary()


def test_cells_of_several_panels_stay_apart():
    gradients = small_gradients(small_graph(), impute=True, n_steps=256)
    X = small_cells().tolil()
    measured = np.arange(N) >= 5
    X[1::2, :5] = 0
    panels = [(np.arange(0, B, 2), np.ones(N, bool)), (np.arange(1, B, 2), measured)]
    both = gradient_explanation(gradients, X=X.tocsr(), panels=panels)
    for cell, genes in ((2, np.ones(N, bool)), (3, measured)):
        x = gradients.cells(X.tocsr()[[cell]], genes)
        with torch.inference_mode():
            logits = gradients.model(x, gradients.graph)[0]
        np.testing.assert_allclose(both.summary(cell)["logit"], logits, atol=1e-5)
    assert (both.genes("B", None, cells=3).set_index("gene").loc[GENES[:5], "total"] == 0).all()
    assert both.gap().index.tolist() == list(range(B))


def test_attention_has_the_rows_of_the_dense_graph(explanation):
    model, x = explanation.gradients.model, torch.from_numpy(small_cells().toarray())
    with torch.inference_mode():
        graph = model.convs[0].attention.graph(x[..., None]).mean(1).double().numpy()
    table = explanation.attention("GENE7", 2, None)
    assert table["weight"].is_monotonic_decreasing and table["weight"].sum() == pytest.approx(1)
    weights = table.set_index("source").loc[GENES, "weight"]
    np.testing.assert_allclose(weights, graph[2, 7], atol=1e-6)
    assert len(explanation.attention("GENE7", 2, 5)) == 5 and set(table["target"]) == {"GENE7"}


def test_several_layers_are_not_split():
    deep = gradient_explanation(small_gradients(small_graph(), n_steps=512, num_layers=2))
    summary = deep.summary()
    assert summary.columns.tolist() == ["baseline", "own_and_network", "through_missing", "gap", "logit"]
    np.testing.assert_allclose(summary["logit"], logits_of(deep).mean(axis=0), atol=1e-5)
    assert summary["gap"].abs().max() < 5e-3 and deep.edges("B").empty
    assert deep.to_networkx("B", 3).number_of_nodes() == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.attention("GENE99", 0), r"gene='GENE99' is not among the 20 genes; pass one such as"),
        (lambda e: e.attention("GENE1", [0, 1]), r"cell=\[0, 1\] must be the position of one cell"),
        (lambda e: e.attention("GENE1", 99), "must be positions of the 6 explained cells"),
        (lambda e: e.attention("GENE1", 0, 0), "top=0 must be a whole number"),
    ],
)
def test_invalid_arguments_are_refused(explanation, call, message):
    with pytest.raises(ArgumentError, match=message):
        call(explanation)


def test_models_without_attention_have_no_rows():
    plain = gradient_explanation(small_gradients(small_graph(), attention=None))
    with pytest.raises(ArgumentError, match="attention=None was trained"):
        plain.attention("GENE1", 0)
