"""The server, started as a client starts it, and driven by the client of the protocol's own SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import scanpy as sc
from anyio.from_thread import start_blocking_portal
from command_line import run
from mcp import Client, StdioServerParameters, stdio_client

import gene_gcn
from gene_gcn import GeneGCNClassifier

TOOLS = {"list_files", "annotate", "explain", "report", "describe_model", "markers"}
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(gene_gcn.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
COMMAND = [sys.executable, "-m", "gene_gcn", "mcp", "--folder"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model of the cells that ship with scanpy, other such cells, and what is not for clients."""
    outside = tmp_path_factory.mktemp("mcp")
    folder = outside / "inside"
    folder.mkdir()
    cells = sc.datasets.pbmc68k_reduced()
    clf = GeneGCNClassifier(use_raw=True, random_state=0).fit(cells[::2].copy(), "bulk_labels")
    clf.save(folder / "model")
    clf.save(folder / "model.zip")
    query = cells[1::4].copy()
    query.write_h5ad(folder / "query.h5ad")
    query.write_h5ad(outside / "secret.h5ad")
    (folder / "link.h5ad").symlink_to(outside / "secret.h5ad")
    return folder


@contextmanager
def served(folder: Path, *options: str, **variables: str) -> Iterator[Callable]:
    """A function that calls a tool of a new server: its structured result, or the text of an error."""
    words = [*COMMAND[1:], str(folder), *options]
    parameters = StdioServerParameters(command=COMMAND[0], args=words, env=ENVIRONMENT | variables)

    def call(name: str, **arguments):
        result = portal.call(client.call_tool, name, arguments)
        (content,) = result.content
        if result.is_error:
            assert "Traceback" not in content.text
            return content.text
        assert json.loads(content.text) == result.structured_content
        return result.structured_content

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Client(stdio_client(parameters))) as client,
    ):
        call.list_tools = lambda: portal.call(client.list_tools).tools
        call.instructions = client.instructions
        yield call


@pytest.fixture(scope="module")
def call(folder):
    with served(folder) as call:
        yield call


def test_tools_describe_themselves(call, folder):
    tools = {tool.name: tool for tool in call.list_tools()}
    assert set(tools) == TOOLS
    for tool in tools.values():
        assert tool.description and tool.output_schema["properties"]["warnings"]
        assert tool.annotations.read_only_hint == (tool.name not in {"annotate", "report"})
        assert all("description" in each for each in tool.input_schema["properties"].values())
    assert str(folder) in call.instructions


def test_files_are_listed_without_links(call, folder):
    result = call("list_files")
    found = {Path(file["path"]).name: file["kind"] for file in result["files"]}
    assert result["folders"] == [str(folder)] and result["more"] is False
    assert found.pop("query.h5ad") == "cells" and found.pop("model") == "model"
    assert found.pop("model.zip") == "model"
    assert "link.h5ad" not in found and "config.json" not in found


def test_annotate_gives_what_the_classifier_gives(call, folder):
    result = call("annotate", cells="query.h5ad", model="model", out="types.csv")
    clf, query = GeneGCNClassifier.load(folder / "model"), sc.read_h5ad(folder / "query.h5ad")
    clf.annotate(query)
    expected = query.obs["gene_gcn"].value_counts()
    assert {row["type"]: row["cells"] for row in result["types"]} == expected[expected > 0].to_dict()
    assert result["cells"] == query.n_obs and result["shift"]["removed"] is False
    assert result["written"] == [str(folder / "types.csv")]
    written = pd.read_csv(folder / "types.csv", index_col=0)
    assert list(written["label"]) == list(query.obs["gene_gcn"])


def test_nothing_is_replaced_without_force(call, folder):
    (folder / "there.csv").write_text("mine")
    arguments = {"cells": "query.h5ad", "model": "model", "out": "there.csv"}
    assert "already exists; pass force: true" in call("annotate", **arguments)
    assert (folder / "there.csv").read_text() == "mine"
    assert call("annotate", **arguments, force=True)["written"]
    assert (folder / "there.csv").read_text() != "mine"
    assert "is the cell file itself" in call("annotate", **arguments | {"out": "query.h5ad"}, force=True)


def test_options_reach_the_classifier(call):
    result = call("annotate", cells="query.h5ad", model="model", unknown=True, over="louvain")
    assert result["fraction_unknown"] is not None and result["consensus"]["over"] == "louvain"
    assert result["written"] == []
    few = call("annotate", cells="query.h5ad", model="model", use_raw=False, scale="log1p")
    assert isinstance(few, str) and "negative" in few  # .X is scaled
    assert call("annotate", cells="query.h5ad", model="model")["cells"] == result["cells"]  # as in training


def test_explain_says_what_speaks_for_and_against(call, folder):
    result = call("explain", cells="query.h5ad", model="model", type="CD19+ B", against="Dendritic", top=5)
    clf, query = GeneGCNClassifier.load(folder / "model"), sc.read_h5ad(folder / "query.h5ad")
    rows = (clf.predict(query) == "CD19+ B").nonzero()[0]
    explanation = clf.explain(query, ["CD19+ B"], "Dendritic")
    genes = explanation.genes("CD19+ B", None, cells=rows).set_index("gene")["total"]
    assert result["cells"] == len(rows)
    assert [each["gene"] for each in result["genes_for"]] == list(genes[genes > 0].index[:5])
    assert [each["gene"] for each in result["genes_against"]] == list(genes[genes < 0].index[:5])
    assert result["logit"] == pytest.approx(result["baseline"] + genes.sum(), abs=1e-3)
    name = query.obs_names[rows[0]]
    alone = call("explain", cells="query.h5ad", model="model", cell=name, top=3)
    assert alone["type"] == "CD19+ B" and alone["cells"] == 1 and len(alone["genes_for"]) == 3


def test_report_writes_a_page(call, folder):
    result = call("report", cells="query.h5ad", model="model", out="page.html", label="bulk_labels")
    assert [Path(path).name for path in result["written"]] == [
        "page.html",
        "page_types_mqc.json",
        "page_stats_mqc.json",
    ]
    assert all(Path(path).is_file() for path in result["written"])
    assert "CD19+ B" in (folder / "page.html").read_text()
    assert "already exists" in call("report", cells="query.h5ad", model="model", out="page.html")


def test_models_are_described_and_loaded_again_when_trained_again(call, folder):
    cells = sc.datasets.pbmc68k_reduced()
    few = cells[cells.obs["bulk_labels"].isin(["CD19+ B", "Dendritic"])].copy()
    GeneGCNClassifier(use_raw=True, random_state=0).fit(few, "bulk_labels").save(folder / "again")
    described = call("describe_model", model="again")
    counts = few.obs["bulk_labels"].value_counts()
    assert {each["type"]: each["training_cells"] for each in described["types"]} == counts[
        counts > 0
    ].to_dict()
    GeneGCNClassifier(use_raw=True, random_state=0).fit(few[:, ::2].copy(), "bulk_labels").save(
        folder / "again"
    )
    fewer = few[few.obs["bulk_labels"] == "CD19+ B"].copy()
    fewer.obs["half"] = ["a", "b"] * (fewer.n_obs // 2) + ["a"] * (fewer.n_obs % 2)
    GeneGCNClassifier(use_raw=True, random_state=0).fit(fewer, "half").save(folder / "again")
    assert [each["type"] for each in call("describe_model", model="again")["types"]] == ["a", "b"]


def test_models_of_urls_are_loaded_only_if_the_server_allows_it(call, folder, host, tmp_path):
    host.files["/model.zip"] = (folder / "model.zip").read_bytes()
    url = f"{host.url}/model.zip"
    assert "start it with --urls" in call("describe_model", model=url) and host.paths() == []
    with served(folder, "--urls", GENE_GCN_CACHE=str(tmp_path)) as trusting:
        assert trusting("describe_model", model=url) == call("describe_model", model="model.zip")
    assert host.paths() == ["/model.zip"]


def test_markers_are_those_of_the_model(call):
    rows = call("markers", model="model", types=["CD19+ B"], top=3)["markers"]
    assert {row["type"] for row in rows} == {"CD19+ B"} and "CD79A" in [row["gene"] for row in rows]


def test_warnings_come_with_the_result(call, folder):
    query = sc.read_h5ad(folder / "query.h5ad")
    query.raw = query.raw.to_adata()[:, ::3]
    query.write_h5ad(folder / "few_genes.h5ad")
    for _ in range(2):  # each time
        result = call("annotate", cells="few_genes.h5ad", model="model")
        assert any("genes" in warning for warning in result["warnings"])
    reasons = call("explain", cells="few_genes.h5ad", model="model", type="CD19+ B")
    assert len(reasons["warnings"]) == len(set(reasons["warnings"])) > 0


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("annotate", {"cells": "../secret.h5ad"}, 'cells: "../secret.h5ad" is outside of the folders'),
        ("annotate", {"cells": "/etc/hosts"}, "is outside of the folders"),
        ("annotate", {"cells": "link.h5ad"}, "leads over the symbolic link"),
        ("annotate", {"out": "../types.csv"}, 'out: "../types.csv" is outside'),
        ("report", {"out": "../page.html"}, "is outside"),
        ("annotate", {"model": "../model"}, 'model: "../model" is outside'),
        ("annotate", {"model": "https://example.org/model.zip"}, "start it with --urls"),
        ("annotate", {"model": "x://../../model"}, "is outside"),
        ("annotate", {"cells": "absent.h5ad"}, "does not exist"),
        ("annotate", {"out": "types.docx"}, "types.docx"),
        ("annotate", {"over": "absent"}, 'over: "absent" is not in .obs'),
        ("annotate", {"backoff": 0.9}, "backoff"),
        ("explain", {}, "Pass type, cell or both"),
        ("explain", {"type": "CD19 B"}, "pass one such as CD19+ B"),
        ("explain", {"cell": "nobody"}, 'cell: "nobody" is not the name of a cell'),
        ("report", {"label": "absent", "out": "x.html"}, "absent"),
    ],
)
def test_mistakes_are_tool_errors_with_a_remedy(call, folder, tool, arguments, message):
    before = sorted(folder.parent.rglob("*"))
    text = call(tool, **{"cells": "query.h5ad", "model": "model"} | arguments)
    assert message in text
    assert sorted(folder.parent.rglob("*")) == before


def test_stdout_holds_nothing_but_the_protocol(folder):
    request = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    arguments = {"cells": "query.h5ad", "model": "model"}
    lines = [
        {"id": 1, "method": "initialize", "params": request},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "annotate", "arguments": arguments}},
    ]
    with subprocess.Popen(
        [*COMMAND, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    ) as server:
        for line in lines:
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **line}) + "\n")
        server.stdin.flush()
        answers = [json.loads(server.stdout.readline()) for _ in range(2)]
        rest, log = server.communicate(timeout=60)
    assert [answer["id"] for answer in answers] == [1, 2] and rest == ""
    assert answers[1]["result"]["structuredContent"]["cells"] == 175
    assert "Cells     175 cells" in log and "Traceback" not in log
    assert server.returncode == 0


def test_json_and_absent_folders_are_refused(capsys, tmp_path):
    assert run("mcp", "--json") == 2
    assert "--json cannot be used" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert run("mcp", "--folder", tmp_path / "absent") == 2
    assert "--folder" in capsys.readouterr().err
