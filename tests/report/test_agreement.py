from __future__ import annotations

import numpy as np
from command_line import make_cells
from report_pages import Page, assert_sound

from gene_gcn.report import write_report
from gene_gcn.report.agreement import Agreement


def annotate_over_groups(clf):
    cells = make_cells(1)
    cells.obs["group"] = np.where(np.arange(90) % 2, "odd", "even")
    cells.obsm["X_umap"] = np.zeros((90, 2))
    clf.annotate(cells, over="group")
    return cells


def test_without_a_consensus_there_is_none(annotated):
    assert Agreement.of(annotated, "gene_gcn") is None


def test_clusters_and_changes_are_those_of_the_cells(clf, tmp_path):
    cells = annotate_over_groups(clf)
    types = cells.obs["gene_gcn"].astype(str).to_numpy(object)
    cells.obs["gene_gcn_cell"] = np.where(np.arange(90) < 7, "elsewhere", types)
    found = Agreement.of(cells, "gene_gcn")
    assert (found.over, found.n_clusters, found.n_changed) == ("group", 2, 7)
    assert {one.name: one.cells for one in found.clusters} == {"even": 45, "odd": 45}
    assert all(one.heterogeneous == (one.share < 0.7) for one in found.clusters)
    write_report(tmp_path / "a.html", clf, cells)
    page = Page.read(tmp_path / "a.html")
    assert_sound(page)
    assert "7 cells changed type" in page.text and "Types are a consensus over group." in page.text
