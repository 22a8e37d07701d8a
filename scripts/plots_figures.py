"""Draw the figures of docs/guide/plots.md: a mouse pancreas, its reference without ductal cells, and blood.

python scripts/plots_figures.py DATA docs/_static, where DATA holds cells/baron_mouse_pancreas.h5ad,
cells/zheng_sorted_pbmc.h5ad and mirror/ with the paths of the download hosts, which the script serves on this
computer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import anndata
import networkx as nx
import numpy as np
import scanpy as sc
from _local_server import serve_string
from matplotlib.figure import Figure

from gene_gcn import GeneGCNClassifier, networks, plots

HELD_OUT, EXPLAINED = "ductal", "NK cell"


def annotated(
    cells: anndata.AnnData, label: str, held_out: str | None = None
) -> tuple[GeneGCNClassifier, anndata.AnnData]:
    """Return a classifier fitted on half of the cells, without a type, and the other half, annotated."""
    order = np.random.default_rng(0).permutation(cells.n_obs)
    reference, query = cells[order[::2]], cells[order[1::2]].copy()
    counts = reference.obs[label].value_counts()
    known = set(counts[counts >= 3].index) - {held_out}
    reference = reference[reference.obs[label].isin(known)].copy()
    clf = GeneGCNClassifier(random_state=0).fit(reference, label)
    clf.annotate(query, unknown=held_out is not None)
    return clf, query


def add_umap(cells: anndata.AnnData) -> None:
    """Compute a UMAP as scanpy's tutorials do."""
    log = cells.copy()
    sc.pp.normalize_total(log)
    sc.pp.log1p(log)
    sc.pp.highly_variable_genes(log, n_top_genes=2000)
    sc.pp.pca(log, n_comps=30)
    sc.pp.neighbors(log)
    sc.tl.umap(log)
    cells.obsm["X_umap"] = log.obsm["X_umap"]


def strongest_genes(clf: GeneGCNClassifier, query: anndata.AnnData, top: int = 28) -> nx.Graph:
    """Return the genes that contribute most to a type, and the edges of STRING between them."""
    cells = (query.obs["gene_gcn"] == EXPLAINED).to_numpy()
    table = clf.explain(query).genes(EXPLAINED, top=top, cells=cells)
    network, _ = networks.for_genes("string", list(query.var_names), version="12.0")
    graph = network.align(table["gene"].tolist()).to_networkx()
    nx.set_node_attributes(graph, dict(zip(table["gene"], table["total"], strict=True)), "contribution")
    return graph.subgraph(max(nx.connected_components(graph), key=len))


def draw_cells(query: anndata.AnnData, path: Path) -> None:
    figure = Figure(figsize=(12, 9), layout="constrained")
    axes = figure.subplots(2, 2, height_ratios=(1.25, 1)).flat
    plots.embedding(query, ax=axes[0])
    plots.embedding(query, "gene_gcn_confidence", ax=axes[1])
    plots.confidence(query, ax=axes[2])
    plots.label_flow(query.obs["cell_type"], query.obs["gene_gcn"], names=("authors", "gene_gcn"), ax=axes[3])
    plots.save_figure(figure, path, dpi=80)


def draw_genes(cells: anndata.AnnData, path: Path) -> None:
    """Markers and a subnetwork of five types, and how sure ten types are, six of them T cells."""
    figure = Figure(figsize=(12, 8.5), layout="constrained")
    (top_left, top_right), (left, right) = figure.subplots(
        2, 2, width_ratios=(1.6, 1), height_ratios=(1, 1.25)
    )
    clf, query = annotated(cells, "coarse_type")
    plots.markers(query, clf.explain_types(), ax=top_left)
    plots.subnetwork(strongest_genes(clf, query), title=f"{EXPLAINED}, edges of STRING", ax=left)
    clf, query = annotated(cells, "cell_type")
    judged = query.obs["cell_type"], query.obsm["gene_gcn_proba"].to_numpy(), clf.classes_
    plots.calibration(*judged, ax=right)
    plots.risk_coverage(*judged, ax=top_right)
    plots.save_figure(figure, path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path, help="folder for plots_cells.png and plots_genes.png")
    options = parser.parse_args()
    cells = options.data / "cells"
    _, query = annotated(anndata.read_h5ad(cells / "baron_mouse_pancreas.h5ad"), "cell_type", HELD_OUT)
    add_umap(query)
    draw_cells(query, options.out / "plots_cells.png")
    with serve_string(options.data / "mirror"):
        draw_genes(anndata.read_h5ad(cells / "zheng_sorted_pbmc.h5ad"), options.out / "plots_genes.png")


if __name__ == "__main__":
    main()
