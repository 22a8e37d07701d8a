from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from command_line import TYPES, make_cells, run, train, write_10x

from gene_gcn.estimators.stored_query import StoredQuery


@pytest.mark.parametrize("name", ["p.csv", "p.tsv.gz", "p.h5ad"])
@pytest.mark.parametrize("query", ["query.h5ad", "query.csv"])
def test_predict_labels_the_cells(folder, tmp_path, capsys, query, name):
    out = tmp_path / name
    assert run("predict", folder / query, "--model", folder / "model", "--out", out) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in TYPES) and f"Written   {out}" in printed
    if name.endswith("h5ad"):
        table = anndata.read_h5ad(out).obs.rename(columns={"gene_gcn": "label"})
    else:
        table = pd.read_csv(out, sep="\t" if ".tsv" in name else ",", index_col="cell")
        assert table.columns.tolist() == ["label", "confidence", "second_label", "second_confidence"]
        assert table["confidence"].between(0.3, 1).all()
    cells = make_cells(1)
    assert table.index.tolist() == cells.obs_names.tolist()
    assert (table["label"].astype(str) == cells.obs["cell_type"])[2:].mean() > 0.9


def test_unknown_cells_sets_and_probabilities(folder, tmp_path, capsys, error_of):
    out, model = tmp_path / "p.csv", folder / "model"
    options = ("--unknown", "--alpha", "0.2", "--probabilities", "-o", out)
    assert run("predict", folder / "query.h5ad", "-m", model, *options) == 0
    assert "Shift     0." in capsys.readouterr().out
    table = pd.read_csv(out, keep_default_na=False)
    assert {"novelty", "set", *(f"probability {name}" for name in TYPES)} <= set(table.columns)
    assert table["novelty"].between(0, 1).all() and set("|".join(table["set"]).split("|")) <= {*TYPES, ""}
    assert run("predict", folder / "query.h5ad", "-m", model, "--no-adapt", "--force", "-o", out) == 0
    assert "Shift" not in capsys.readouterr().out
    assert "--alpha 2" in error_of("predict", folder / "query.h5ad", "-m", model, "--alpha", "2")


def test_consensus_over_a_column(folder, tmp_path, capsys, error_of):
    out, arguments = tmp_path / "p.csv", ("predict", folder / "query.h5ad", "-m", folder / "model")
    assert run(*arguments, "--over", "one", "-o", out) == 0
    printed = capsys.readouterr().out
    assert "Consensus over one: 1 cluster, 1 of them heterogeneous; 0 cells (0.0%) changed" in printed
    assert "Heterogeneous clusters" in printed and "1.58" in printed
    assert {"cell_label", "cluster", "cluster_share"} <= set(pd.read_csv(out).columns)
    assert "--over 'two' is not in .obs or .obsp; to find clusters, pass --over 'clusters'" in error_of(
        *arguments, "--over", "two", "-o", tmp_path / "q.csv"
    )


@pytest.fixture
def expected(folder, tmp_path) -> str:
    """The predictions of the query cells."""
    out = tmp_path / "expected.csv"
    assert run("predict", folder / "query.h5ad", "-m", folder / "model", "-o", out) == 0
    return out.read_text()


def test_folders_are_read(folder, tmp_path, expected):
    write_10x(tmp_path / "10x", make_cells(1))
    make_cells(1).write_zarr(tmp_path / "query.zarr")
    for query in ("10x", "query.zarr"):
        out = tmp_path / f"{query}.csv"
        assert run("predict", tmp_path / query, "-m", folder / "model", "-o", out) == 0
        assert out.read_text() == expected


def test_genome_is_chosen(folder, tmp_path, expected, error_of):
    write_10x(tmp_path / "two", make_cells(1), ("GRCh38_", "mm10___"))
    out = tmp_path / "p.csv"
    arguments = ["predict", tmp_path / "two", "-m", folder / "model", "-o", out]
    assert "has genes of GRCh38, mm10; choose --genome 'GRCh38' or --genome 'mm10'." in error_of(*arguments)
    assert "choose --genome 'GRCh38' or" in error_of(*arguments, "--genome", "hg19")
    assert run(*arguments, "--genome", "GRCh38") == 0
    assert out.read_text() == expected


def test_scale_is_stated(folder, tmp_path, capsys, error_of, expected):
    few = make_cells(1)[:5].copy()
    few.X = few.X.log1p()
    few.write_h5ad(tmp_path / "logs.h5ad")
    out = tmp_path / "p.csv"
    arguments = ["predict", tmp_path / "logs.h5ad", "-m", folder / "model", "-o", out]
    assert run(*arguments, "--scale", "log1p") == 0
    assert "warning" not in capsys.readouterr().err
    stated = pd.read_csv(out, index_col="cell")
    counts = pd.read_csv(io.StringIO(expected), index_col="cell").iloc[:5]
    assert stated["label"].equals(counts["label"])
    np.testing.assert_allclose(stated["confidence"], counts["confidence"], atol=1e-3)
    choices = "--scale 'log' is not supported; choose one of 'counts', 'cp10k', 'log1p', 'log2p1'"
    assert choices in error_of(*arguments, "--force", "--scale", "log")


def test_another_species(folder, tmp_path, expected, error_of, capsys):
    mouse = make_cells(1)
    mouse.var_names = [name.capitalize() for name in mouse.var_names]
    mouse.write_h5ad(tmp_path / "mouse.h5ad")
    pairs = pd.DataFrame({"human": make_cells(1).var_names, "mouse": mouse.var_names})
    pairs.to_csv(tmp_path / "pairs.csv", index=False)
    out = tmp_path / "p.csv"
    arguments = ["predict", tmp_path / "mouse.h5ad", "-m", folder / "model", "-o", out]
    assert "orthologs with --organism 'mouse'." in error_of(*arguments)
    assert run(*arguments, "--organism", "mouse", "--orthologs", tmp_path / "pairs.csv") == 0
    assert out.read_text() == expected  # all genes have orthologs, so the cells are the same
    wrong = ("--force", "--organism", "mouse", "--orthologs", "absent.tsv")
    assert "--orthologs 'absent.tsv' is neither 'hcop' nor 'string'" in error_of(*arguments, *wrong)
    report = ("--force", "--organism", "mouse", "--report", tmp_path / "r.html")
    assert "--report is written of cells of the model's species" in error_of(*arguments, *report)
    capsys.readouterr()
    explain = ["explain", *arguments[1:4], "--organism", "mouse", "--orthologs", tmp_path / "pairs.csv"]
    assert run(*explain, "-o", tmp_path / "e.csv") == 0
    assert "GENE" in capsys.readouterr().out


def test_genes_as_rows_are_told(folder, tmp_path, error_of):
    make_cells(1).T.write_h5ad(tmp_path / "rows.h5ad")
    message = error_of("predict", tmp_path / "rows.h5ad", "-m", folder / "model", "-o", tmp_path / "p.csv")
    assert "The rows of X are named like 30 genes of the model: transpose it (X.T)" in message


def test_predict_writes_one_file(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("predict", folder / "query.h5ad", "-m", folder / "model") == 0
    assert os.listdir(tmp_path) == ["predictions.csv"]


def test_layer_of_the_query_replaces_the_raw_of_training(folder, tmp_path):
    cells = make_cells(0)
    cells.raw = cells
    cells.write_h5ad(tmp_path / "raw.h5ad")
    model = tmp_path / "m"
    assert run("train", tmp_path / "raw.h5ad", "-l", "cell_type", "-o", model, "--use-raw") == 0
    query = make_cells(1)
    query.layers["counts"] = query.X
    query.write_h5ad(tmp_path / "layer.h5ad")
    for name, options in {"a.csv": ["--layer", "counts"], "b.csv": ["--no-use-raw"]}.items():
        assert run("predict", tmp_path / "layer.h5ad", "-m", model, "-o", tmp_path / name, *options) == 0
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()


def test_warnings_are_one_line_each(folder, tmp_path, capsys):
    make_cells(1)[:, :25].copy().write_h5ad(tmp_path / "a.h5ad")
    assert run("predict", tmp_path / "a.h5ad", "-m", folder / "model", "-o", tmp_path / "p.csv") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gene-gcn: warning: 5 of the model's 30 genes")


def test_predict_loads_only_what_it_needs(folder, tmp_path):
    """No gradient training, layers of PyG or plots, for a linear head and an .h5ad file."""
    unused = ["lightning", "torch_geometric", "torch._dynamo", "scanpy", "matplotlib"]
    code = (
        "import sys; from gene_gcn.cli import main; status = main(sys.argv[1:]); "
        f"print([name for name in {unused} if name in sys.modules]); sys.exit(status)"
    )
    arguments = ["predict", folder / "query.h5ad", "-m", folder / "model", "-o", tmp_path / "p.csv"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]"), done.stderr


def test_mistakes_are_named(folder, tmp_path, error_of):
    query, model, out = folder / "query.h5ad", folder / "model", tmp_path / "p.csv"
    other = make_cells(1)
    other.var_names = [f"ENSG{i:011}" for i in range(30)]
    other.write_h5ad(tmp_path / "other.h5ad")
    taken = tmp_path / "taken.csv"
    taken.write_text("precious")
    for arguments, message in [
        (["predict", query, "-m", tmp_path / "absent", "-o", out], "no model folder"),
        (["predict", query, "-m", folder / "foreign", "-o", out], "gene_gcn model"),
        (["predict", query, "-m", query, "-o", out], "is a file"),
        (["predict", query, "-m", model, "-o", taken], "already exists; pass --force"),
        (["predict", query, "-m", model, "-o", tmp_path], ".h5ad"),
        (["predict", query, "-m", model, "-o", query, "--force"], "the cell file itself"),
        (["predict", query, "-m", model, "-o", tmp_path / "p.xlsx"], "p.xlsx"),
        (["predict", tmp_path / "other.h5ad", "-m", model, "-o", out], "genes in common"),
    ]:
        assert message in error_of(*arguments), arguments
    assert taken.read_text() == "precious" and not out.exists()


def test_empty_sample_gives_an_empty_result(folder, tmp_path, capsys):
    make_cells(1)[:0].copy().write_h5ad(tmp_path / "a.h5ad")
    make_cells(1).to_df().iloc[:0].to_csv(tmp_path / "a.csv")
    for query in ("a.h5ad", "a.csv"):
        for out in ("p.csv", "p.h5ad"):
            arguments = ["-m", folder / "model", "-o", tmp_path / f"{query}-{out}"]
            assert run("predict", tmp_path / query, *arguments) == 0
            assert "X contains no cells" in capsys.readouterr().err
    assert pd.read_csv(tmp_path / "a.h5ad-p.csv").columns.tolist()[:3] == ["cell", "label", "confidence"]
    assert anndata.read_h5ad(tmp_path / "a.csv-p.h5ad").n_obs == 0


def test_x_is_read_for_a_model_of_a_layer(folder, tmp_path, error_of):
    cells = make_cells(0)
    cells.layers["counts"] = cells.X
    cells.write_h5ad(tmp_path / "layer.h5ad")
    model = tmp_path / "m"
    assert run("train", tmp_path / "layer.h5ad", "-l", "cell_type", "-o", model, "--layer", "counts") == 0
    arguments = ["predict", folder / "query.h5ad", "-m", model, "-o", tmp_path / "p.csv"]
    assert "read .X with --layer ''" in error_of(*arguments)
    assert run(*arguments, "--layer", "") == 0


def test_large_files_are_read_and_written_block_by_block(folder, tmp_path, capsys, monkeypatch):
    """The table and the annotated copy are those of cells in memory."""
    arguments = "predict", folder / "query.h5ad", "-m", folder / "model", "--unknown", "--alpha", "0.2"
    for ending in (".csv", ".h5ad"):
        assert run(*arguments, "-o", tmp_path / f"memory{ending}") == 0
    monkeypatch.setattr("gene_gcn.cells.blocks.LARGEST_IN_MEMORY", 10)
    for ending in (".csv", ".h5ad"):
        assert run(*arguments, "-o", tmp_path / f"disk{ending}") == 0
        assert "read block by block" in capsys.readouterr().out
    table, other = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("memory", "disk"))
    pd.testing.assert_frame_equal(table, other, atol=1e-5)
    cells, copy = (anndata.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("memory", "disk"))
    pd.testing.assert_frame_equal(cells.obs, copy.obs, atol=1e-5)
    np.testing.assert_allclose(cells.obsm["gene_gcn_proba"], copy.obsm["gene_gcn_proba"], atol=1e-5)
    assert (cells.X != copy.X).nnz == 0 and set(cells.uns["gene_gcn"]) == set(copy.uns["gene_gcn"])
    assert not list(tmp_path.glob("*.partial"))


def test_a_report_of_cells_on_disk_is_that_of_cells_in_memory(folder, tmp_path, capsys, monkeypatch):
    """But for the sample, and what is measured in it."""
    arguments = [
        "predict",
        folder / "query.h5ad",
        "-m",
        folder / "model",
        "--force",
        "-o",
        tmp_path / "p.csv",
    ]
    assert run(*arguments, "--report", tmp_path / "memory.html") == 0
    monkeypatch.setattr("gene_gcn.cells.blocks.LARGEST_IN_MEMORY", 10)
    assert run(*arguments, "--report", tmp_path / "disk.html") == 0
    memory, disk = ((tmp_path / name).read_text().splitlines() for name in ("memory.html", "disk.html"))
    told = [(one, other) for one, other in zip(memory, disk, strict=True) if one != other]
    assert all("data:image" in one or "--report" in one for one, _ in told)  # pixels, and the command
    monkeypatch.setattr("gene_gcn.report.cells_read.MOST_CELLS", 40)
    assert run(*arguments, "--report", tmp_path / "disk.html") == 0
    page = (tmp_path / "disk.html").read_text()
    assert page.count(", of 40 cells drawn at random</td>") == 2
    assert "Tables are about all 90 cells" in page and "<td>90</td>" in page


KILLS = {  # SIGKILL
    "before a block": "Kept.__setitem__ = at(4, Kept.__setitem__)",
    "within a block": "Path.write_bytes = at(4, Path.write_bytes, lambda file, data: halve(file, data))",
    "before the output has its name": "Path.replace = at(7, Path.replace)",
}
PROGRAM = """
import os, signal, sys
from pathlib import Path
from gene_gcn.cells import blocks, stored
from gene_gcn.cli import main
from gene_gcn.storage.partial_results import PartialResults as Kept

blocks.LARGEST_IN_MEMORY, stored.ROWS = 10, 20
count = 0

def halve(file, data):
    file.open("wb").write(data[: len(data) // 2])

def at(call, function, last=lambda *arguments: None):
    def counted(*arguments):
        global count
        count += 1
        if count == call:
            last(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)
    return counted

{kill}
main({arguments!r})
"""


@pytest.mark.parametrize("when", KILLS)
@pytest.mark.parametrize("ending", [".csv", ".zarr"])
def test_a_killed_run_goes_on(folder, tmp_path, monkeypatch, capsys, error_of, python, when, ending):
    """With the same bytes as an uninterrupted one, without half a result at any time."""
    query = tmp_path / "query.h5ad"
    make_cells(1).write_h5ad(query)
    arguments = ["predict", query, "-m", folder / "model", "--unknown", "--alpha", "0.2"]
    whole, out = tmp_path / f"whole{ending}", tmp_path / f"p{ending}"
    monkeypatch.setattr("gene_gcn.cells.blocks.LARGEST_IN_MEMORY", 10)
    monkeypatch.setattr("gene_gcn.cells.stored.ROWS", 20)
    assert run(*arguments, "-o", whole) == 0
    command = [str(each) for each in (*arguments, "-o", out)]
    process = python(PROGRAM.format(kill=KILLS[when], arguments=command))
    _, error = process.communicate(timeout=120)
    assert process.returncode == -9, error
    partial = tmp_path / f"p{ending}.partial"
    finished = len(list(partial.glob("block-*")))
    assert not out.exists() and finished == (5 if "output" in when else 3)
    other = [*arguments[:-1], "0.3", "-o", out]
    assert "holds results of a run with other options; delete that folder" in error_of(*other)
    capsys.readouterr()
    read = []
    monkeypatch.setattr(
        StoredQuery, "read", lambda self, n, old=StoredQuery.read: read.append(n) or old(self, n)
    )
    assert run(*command) == 0
    assert f"{partial} with {finished} finished blocks" in capsys.readouterr().out
    assert read == list(range(finished, 5))
    assert contents(out) == contents(whole)
    assert sorted(place.name for place in tmp_path.iterdir() if place.name != "cache") == sorted(
        [out.name, query.name, whole.name]
    )


def contents(path):
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_another_model_or_query_does_not_go_on(folder, tmp_path, monkeypatch, error_of):
    monkeypatch.setattr("gene_gcn.cells.blocks.LARGEST_IN_MEMORY", 10)
    query, out = tmp_path / "query.h5ad", tmp_path / "p.csv"
    make_cells(1).write_h5ad(query)
    arguments = ["predict", query, "-o", out, "-m"]
    with monkeypatch.context() as patched:
        patched.setattr("gene_gcn.cli.predict.remove_partial", lambda folder: None)
        assert run(*arguments, folder / "model") == 0
    out.unlink()
    assert train(folder, tmp_path / "other") == 0
    assert "results of a run with other model; delete" in error_of(*arguments, tmp_path / "other")
    make_cells(2).write_h5ad(query)
    assert "results of a run with other files; delete" in error_of(*arguments, folder / "model")
    shutil.rmtree(tmp_path / "p.csv.partial")
    assert run(*arguments, folder / "model") == 0 and not (tmp_path / "p.csv.partial").exists()


def test_zarr_is_written_and_only_zarr_replaced(folder, tmp_path, capsys, error_of):
    out = tmp_path / "p.zarr"
    arguments = ["predict", folder / "query.h5ad", "-m", folder / "model", "-o", out]
    assert run(*arguments) == 0 and not capsys.readouterr().err
    assert run(*arguments[:-1], tmp_path / "p.h5ad") == 0
    cells, expected = anndata.read_zarr(out), anndata.read_h5ad(tmp_path / "p.h5ad")
    pd.testing.assert_frame_equal(cells.obs, expected.obs)
    pd.testing.assert_frame_equal(cells.obsm["gene_gcn_proba"], expected.obsm["gene_gcn_proba"])
    assert (cells.X != expected.X).nnz == 0
    assert "already exists; pass --force" in error_of(*arguments)
    assert run(*arguments, "--force") == 0
    assert "is or holds the cells" in error_of("predict", out, *arguments[2:], "--force")
    (out / "notes.txt").write_text("precious")
    assert "is a folder with 'notes.txt', which no AnnData has" in error_of(*arguments, "--force")
    (tmp_path / "file.zarr").write_text("precious")
    assert ".zarr is written as a folder" in error_of(*arguments[:-1], tmp_path / "file.zarr", "--force")
