"""Marker genes instead of labels, in the benchmark."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from command_line import GENES, TYPES, run
from command_line import make_cells as small_cells
from scipy.stats import linregress

from gene_gcn.benchmark.marker_methods import (
    BASELINES,
    MARKERS,
    _log1p,
    marker_methods,
    marker_splits,
    markers_of,
    univariate_scores,
)
from gene_gcn.benchmark.splits import labeled_cells
from gene_gcn.cells import MarkerLists
from gene_gcn.errors import ArgumentError

LISTS = pd.DataFrame(
    [("cells", name, GENES[10 * k + i]) for k, name in enumerate(TYPES) for i in range(3)],
    columns=["file", "type", "gene"],
)


def with_background():
    """Cells with genes of no type beside those of types, which scanpy compares them with."""
    cells = small_cells(0)
    X = np.random.default_rng(0).poisson(np.linspace(0.2, 9, 300), (cells.n_obs, 300))
    other = anndata.AnnData(X.astype(np.float32), obs=cells.obs[[]])
    other.var_names = [f"OTHER{i}" for i in range(300)]
    return anndata.concat([cells, other], axis="var", merge="first")


@pytest.fixture(scope="module")
def cells():
    return labeled_cells(with_background(), "cell_type")


def test_the_written_markers_have_three_genes_and_reasons():
    table = pd.read_csv(MARKERS)
    assert table.groupby(["file", "type"]).size().eq(3).all() and table["reason"].str.len().gt(0).all()


def test_markers_of_a_file(tmp_path):
    LISTS.to_csv(tmp_path / "m.csv", index=False)
    assert len(markers_of(tmp_path / "m.csv", "cells")) == 9
    with pytest.raises(ArgumentError, match="no markers for the file 'other'"):
        markers_of(tmp_path / "m.csv", "other")
    LISTS[["type"]].to_csv(tmp_path / "m.csv", index=False)
    with pytest.raises(ArgumentError, match=r"lacks the columns \['file', 'gene'\]"):
        markers_of(tmp_path / "m.csv", "cells")


def test_splits_have_all_markers_or_one_of_each_type(cells):
    splits = marker_splits(cells.n_obs, LISTS)
    assert [split.name for split, _ in splits] == ["3 markers per type", *["1 marker per type"] * 3]
    assert [len(genes) for _, genes in splits] == [9, 3, 3, 3]
    assert splits[2][1]["gene"].tolist() == ["GENE1", "GENE11", "GENE21"]


@pytest.mark.parametrize("name", BASELINES)
def test_scores_name_cells(cells, name):
    scores = BASELINES[name](cells, MarkerLists.of(LISTS))
    named = np.array(TYPES)[scores.argmax(1)]
    assert (named == cells.obs["cell_type"]).mean() > 0.9


def test_types_without_a_gene_are_never_named(cells):
    lists = MarkerLists.of({"none": ["X"], **LISTS.groupby("type")["gene"].agg(list).to_dict()})
    for score in BASELINES.values():
        assert (score(cells, lists).argmax(1) > 0).all()


def test_univariate_scores_are_the_t_values_of_a_regression(cells):
    scores = univariate_scores(cells, MarkerLists.of(LISTS))
    X = _log1p(cells).X.toarray()
    membership = np.isin(cells.var_names, GENES[:3]).astype(float)
    fit = linregress(membership, X[4])
    assert scores[4, 0] == pytest.approx(fit.slope / fit.stderr, rel=1e-4)


def test_methods_can_be_chosen():
    assert [row.name for row in marker_methods(None, LISTS)] == ["no graph", *BASELINES]
    assert [row.name for row in marker_methods(None, LISTS, methods=["scanpy"])] == ["scanpy score_genes"]


def test_from_the_command_line(tmp_path, capsys):
    with_background().write_h5ad(tmp_path / "cells.h5ad")
    LISTS.to_csv(tmp_path / "m.csv", index=False)
    command = (
        "benchmark",
        "accuracy",
        tmp_path / "cells.h5ad",
        "--label",
        "cell_type",
        "--splits",
        "markers",
    )
    assert run(*command, "--markers", tmp_path / "m.csv", "--out", tmp_path / "out") == 0
    out = capsys.readouterr().out
    assert "### 3 markers per type" in out and "### 1 marker per type" in out and "mean z-score" in out
    assert (tmp_path / "out" / "accuracy.csv").exists()
    assert run(*command, "--out", tmp_path / "out") == 2
    assert "has no markers for the file 'cells'" in capsys.readouterr().err
