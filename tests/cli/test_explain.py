from __future__ import annotations

import json
import re

import anndata
import networkx as nx
import numpy as np
import pandas as pd
import pytest
from command_line import GENES, TYPES, make_cells, run, train

from gene_gcn import GeneGCNClassifier


@pytest.fixture(scope="module")
def by_gradients(folder):
    network = ("--network", folder / "edges.tsv")
    assert train(folder, "gradients", *network, "--hidden-channels", "8", "--attention", "dot") == 0
    return folder / "gradients"


def explain(folder, out, *options, model="model"):
    return run("explain", folder / "query.csv", "--model", folder / model, "--out", out, *options)


def test_table_has_the_contributions_of_all_types(folder, tmp_path, capsys):
    out = tmp_path / "explanation.csv"
    assert explain(folder, out) == 0
    table, printed = pd.read_csv(out), capsys.readouterr().out
    clf, cells = GeneGCNClassifier.load(folder / "model"), make_cells(1)
    predicted, explanation = clf.predict(cells), clf.explain(cells)
    assert table.columns.tolist() == ["type", "gene", "own", "from_network", "through_missing", "total"]
    for name in TYPES:
        of_type = table[table["type"] == name]
        expected = explanation.genes(name, None, cells=predicted == name).set_index("gene")
        assert of_type["gene"].tolist() == GENES
        np.testing.assert_allclose(of_type["total"], expected.loc[GENES, "total"], rtol=1e-5, atol=1e-8)
        assert f"{name}: mean over {(predicted == name).sum()} cells" in printed
        logit = explanation.summary(predicted == name).loc[name]
        assert f"\nlogit {logit['logit']:.2f} = {logit['baseline']:.2f} baseline" in printed
        assert re.search(
            rf"^ {expected.index[0]} .* {expected['total'].iloc[0]:.3f} $", printed, re.MULTILINE
        )
    assert f"Written   {out}" in printed


@pytest.mark.parametrize("model", ["model", "gradients"])
@pytest.mark.parametrize("kind", ["graphml", "cyjs"])
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.ExplanationWarning")
def test_graphs_show_one_type(folder, by_gradients, tmp_path, kind, model):
    out = tmp_path / f"nk.{kind}"
    options = ("--type", "NK", "--against", "T", "--top", "4")
    assert explain(folder, out, *options, model=model) == 0
    graph = nx.read_graphml(out) if kind == "graphml" else nx.cytoscape_graph(json.loads(out.read_text()))
    clf, cells = GeneGCNClassifier.load(folder / model), make_cells(1)
    nk = clf.predict(cells) == "NK"
    genes = clf.explain(cells, "NK", "T").genes(top=4, cells=nk).set_index("gene")["total"]
    assert set(genes.index) <= set(graph)
    for gene, total in genes.items():
        assert graph.nodes[gene]["total"] == pytest.approx(total, rel=1e-4)


def test_cells_are_written_with_contributions(folder, by_gradients, tmp_path, capsys):
    out = tmp_path / "explained.h5ad"
    options = ("--type", "NK", "--type", "B", "--cells-of", "NK")
    assert explain(folder, out, *options, model="gradients") == 0
    back, printed = anndata.read_h5ad(out), capsys.readouterr().out
    assert set(back.varp) == {"explain_NK", "explain_B"} and back.varm["explain"].shape == (30, 2)
    assert list(back.uns["explain"]["types"]) == ["NK", "B"] and back.varp["explain_NK"].nnz
    assert printed.count("source → target") == 2 and "\ngap " in printed
    limit = ("--max-cells", "2", "--type", "NK", "--force")
    assert explain(folder, out, *limit, model="gradients") == 0
    printed = capsys.readouterr().out
    assert "NK: mean over 2 cells" in printed and " 2 cells of a type at most are explained" in printed
    assert explain(folder, out, "--force", "--top", "3") == 0
    assert not anndata.read_h5ad(out).varp


def test_many_types_are_printed_a_row_each(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("gene_gcn.cli.explain.MOST_DETAILED", 1)
    monkeypatch.setenv("COLUMNS", "80")
    assert explain(folder, tmp_path / "a.csv", "--against", "T") == 0
    printed = capsys.readouterr().out
    assert "Genes that add most to each type against T" in printed and "pass --type" in printed
    rows = re.findall(
        r"^ (\w+) +(\d+) +(GENE\d+ -?\d\.\d\d(?:, GENE\d+ -?\d\.\d\d){3})", printed, re.MULTILINE
    )
    assert [row[0] for row in rows] == ["B", "NK"]
    assert max(map(len, printed.splitlines()[2:-1])) <= 80


def test_mistakes_are_named_before_anything_is_written(folder, tmp_path, error_of):
    query, model, out = folder / "query.csv", ("--model", folder / "model"), tmp_path / "a.csv"
    where = ("explain", query, *model, "--out", out)
    assert "--type 'NKT' is not among the 3 types; pass one such as NK" in error_of(*where, "-t", "NKT")
    assert "--against 'X' is not among the 3 types" in error_of(*where, "--against", "X")
    assert "--cells-of 'X' is not among the 3 types" in error_of(*where, "--cells-of", "X")
    assert "--against 'T' is also a --type" in error_of(*where, "-t", "T", "--against", "T")
    assert "--top" in error_of(*where, "--top", "0")
    assert "its name must end in .csv, " in error_of(*where[:-1], tmp_path / "a.png")
    assert "shows one type; pass one --type" in error_of(*where[:-1], tmp_path / "a.cyjs")
    out.write_text("precious")
    assert "already exists" in error_of(*where) and out.read_text() == "precious"
