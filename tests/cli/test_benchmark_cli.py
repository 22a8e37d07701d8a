"""Every `gene-gcn benchmark` runs on small data and prints plausible numbers."""

from __future__ import annotations

import re

import anndata
import numpy as np
import pandas as pd
import pytest
from command_line import write_10x
from scipy import sparse

from gene_gcn.benchmark import attention
from gene_gcn.cli import main
from gene_gcn.nn.kernels import available_kernels

N = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Cells of three types, and a network of their genes."""
    path = tmp_path_factory.mktemp("benchmark")
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    X = rng.poisson(np.where(np.arange(N) // 100 == y[:, None], 1.5, 0.2)).astype(np.float32)
    genes = [f"G{i}" for i in range(N)]
    obs = pd.DataFrame({"type": [f"t{k}" for k in y]}, index=[f"c{i}" for i in range(150)])
    cells = anndata.AnnData(sparse.csr_matrix(X), obs=obs, var=pd.DataFrame(index=genes))
    cells.write_h5ad(path / "cells.h5ad")
    pairs = rng.integers(0, N, (900, 2))
    edges = pd.DataFrame(
        {
            "source": [genes[i] for i in pairs[:, 0]],
            "target": [genes[i] for i in pairs[:, 1]],
            "weight": rng.uniform(0.1, 1, 900),
        }
    )
    edges[pairs[:, 0] != pairs[:, 1]].to_csv(path / "edges.tsv", sep="\t", index=False)
    return path


def table(text, header):
    """Return the rows of the Markdown table whose first column has this header, as lists of cells."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {header} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_attention(folder, capsys):
    out, figure = folder / "attention.csv", folder / "attention.png"
    assert (
        main(
            [
                "benchmark",
                "attention",
                str(folder / "cells.h5ad"),
                "--genes",
                "150,300",
                "--out",
                str(out),
                "--plot",
                str(figure),
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    results = pd.read_csv(out)
    assert len(table(printed, "N")) == len(results) and figure.read_bytes().startswith(b"\x89PNG")
    assert set(results["method"]) == attention.METHODS.keys() and set(results["genes"]) == {150, 300}
    assert (results["error"] < 1e-4).all() and (results["seconds"] > 0).all()
    dense = results[results["method"] == "dense"]
    assert (dense["times_dense"] == 1).all()
    assert (dense["memory"] > dense["genes"] / dense["channels"]).all()  # G is N × N, x is N × C
    merged = results[(results["method"] == "merged") & (results["channels"] == 1)]
    assert (merged["rows"] < 20).all() and (merged["memory"] < 4).all()
    assert len(table(printed, "method")) == results.groupby(["method", "channels", "batch"]).ngroups


def test_attention_on_simulated_counts(capsys):
    assert main(["benchmark", "attention", "--genes", "60"]) == 0
    assert {row[3] for row in table(capsys.readouterr().out, "N")} == {
        "dense",
        "flash over all genes",
        "merged",
    }
    counts = attention.simulate_counts(50, 2000, seed=1)
    assert 0.75 < (counts == 0).mean() < 0.99 and np.isfinite(counts).all()
    assert np.array_equal(counts, attention.simulate_counts(50, 2000, seed=1))


def test_more_genes_than_in_the_file_are_refused(folder, capsys):
    assert main(["benchmark", "attention", str(folder / "cells.h5ad"), "--genes", "400"]) != 0
    assert "150 cells × 300 genes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "name", "said"),
    [("--out", "rows.xlsx", "must end in .csv"), ("--plot", "", "--plot")],
)
def test_files_of_attention_that_cannot_be_written_are_refused_before_it_runs(
    option, name, said, tmp_path, capsys
):
    assert main(["benchmark", "attention", "--genes", "60", option, str(tmp_path / name)]) == 2
    printed = capsys.readouterr()
    assert said in printed.err and printed.out == ""


def test_genome_is_chosen(folder, tmp_path, capsys):
    write_10x(tmp_path / "two", anndata.read_h5ad(folder / "cells.h5ad"), ("GRCh38_", "mm10___"))
    command = ["benchmark", "attention", str(tmp_path / "two"), "--genes", "60"]
    assert main(command) == 2
    assert "choose --genome 'GRCh38' or --genome 'mm10'." in capsys.readouterr().err
    assert main([*command, "--genome", "mm10"]) == 0
    for name, options in (
        ("benchmark accuracy", ["--splits", "folds"]),
        ("reproduce", ["--network", "coexpression"]),
    ):
        command = [
            *name.split(),
            str(tmp_path / "two"),
            "--label",
            "type",
            *options,
            "--out",
            str(tmp_path / "out"),
        ]
        assert main(command) == 2
        assert "choose --genome 'GRCh38' or --genome 'mm10'." in capsys.readouterr().err
        assert main([*command, "--genome", "mm10"]) == 2  # such files have no labels
        assert "--label 'type'" in capsys.readouterr().err


def test_kernels(folder, capsys):
    assert (
        main(["benchmark", "kernels", str(folder / "edges.tsv"), "--batch-size", "4", "--channels", "2"]) == 0
    )
    rows = table(capsys.readouterr().out, "kernel")
    assert [row[0] for row in rows[:-2]] == list(available_kernels())
    assert all(float(row[4]) < 1e-5 for row in rows) and float(rows[0][3]) == 1


def test_epochs_and_the_naive_implementation(folder, capsys):
    assert (
        main(
            [
                "benchmark",
                "epochs",
                str(folder / "cells.h5ad"),
                "--label",
                "type",
                "--network",
                str(folder / "edges.tsv"),
                "--repeats",
                "1",
                "--naive",
                "2",
            ]
        )
        == 0
    )
    printed = capsys.readouterr().out
    rows = table(printed, "model")
    assert [row[0] for row in rows] == [
        "head alone",
        "individual graph",
        "global graph",
        "both graphs",
        "naive, one cell at a time",
    ]
    assert re.search(r"Both graphs are [\d,]+ times faster", printed)


def test_naive_step_equals_a_step_with_the_layer(folder):
    """The equations are the same: a step of the same optimizer gives the same weights."""
    import torch
    import torch.nn.functional as F

    from gene_gcn.benchmark.epochs import naive_step
    from gene_gcn.nn import GeneGCN, GlobalGraph
    from gene_gcn.nn.sparse import to_csr

    x, y = torch.poisson(torch.full((1, 40), 0.7)), torch.tensor([1])
    adj_t = torch.rand(40, 40) * (torch.rand(40, 40) < 0.1)
    weights = []
    for naive in (True, False):
        torch.manual_seed(0)
        model = GeneGCN(40, 3, hidden_channels=(5,))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        if naive:
            naive_step(model, optimizer, x, adj_t, y)
        else:
            F.cross_entropy(model(x, GlobalGraph(to_csr(adj_t))), y).backward()
            optimizer.step()
        weights.append([p.detach() for p in model.parameters()])
    torch.testing.assert_close(*weights)


def test_scale_prints_and_stores(folder, capsys):
    out = folder / "scale"
    arguments = ["benchmark", "scale", str(folder / "cells.h5ad"), "--label", "type", "--out", str(out)]
    arguments += ["--cells", "100,200", "--test-cells", "60", "--methods", "sparse"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    rows = table(printed, "cells")
    assert [row[0] for row in rows] == ["100", "200"] and all(float(row[-1]) > 0.8 for row in rows)
    assert table(printed, "axis") == [
        ["cells", "SGD, sparse", "2", "–", "–", "–", "–"]
    ]  # too few for exponents
    assert {path.name for path in out.iterdir()} == {"runs.json", "scale.csv", "scale.json", "scale.png"}
    assert main([*arguments, "--genes", "300"]) == 0
    assert capsys.readouterr().out.count("from an earlier run") == 2


def test_scale_skips_what_does_not_fit_and_names_mistakes(folder, capsys):
    arguments = ["benchmark", "scale", str(folder / "cells.h5ad"), "--label", "type"]
    arguments += ["--out", str(folder / "skipped"), "--methods", "logistic"]
    assert main([*arguments, "--cells", "100000000", "--memory", "2"]) == 0
    assert "skipped: needs about" in capsys.readouterr().out
    for option, wrong in (("--types", "1,3"), ("--cells", "many"), ("--methods", "boosting")):
        assert main([*arguments, option, wrong]) == 2
        assert option in capsys.readouterr().err
