"""The code of each page runs, on small files and objects of the names that it uses.

Commands that take long, or need public sets, are parsed by the program that they call, so that no option can
be wrong. A block that no test runs needs a reason in `NOT_RUN`. Tutorials are run when the site is built.
"""

from __future__ import annotations

import argparse
import runpy
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import torch
import typer
from blood_cells import GENES, MARKERS, make_blood
from code_blocks import PYTHON, ROOT, blocks_of, commands_in, pages
from command_line import run
from served_files import serve, string_files
from small_ontology import ROWS
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from gene_gcn import GeneGCNClassifier, GeneNetwork, networks
from gene_gcn.cli.program import app
from gene_gcn.nn import InteractionConv

# Parsed, but not run: these commands take minutes to hours, and commands on a public set need it.
LONG = ("benchmark", "reproduce")
PUBLIC_SET = "zheng_sorted_pbmc.h5ad"
# Pages whose commands are all parsed only: their files are the public sets of the benchmarks.
ON_PUBLIC_SETS = ("docs/benchmarks/", "docs/guide/paper.md")
# Run by another test.
RUN_ELSEWHERE = {
    "README.md": "tests/test_readme.py",
    "docs/faq.md": "tests/docs/test_faq.py",
    "docs/first_steps.md": "test_first_steps_print_what_the_page_says_and_python_does_the_same, below",
    "docs/guide/pipelines.md": "tests/integrations/test_pipelines_page.py",
    "docs/guide/scanpy.md": "tests/test_scanpy.py",
    "docs/guide/seurat.md": "tests/test_seurat.py",
    "docs/guide/sharing_models.md": "tests/test_sharing_page.py",
}
# (page, first words of the block): why no test runs it.
NOT_RUN = {
    ("docs/index.md", "gene-gcn demo"): "tests/cli/test_demo.py runs it",
    ("docs/guide/hierarchy.md", "import anndata, pandas as pd"): "needs two public sets and their ids",
    ("docs/guide/networks.md", "from gene_gcn import networks\n\nnet = networks.string"): (
        "downloads from three services; tests/networks runs each call against a local server"
    ),
    ("docs/installation.md", "python3 -m venv"): "installs; the build in continuous integration does so",
}
Page = Callable[[Path], dict[str, Any]]
PREPARED: dict[str, Page] = {}


def page(path: str) -> Callable[[Page], Page]:
    """Register what a page's code finds: files in the folder, and the names that are returned."""

    def register(prepare: Page) -> Page:
        PREPARED[f"docs/{path}"] = prepare
        return prepare

    return register


def fitted(*, by_gradients: bool = False) -> GeneGCNClassifier:
    """A model of the small cells with a network, fitted exactly or by gradients."""
    n = len(GENES)
    chain = GeneNetwork(GENES, [np.arange(n - 1), np.arange(1, n)])
    settings: dict[str, Any] = {"attention": "dot", "max_epochs": 2} if by_gradients else {}
    return GeneGCNClassifier(chain, random_state=0, **settings).fit(make_blood(0), "cell_type")


# ---- what each page finds ----


@page("installation.md")
def installation(folder: Path) -> dict[str, Any]:
    return {}


@page("guide/attention.md")
def attention(folder: Path) -> dict[str, Any]:
    edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
    graphs = [Data(x=torch.rand(3, 1), edge_index=edge_index, edge_weight=torch.rand(3)) for _ in range(3)]
    return {"DataLoader": DataLoader, "graphs": graphs, "conv": InteractionConv(1, 1)}


@page("guide/confidence.md")
def confidence(folder: Path) -> dict[str, Any]:
    make_blood(2).write_h5ad(folder / "theirs.h5ad")
    cells = {"adata": make_blood(0), "ours": make_blood(3), "reference": make_blood(4)}
    return {**cells, "clf": fitted(), "query": make_blood(1)}


@page("guide/explain.md")
def explain(folder: Path) -> dict[str, Any]:
    make_blood(1).write_h5ad(folder / "new_cells.h5ad")
    clf = fitted()
    clf.save(folder / "model")
    for path, content in string_files(GENES).items():
        (folder / Path(path).name).write_bytes(content)
    cells = {"query": make_blood(1), "reference": make_blood(0), "cells": make_blood(5)}
    return {**cells, "clf": clf, "networks": networks, "GeneGCNClassifier": GeneGCNClassifier}


@page("guide/hierarchy.md")
def hierarchy(folder: Path) -> dict[str, Any]:
    ids = {"B": "CL:0000236", "NK": "CL:0000623", "T": "CL:0000084"}
    ids |= {"CD4 T": "CL:0000624", "CD8 T": "CL:0000625"}
    pd.Series(ids, name="id").rename_axis("name").to_csv(folder / "map.csv")
    (folder / "parents.csv").write_text("name,parent\nCD4 T,T cell\nCD8 T,T cell\nT,T cell\n")
    for name, seed in {"cells": 0, "query": 1}.items():
        cells = make_blood(seed)
        if name == "cells":  # labels that the Cell Ontology knows, for the command that maps them
            labels = {term: label for term, label, _, _ in ROWS}
            cells.obs["cell_type"] = [labels[ids[name]] for name in cells.obs["cell_type"]]
        cells.write_h5ad(folder / f"{name}.h5ad")
    true = np.array([term for term, *_ in ROWS[3:9]])
    return {
        "adata": make_blood(0),
        "query": make_blood(1),
        "clf": GeneGCNClassifier(random_state=0),
        "y_true": true,
        "y_pred": np.roll(true, 1),
    }


@page("guide/markers.md")
def markers(folder: Path) -> dict[str, Any]:
    make_blood(0).write_h5ad(folder / "cells.h5ad")
    (folder / "types.yaml").write_text("".join(f"{t}: {genes[:3]}\n" for t, genes in MARKERS.items()))
    return {"adata": make_blood(0)}


@page("guide/merging.md")
def merging(folder: Path) -> dict[str, Any]:
    ours, theirs = (
        GeneGCNClassifier(random_state=0).fit(make_blood(seed), "cell_type", batch="donor") for seed in (0, 1)
    )
    ours.save(folder / "ours")
    theirs.save(folder / "theirs")
    return {"ours": ours, "theirs": theirs, "new_cells": make_blood(2)}


@page("guide/networks.md")
def networks_page(folder: Path) -> dict[str, Any]:
    return {"adata": make_blood(0), "networks": networks}


@page("guide/on_disk.md")
def on_disk(folder: Path) -> dict[str, Any]:
    make_blood(0).write_h5ad(folder / "atlas.h5ad")
    make_blood(1).write_zarr(folder / "theirs.zarr")
    fitted().save(folder / "model")
    return {}


@page("guide/panels.md")
def panels(folder: Path) -> dict[str, Any]:
    make_blood(0).write_h5ad(folder / "cells.h5ad")
    (folder / "genes.txt").write_text("CD3E\nMS4A1\nNKG7\n")
    return {"reference": make_blood(0), "xenium": make_blood(1)[:, 10:].copy()}


@page("guide/plots.md")
def plots(folder: Path) -> dict[str, Any]:
    return {"clf": fitted(), "query": make_blood(1)}


@page("reference/cli.md")
def commands(folder: Path) -> dict[str, Any]:
    fitted().save(folder / "model")
    make_blood(0, 60).write_h5ad(folder / "reference.h5ad")
    make_blood(1, 60).write_h5ad(folder / "query.h5ad")
    return {}


@page("reference/index.md")
def reference(folder: Path) -> dict[str, Any]:
    return {}


@page("guide/report.md")
def report(folder: Path) -> dict[str, Any]:
    clf, query = fitted(), make_blood(1, 40)
    clf.save(folder / "model")
    query.write_h5ad(folder / "query.h5ad")
    return {"clf": clf, "query": query}


@page("guide/species.md")
def species(folder: Path) -> dict[str, Any]:
    mouse = make_blood(1)
    mouse.var_names = mouse.var_names.str.capitalize()
    mouse.write_h5ad(folder / "mouse.h5ad")
    rows = [f"{gene}\t{gene.capitalize()}\n" for gene in GENES]
    (folder / "orthologs.tsv").write_text("human\tmouse\n" + "".join(rows))
    fitted().save(folder / "human_model")
    return {"human": make_blood(0), "mouse": mouse, "GeneGCNClassifier": GeneGCNClassifier}


# What a block finds in place of what the blocks before it left.
BEFORE = {
    ("docs/guide/explain.md", "explanation = clf.explain(query, n_steps=32)"): lambda: {
        "clf": fitted(by_gradients=True)
    },
    ("docs/guide/explain.md", "found = clf.explain(query)"): lambda: {"clf": fitted()},
}


# ---- tests ----


@pytest.fixture
def folder(tmp_path, monkeypatch, host) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    serve(host, monkeypatch, GENES)
    return tmp_path


def starting(table: dict[tuple[str, str], Any], path: str, code: str) -> Any:
    """What the table holds for the block of a page, by how its code starts."""
    return next((value for (p, start), value in table.items() if p == path and code.startswith(start)), None)


def is_run(words: list[str]) -> bool:
    return words[0] == "gene-gcn" and words[1] not in LONG and PUBLIC_SET not in words


@pytest.mark.parametrize("path", [path for path in pages() if path in PREPARED])
@pytest.mark.filterwarnings("ignore::gene_gcn.errors.GeneGCNWarning", "ignore::FutureWarning")
def test_code_of_a_page_runs(path, folder):
    module = types.ModuleType("__page__")
    module.__dict__.update(PREPARED[path](folder))
    ran = 0
    for block in blocks_of(path):
        if starting(NOT_RUN, path, block.code):
            continue
        if block.language in PYTHON:
            module.__dict__.update((starting(BEFORE, path, block.code) or dict)())
            exec(compile(block.code, f"{path}:{block.line}", "exec"), module.__dict__)
            ran += 1
        for words in commands_in(block.code) if block.language == "sh" else []:
            if is_run(words):
                again = "--out" in words and Path(words[words.index("--out") + 1]).exists()
                assert run(*words[1:], *["--force"] * again) == 0, " ".join(words)
                ran += 1
    assert ran


ALL_COMMANDS = [
    (path, words)
    for path in pages()
    for block in blocks_of(path)
    if block.language == "sh"
    for words in commands_in(block.code)
    if words[0] in ("gene-gcn", "python")
]


def parse_command(words: list[str]) -> None:
    """Parse the words of gene-gcn, without running the command."""
    command, name = typer.main.get_command(app), "gene-gcn"
    while subcommands := getattr(command, "commands", None):
        name, *words = words
        assert name in subcommands, f"gene-gcn has no command {name}"
        command = subcommands[name]
    command.make_context(name, list(words))


class Parsed(Exception):
    """The arguments are right."""


def parse_script(words: list[str], monkeypatch) -> None:
    """Parse the words of a script as it does itself, and stop there."""
    parse = argparse.ArgumentParser.parse_args

    def parse_and_stop(parser, args=None, namespace=None):
        parse(parser, args, namespace)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.syspath_prepend(ROOT / "scripts")
    with pytest.raises(Parsed):
        runpy.run_path(str(ROOT / words[0]), run_name="__main__")


@pytest.mark.parametrize(("path", "words"), ALL_COMMANDS, ids=[" ".join(w)[:60] for _, w in ALL_COMMANDS])
def test_arguments_of_a_command_are_right(path, words, monkeypatch):
    if words[0] == "gene-gcn" and words[1:] != ["--version"]:
        parse_command(words[1:])
    elif words[0] == "python" and words[1].startswith("scripts/"):
        parse_script(words[1:], monkeypatch)


def test_wrong_options_are_noticed(monkeypatch):
    with pytest.raises(Exception, match="No such option: --unknwon"):
        parse_command(["predict", "query.h5ad", "--model", "model", "--unknwon"])
    with pytest.raises(SystemExit):
        parse_script(["scripts/panels.py", "CELLS", "--lable", "cell_type"], monkeypatch)


def test_every_block_is_run():
    """Pages with Python or gene-gcn commands are run here, elsewhere, or have a reason."""
    missing = []
    for path in pages():
        if path in PREPARED or path in RUN_ELSEWHERE:
            continue
        for block in blocks_of(path):
            runs = block.language in PYTHON or (
                block.language == "sh" and any(map(is_run, commands_in(block.code)))
            )
            parsed = path.startswith((*ON_PUBLIC_SETS, "docs/tutorials/"))
            excused = (parsed and block.language == "sh") or starting(NOT_RUN, path, block.code)
            if runs and not excused:
                missing.append(f"{path}:{block.line}")
    assert not missing


def test_reasons_are_about_blocks_that_exist():
    for table in (NOT_RUN, BEFORE):
        for path, start in (key for key in table if key[0] in pages()):
            assert any(block.code.startswith(start) for block in blocks_of(path)), (path, start)


def test_first_steps_print_what_the_page_says_and_python_does_the_same(folder, capsys):
    """The page's output is real, and both ways of each step give the same bits."""
    expected = [block.code.split() for block in blocks_of("docs/first_steps.md") if block.language == "text"]
    printed = []
    for block in blocks_of("docs/first_steps.md"):
        if block.language in PYTHON:
            exec(compile(block.code, f"first_steps:{block.line}", "exec"), {})
        elif block.language == "sh":
            for words in commands_in(block.code)[:1]:
                capsys.readouterr()
                assert run(*words[1:]) == 0
                printed.append(capsys.readouterr().out.split())
    of_train, of_predict = (next(p for p in printed if p[-1] == e[-1]) for e in expected)
    assert [w for w in of_train if "." not in w or "h5ad" in w] == [
        w for w in expected[0] if "." not in w or "h5ad" in w
    ]  # all but the seconds
    assert of_predict == expected[1]
    models = [GeneGCNClassifier.load(name) for name in ("model", "model_from_python")]
    query = anndata.read_h5ad("query.h5ad")
    np.testing.assert_array_equal(*(model.predict_proba(query) for model in models))
    by_command, in_python = (
        anndata.read_h5ad(f"{name}.h5ad") for name in ("annotated", "annotated_in_python")
    )
    pd.testing.assert_frame_equal(by_command.obs, in_python.obs)
