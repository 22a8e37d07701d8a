"""gene-gcn ontology, and hierarchies in train, predict and evaluate."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from command_line import make_cells, run
from scipy import sparse
from small_ontology import as_json, as_obo

from gene_gcn import GeneGCNClassifier


@pytest.fixture(scope="module")
def hierarchy(tmp_path_factory):
    """Cells with coarse labels, files of the ontology, and a model of both columns."""
    folder = tmp_path_factory.mktemp("hierarchy")
    for seed, name in enumerate(("train", "query")):
        cells = make_cells(seed)
        cells.obs["coarse"] = cells.obs["cell_type"].map({"B": "lymphoid", "T": "lymphoid", "NK": "NK"})
        cells.write_h5ad(folder / f"{name}.h5ad")
    (folder / "cl.obo").write_text(as_obo())
    (folder / "cl.json").write_bytes(as_json())
    labels = ("--label", "coarse", "--label", "cell_type")
    assert run("train", folder / "train.h5ad", *labels, "--seed", "0", "--out", folder / "model") == 0
    return folder


@pytest.mark.parametrize("ontology", ["cl.obo", "cl.json"])
def test_names_of_cells_are_mapped(hierarchy, tmp_path, capsys, ontology):
    out = tmp_path / "map.csv"
    arguments = ("ontology", hierarchy / "query.h5ad", "-l", "cell_type", "--ontology", hierarchy / ontology)
    assert run(*arguments, "--out", out) == 0
    printed = capsys.readouterr().out
    assert "0 of 3 names match a term" in printed and "CL:0000623 natural killer cell (1.00)" in printed
    table = pd.read_csv(out, keep_default_na=False, index_col="name")
    assert table.index.tolist() == ["B", "NK", "T"] and (table["id"] == "").all()
    assert table.loc["B", "suggestion_1"].startswith("CL:0000236 B cell")


def test_names_of_a_table(hierarchy, tmp_path, capsys):
    pd.DataFrame({"old": ["B cell", "NK cell", ""], "note": "x"}).to_csv(tmp_path / "types.csv")
    out = tmp_path / "map.tsv"
    options = ("--label", "old", "--ontology", hierarchy / "cl.obo", "--out", out)
    assert run("ontology", tmp_path / "types.csv", *options) == 0
    printed = capsys.readouterr().out
    assert "2 of 2 names match a term" in printed and "For you to decide" not in printed
    assert pd.read_csv(out, sep="\t")["match"].tolist() == ["label", "synonym"]


def test_mapped_types_trained_and_predicted(hierarchy, tmp_path, capsys):
    """From names to ids: the map is edited, and the types of new cells have ids."""
    table = pd.DataFrame({"name": ["B", "T", "NK"], "id": ["CL:0000236", "CL:0000084", "CL:0000623"]})
    table.to_csv(tmp_path / "map.csv", index=False)
    options = ("--parents", tmp_path / "map.csv", "--ontology", hierarchy / "cl.obo", "--out", tmp_path / "m")
    assert run("train", hierarchy / "train.h5ad", "-l", "cell_type", "--seed", "0", *options) == 0
    assert "Hierarchy 3 types, 4 nodes, 4 with ids\n" in capsys.readouterr().out
    shallow = make_cells(1)
    shallow.X = sparse.csr_matrix(np.random.default_rng(0).binomial(shallow.X.toarray().astype(int), 0.05))
    shallow.write_h5ad(tmp_path / "shallow.h5ad")
    for name in ("p.csv", "p.h5ad"):
        predict = ("predict", tmp_path / "shallow.h5ad", "--model", tmp_path / "m", "--out", tmp_path / name)
        assert run(*predict, "--backoff", "0.9") == 0
    assert "of 90 cells get a coarser type (threshold 0.9)" in capsys.readouterr().out
    cells, table = anndata.read_h5ad(tmp_path / "p.h5ad"), pd.read_csv(tmp_path / "p.csv", index_col="cell")
    terms = {"B": "CL:0000236", "T": "CL:0000084", "NK": "CL:0000623", "lymphocyte": "CL:0000542"}
    ids = table["label"].map(terms).fillna("unknown")  # of cells without any expression
    assert set(table["label"]) >= {*terms} and (table["confidence"] >= 0.9)[ids != "unknown"].all()
    assert set(table["type"]) - {"unassigned"} == {"B", "T", "NK"}
    assert cells.obs["gene_gcn"].tolist() == table["label"].tolist()
    assert cells.obs["cell_type_ontology_term_id"].tolist() == ids.tolist()
    assert table["cell_type_ontology_term_id"].tolist() == ids.tolist()


def test_levels_and_automatic_back_off(hierarchy, tmp_path, capsys):
    out, query = tmp_path / "p.csv", hierarchy / "query.h5ad"
    options = ("--backoff", "auto", "--alpha", "0.2", "--out", out)
    assert run("predict", query, "--model", hierarchy / "model", *options) == 0
    assert "Back-off  0 of 90 cells get a coarser type (threshold 0)" in capsys.readouterr().out
    table, known = pd.read_csv(out, index_col="cell"), anndata.read_h5ad(query).obs
    assert (table["level coarse"] == known["coarse"].astype(str))[2:].mean() > 0.9
    assert {"type", "level cell_type", "set_nodes"} <= set(table.columns)
    assert run("evaluate", query, "--model", hierarchy / "model", "--label", "cell_type") == 0
    printed = capsys.readouterr().out
    assert "CL accuracy" in printed and "hierarchical F1" in printed
    assert run("evaluate", query, "--model", hierarchy / "model", "--label", "coarse") == 0
    lines = capsys.readouterr().out.splitlines()
    scores = {
        line[:24].strip(): float(line[24:]) for line in lines if line.startswith(("CL acc", "accuracy"))
    }
    assert scores["CL accuracy"] > 0.9 > 0.5 > scores["accuracy"]  # B and T are lymphoid


def test_several_files_and_levels(hierarchy, tmp_path):
    files = [hierarchy / "train.h5ad", hierarchy / "query.h5ad"]
    assert run("train", *files, "-l", "coarse", "-l", "cell_type", "--out", tmp_path / "m") == 0
    assert GeneGCNClassifier.load(tmp_path / "m").hierarchy_.ancestors("B") == {"lymphoid", "cell"}


def test_fetched_for_later(host, monkeypatch, capsys):
    host.files["/v2025-01-08/cl-basic.obo"] = as_obo("2025-01-08").encode()
    monkeypatch.setenv("GENE_GCN_CL_URL", host.url)
    assert run("fetch", "cell-ontology", "--version", "v2025-01-08") == 0
    printed = capsys.readouterr().out
    assert "Cell Ontology v2025-01-08" in printed and "CC BY 4.0" in printed and "10.1186" in printed
    assert run("networks") == 0 and "cl-basic.obo" in capsys.readouterr().out


def test_mistakes_name_options(hierarchy, tmp_path, error_of):
    query, train = hierarchy / "query.h5ad", hierarchy / "train.h5ad"
    predict = ("predict", query, "--model", hierarchy / "model", "--out", tmp_path / "p.csv")
    assert "--backoff 'many' is neither auto nor a number" in error_of(*predict, "--backoff", "many")
    fit = ("train", train, "--label", "cell_type", "--out", tmp_path / "m")
    assert "pass them with --parents" in error_of(*fit, "--ontology", hierarchy / "cl.obo")
    (tmp_path / "map.csv").write_text("type,id\nB,CL:0000236\n")
    assert "--parents needs the column 'name'" in error_of(*fit, "--parents", tmp_path / "map.csv")
    assert "does not exist" in error_of(*fit, "--parents", tmp_path / "none.csv")
    assert "'coarser' is not" in error_of("ontology", query, "-l", "coarser", "-o", tmp_path / "map2.csv")
    assert "--label coarser,cell_type names columns" in error_of(*fit[:2], "-l", "coarser", *fit[2:])
    assert "cellxgene-ontology-guide" in error_of(
        "ontology", query, "-l", "coarse", "-o", tmp_path / "map2.csv"
    )
    (tmp_path / "empty.csv").write_text("")
    assert "empty.csv is empty" in error_of(
        "ontology", tmp_path / "empty.csv", "-l", "x", "-o", tmp_path / "a.csv"
    )
    assert not (tmp_path / "m").exists() and not (tmp_path / "map2.csv").exists()
