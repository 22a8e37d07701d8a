"""Contributions are those of the equation written out, and tables, graphs and AnnData agree on them."""

from __future__ import annotations

from dataclasses import replace

import anndata
import numpy as np
import pandas as pd
import pytest
from explained_cells import GENES, TYPES, B, N, small_explanation
from scipy import sparse

from gene_gcn.errors import ArgumentError
from gene_gcn.explain import CellGroup, LinearLogits


def written_out(explanation, cell, k):
    """The three parts of each gene (3, N), and the contribution of each edge from j to i, [i, j]."""
    (group,) = (group for group in explanation.groups if cell in group.cells)
    x, adjacency = explanation.X.toarray()[cell], explanation.logits.adjacency.toarray()
    weight = explanation.logits.weight[:, k]
    own, missing, edges = np.zeros(N), np.zeros(N), np.zeros((N, N))
    for i in np.flatnonzero(group.measured):
        own[i] = (x[i] - group.baseline[i]) * weight[i]
        missing[i] = (x[i] - group.baseline[i]) * group.missing_weight[i, k]
        for j in np.flatnonzero(group.measured):
            edges[i, j] = adjacency[i, j] * (x[j] - group.baseline[j]) * weight[i]
    return np.stack([own, edges.sum(axis=1), missing]), edges


@pytest.mark.parametrize("cells", [3, [0, 1, 6], [2, 2, 5], np.arange(B) > 2, None])
@pytest.mark.parametrize("k", range(len(TYPES)))
def test_sparse_contributions_are_those_written_out(cells, k):
    explanation = small_explanation()
    positions = np.atleast_1d(np.arange(B)[cells] if cells is not None else np.arange(B))
    parts, edges = (
        np.mean(values, axis=0)
        for values in zip(*(written_out(explanation, cell, k) for cell in positions), strict=True)
    )
    table = explanation.genes(TYPES[k], None, cells=cells).set_index("gene").loc[GENES]
    np.testing.assert_allclose(table[["own", "from_network", "through_missing"]].T, parts, atol=1e-12)
    np.testing.assert_allclose(table["total"], parts.sum(axis=0), atol=1e-12)
    source, target = explanation.edge_index
    mask = explanation.edge_mask(TYPES[k], cells=cells)
    np.testing.assert_allclose(mask, edges[target, source], atol=1e-12)
    received = np.bincount(target, mask, minlength=N)
    np.testing.assert_allclose(received, table["from_network"], atol=1e-12)
    summary = explanation.summary(cells).loc[TYPES[k]]
    np.testing.assert_allclose(summary[["own", "from_network", "through_missing"]], parts.sum(axis=1))
    assert summary["logit"] == pytest.approx(summary["baseline"] + parts.sum())


def test_genes_that_were_not_measured_get_nothing():
    explanation = small_explanation()
    table = explanation.genes("B", None, cells=[0, 2, 3]).set_index("gene")
    assert (table.loc[["GENE0", "GENE1"], "total"] == 0).all() and (table["total"] != 0).sum() == N - 2


def test_tables_show_the_largest_contributions_first():
    explanation = small_explanation()
    genes, edges = explanation.genes("T", 4), explanation.edges("T", 5)
    assert genes.shape == (4, 5) and edges.shape == (5, 3)
    for table, column in ((genes, "total"), (edges, "contribution")):
        assert table[column].abs().is_monotonic_decreasing
    every = explanation.to_frame()
    assert every["type"].tolist() == np.repeat(TYPES, N).tolist() and list(every["gene"]) == GENES * 3
    assert every["total"].sum() == pytest.approx(
        explanation.summary().drop(columns=["baseline", "logit"]).to_numpy().sum()
    )


def test_order_of_genes_does_not_matter():
    one, order = small_explanation(), np.random.default_rng(2).permutation(N)
    logits = one.logits
    other = replace(
        one,
        X=one.X[:, order],
        logits=LinearLogits(logits.weight[order], logits.bias, logits.adjacency[order][:, order]),
        groups=[
            CellGroup(group.cells, group.measured[order], group.baseline[order], group.missing_weight[order])
            for group in one.groups
        ],
        gene_names=[GENES[i] for i in order],
    )
    a, b = (part.to_frame().set_index(["type", "gene"]).sort_index() for part in (one, other))
    np.testing.assert_allclose(a, b, atol=1e-12)


def test_graph_has_the_largest_genes_and_edges():
    explanation = small_explanation()
    graph = explanation.to_networkx("B", 3)
    genes, edges = explanation.genes("B", None).set_index("gene"), explanation.edges("B", 3)
    assert set(graph.edges) == set(zip(edges["source"], edges["target"], strict=True))
    assert set(graph) == {*genes.index[:3], *edges["source"], *edges["target"]}
    for gene, values in graph.nodes(data=True):
        assert values == genes.loc[gene].to_dict()
    for source, target, value in graph.edges(data="contribution"):
        row = edges[(edges["source"] == source) & (edges["target"] == target)]
        assert row["contribution"].item() == value


def test_contributions_are_written_into_an_anndata(tmp_path):
    explanation = small_explanation()
    names = [*GENES[::-1], "GENE0", "OTHER"]
    adata = anndata.AnnData(np.ones((2, len(names)), np.float32))
    adata.var["symbol"] = names
    adata.var_names = [f"row{i}" for i in range(len(names))]
    with pytest.raises(ArgumentError, match="none of the 12 explained genes"):
        explanation.write(adata)
    explanation = replace(explanation, gene_column="symbol")
    explanation.write(adata, cells=3)
    adata.write_h5ad(tmp_path / "a.h5ad")
    back = anndata.read_h5ad(tmp_path / "a.h5ad")
    values = back.varm["explain"]
    expected = explanation.to_frame(3).pivot(index="gene", columns="type", values="total").loc[names[:-1]]
    np.testing.assert_allclose(values[:-1], expected)
    assert np.isnan(values[-1]).all()
    assert list(back.uns["explain"]["types"]) == TYPES and back.uns["explain"]["against"] == ""
    np.testing.assert_allclose(back.uns["explain"]["baseline"], explanation.summary(3)["baseline"])


def test_edges_are_written_into_an_anndata(tmp_path):
    explanation = replace(small_explanation(), types=["B/pro", "NK", "T"])
    names = [*GENES[::-1], "OTHER"]
    adata = anndata.AnnData(np.ones((2, len(names)), np.float32))
    adata.var_names = names
    cells = {"B/pro": [0, 1], "NK": 3, "T": None}
    with pytest.raises(ArgumentError, match="edges_of='NKT' is not among the 3 types"):
        explanation.write(adata, cells=cells, edges_of=["NKT"])
    assert not adata.varm and not adata.uns
    explanation.write(adata, "why", cells=cells, edges_of=["NK", "B/pro"])
    adata.write_h5ad(tmp_path / "a.h5ad")
    back = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert set(back.varp) == {"why_NK", "why_B|pro"}
    for name, key in (("NK", "why_NK"), ("B/pro", "why_B|pro")):
        assert sparse.issparse(back.varp[key])
        written = pd.DataFrame(back.varp[key].toarray(), names, names)
        assert (written.loc["OTHER"] == 0).all() and (written["OTHER"] == 0).all()
        for edge in explanation.edges(name, None, cells=cells[name]).itertuples():
            assert written.loc[edge.source, edge.target] == pytest.approx(edge.contribution)
        received = explanation.genes(name, None, cells=cells[name]).set_index("gene")["from_network"]
        np.testing.assert_allclose(written[GENES].sum(), received[GENES], atol=1e-12)


def test_each_type_can_have_its_own_cells():
    explanation = small_explanation()
    cells = {"T": 0, "B": [1, 2], "NK": None}
    summary, frame = explanation.summary(cells), explanation.to_frame(cells)
    assert summary.index.tolist() == TYPES
    for name, positions in cells.items():
        pd.testing.assert_series_equal(summary.loc[name], explanation.summary(positions).loc[name])
        total = explanation.genes(name, None, cells=positions).set_index("gene")["total"]
        assert frame[frame["type"] == name].set_index("gene")["total"][total.index].equals(total)
    with pytest.raises(ArgumentError, match="cells has no cells for 'NK'"):
        explanation.to_frame({"B": 0})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.genes("NKT"), r"type='NKT' is not among the 3 types; pass one such as NK"),
        (lambda e: e.genes(), r"type=None is not among the 3 types; pass one such as B, NK, T"),
        (lambda e: e.genes("B", 0), "top=0 must be a whole number of at least 1"),
        (lambda e: e.edges("B", True), "top=True must be a whole number"),
        (lambda e: e.genes("B", cells=99), "cells=99 must be positions of the 7 explained cells"),
        (lambda e: e.genes("B", cells="c1"), "cells='c1' must be positions"),
        (lambda e: e.summary([]), "cells selects no cell"),
        (lambda e: e.write("a.h5ad"), "adata is a str; use to_frame"),
        (lambda e: e.write(anndata.AnnData(np.ones((1, N))), "a/b"), "key_added='a/b' has '/'"),
    ],
)
def test_invalid_arguments_are_refused(call, message):
    with pytest.raises(ArgumentError, match=message):
        call(small_explanation())


def test_it_shows_what_it_explains():
    assert repr(small_explanation()) == "Explanation(7 cells, 12 genes; B, NK, T)"
