"""Pipelines run the same commands on hundreds of samples, of which some have no cells, or none of a type."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import anndata
import networkx as nx
import numpy as np
import pytest
from command_line import make_cells, run, write_10x
from json_output import run_json
from scipy import sparse

FORMS = ("h5ad", "zarr", "csv", "10x")


@pytest.fixture(scope="module")
def samples(folder, tmp_path_factory) -> Path:
    """Files without cells, without counts, with a cell, and with cells of one type; and `model`."""
    path = tmp_path_factory.mktemp("samples")
    (path / "model").symlink_to(folder / "model")
    cells = make_cells(1)[2:].copy()
    cells.obs["cell_type"] = cells.obs["cell_type"].astype(str)
    cells.obs["leiden"] = np.repeat(["0", "1"], 44)
    cells.obsp["connectivities"] = sparse.identity(88, format="csr")
    none = cells[:0].copy()
    none.write_h5ad(path / "none.h5ad")
    with warnings.catch_warnings(action="ignore"):  # zarr's version
        none.write_zarr(path / "none.zarr")
    none.to_df().assign(cell_type="", leiden="").to_csv(path / "none.csv")
    write_10x(path / "none.10x", none)
    silent = cells.copy()
    silent.X = sparse.csr_matrix(silent.shape, dtype=np.float32)
    silent.write_h5ad(path / "silent.h5ad")
    cells[:1].copy().write_h5ad(path / "one.h5ad")
    cells[cells.obs["cell_type"] == "B"].copy().write_h5ad(path / "b.h5ad")
    cells.write_h5ad(path / "full.h5ad")
    return path


def header(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()[0].split(",")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def is_empty(warning: dict) -> bool:
    return warning["category"] == "EmptyCellsWarning"


@pytest.mark.parametrize("form", FORMS)
def test_predict_writes_a_table_without_rows(samples, form, tmp_path, capsys):
    options = ("--unknown", "--alpha", "0.1", "--probabilities")
    for name in (f"none.{form}", "full.h5ad"):
        out = ("-o", tmp_path / f"{name}.csv", "--report", tmp_path / f"{name}.html")
        output = run_json(capsys, "predict", samples / name, "-m", samples / "model", *options, *out)
        assert all(Path(path).stat().st_size for path in output["result"]["written"])
        if name != "full.h5ad":
            assert output["result"]["cells"] == 0 and output["result"]["types"] == []
            assert any(map(is_empty, output["warnings"]))
    assert rows(tmp_path / f"none.{form}.csv") == []
    assert header(tmp_path / f"none.{form}.csv") == header(tmp_path / "full.h5ad.csv")


@pytest.mark.parametrize("over", ["leiden", "connectivities", "clusters"])
def test_no_cells_agree_over_anything(samples, over, tmp_path, capsys):
    out = tmp_path / "p.h5ad"
    line = ("predict", samples / "none.h5ad", "-m", samples / "model", "-o", out, "--over", over)
    assert run_json(capsys, *line)["result"]["consensus"]["changed_cells"] == 0
    written = anndata.read_h5ad(out)
    assert written.n_obs == 0 and {"gene_gcn", "gene_gcn_cell"} <= set(written.obs)


def test_clusters_of_a_table_are_a_column_that_predict_is_told(samples, tmp_path, capsys):
    line = ("predict", samples / "none.csv", "-m", samples / "model", "-o", tmp_path / "p.csv")
    assert run_json(capsys, *line, "--over", "leiden")["result"]["cells"] == 0


@pytest.mark.parametrize("form", FORMS)
def test_other_commands_write_all_their_files(samples, form, tmp_path, capsys):
    cells, model = samples / f"none.{form}", ("-m", samples / "model")
    label = ("-l", "cell_type")
    for line in (
        ("evaluate", cells, *model, *label, "-o", tmp_path / "e", "--report", tmp_path / "e.html"),
        ("report", cells, *model, *label, "-o", tmp_path / "r.html"),
        ("explain", cells, *model, "-o", tmp_path / "x.csv"),
        ("suspicious", cells, *label, "-o", tmp_path / "s.csv"),
    ):
        output = run_json(capsys, *line)
        assert any(map(is_empty, output["warnings"]))
        assert all(Path(path).stat().st_size for path in output["result"]["written"])
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert metrics["cells"] == 0 and metrics["accuracy"] is None
    for table in ("e/predictions.csv", "x.csv", "s.csv"):
        assert rows(tmp_path / table) == []


def test_tables_without_rows_have_the_columns_of_others(samples, tmp_path, capsys):
    model = ("-m", samples / "model")
    for name in ("none", "full"):
        cells = samples / f"{name}.h5ad"
        assert run("explain", cells, *model, "-o", tmp_path / f"x_{name}.csv") == 0
        assert run("suspicious", cells, "-l", "cell_type", "-o", tmp_path / f"s_{name}.csv") == 0
    for kind in "xs":
        assert header(tmp_path / f"{kind}_none.csv") == header(tmp_path / f"{kind}_full.csv")


def test_a_type_without_cells_has_an_empty_explanation(samples, tmp_path, capsys):
    for ending in ("csv", "graphml", "cyjs", "h5ad"):
        out = tmp_path / f"x.{ending}"
        line = ("explain", samples / "b.h5ad", "-m", samples / "model", "-t", "NK", "-o", out)
        output = run_json(capsys, *line)
        (warning,) = output["warnings"]
        assert "No cell is predicted to be of NK" in warning["message"]
        assert warning["argument"] == "--cells-of"
        assert output["result"]["types"] == [] and output["result"]["left_out_types"] == ["NK"]
    assert rows(tmp_path / "x.csv") == [] and len(nx.read_graphml(tmp_path / "x.graphml")) == 0
    assert anndata.read_h5ad(tmp_path / "x.h5ad").varm["explain"].shape == (30, 0)


def test_cells_without_counts_are_unassigned(samples, tmp_path, capsys):
    cells, model = samples / "silent.h5ad", ("-m", samples / "model")
    line = ("predict", cells, *model, "-o", tmp_path / "p.csv", "--unknown", "--over", "clusters")
    (only,) = run_json(capsys, *line)["result"]["types"]
    assert (only["type"], only["cells"]) == ("unassigned", 88)
    assert {row["label"] for row in rows(tmp_path / "p.csv")} == {"unassigned"}
    line = ("evaluate", cells, *model, "-l", "cell_type", "-o", tmp_path / "e")
    assert run_json(capsys, *line)["result"]["metrics"]["accuracy"] == 0


def test_a_single_cell_is_annotated(samples, tmp_path, capsys):
    cells, model = samples / "one.h5ad", ("-m", samples / "model")
    for line in (
        ("predict", cells, *model, "-o", tmp_path / "p.csv", "--unknown", "--over", "clusters"),
        ("report", cells, *model, "-l", "cell_type", "-o", tmp_path / "r.html"),
        ("evaluate", cells, *model, "-l", "cell_type", "-o", tmp_path / "e"),
        ("explain", cells, *model, "-o", tmp_path / "x.csv"),
    ):
        assert run_json(capsys, *line)["status"] == 0


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_learned_from_no_cells(samples, form, tmp_path, error_of):
    cells = samples / f"none.{form}"
    (tmp_path / "types.yaml").write_text("B: [GENE0, GENE1]\nT: [GENE10, GENE11]\n")
    assert "contains no cells" in error_of("train", cells, "-l", "cell_type", "-o", tmp_path / "m")
    markers = ("markers", cells, "-m", tmp_path / "types.yaml", "-o", tmp_path / "m")
    assert "contains no cells" in error_of(*markers)
    assert not (tmp_path / "m").exists()
