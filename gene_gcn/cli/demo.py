"""`gene-gcn demo`: what the model is for, on blood cells that ship with scanpy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gene_gcn.cli.checks import check_output_folder
from gene_gcn.cli.console import new_table, say
from gene_gcn.cli.memory import check_memory_limit
from gene_gcn.cli.options import Network, NetworkInfo, Organism
from gene_gcn.cli.spelling import typed_command

if TYPE_CHECKING:
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier
    from gene_gcn.benchmark.splits import Split

LABEL = "bulk_labels"
HELD_OUT = "CD19+ B"  # the largest type of which the others are no close relatives
BASELINE = "logistic regression, log1p CP10k"
OUTPUTS = {
    "model": "the model, for gene-gcn predict",
    "predictions.csv": "the annotated half and its predicted types",
    "predictions.h5ad": "the same as AnnData",
    "report.html": "what was named how surely, and why: open it in a browser",
}


def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("gene_gcn_demo"),
    network: Network = "none",
    network_info: NetworkInfo = None,
    organism: Organism = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the split and of the training.")] = 0,
) -> dict[str, Any]:
    """Annotate blood cells that ship with scanpy, beside logistic regression.

    One half of 700 cells annotates the other: with all genes, with a third of them, and with a tenth of the
    counts. Then one type is left out of the reference, to see what becomes of its cells.
    """
    check_memory_limit()
    check_output_folder(out)
    say("Loading the cells and the libraries …")
    from gene_gcn import GeneGCNClassifier
    from gene_gcn.networks.resolve import read_network
    from gene_gcn.storage.model_folder import check_destination

    check_destination(out / "model")
    cells = load()
    resolved = read_network(None if network == "none" else network, organism=organism, info=network_info)
    whole, *others = make_splits(cells, seed)
    _say_cells(cells, whole, seed)
    if resolved is not None:
        say(f"Network   {resolved}")

    def new_classifier() -> GeneGCNClassifier:
        return GeneGCNClassifier(resolved, organism=organism, random_state=seed)

    train, query = whole.cells(cells)
    clf = new_classifier().fit(train, LABEL)
    rows = [(whole.name, _compare(clf, train, query))]
    for split in others:
        degraded = split.cells(cells)
        rows.append((split.name, _compare(new_classifier().fit(degraded[0], LABEL), *degraded)))
    _say_comparison(rows, len(whole.test))
    known = train.obs[LABEL] != HELD_OUT
    unknown = _find_unknown(new_classifier().fit(train[known.to_numpy()].copy(), LABEL), query)
    _say_unknown(unknown)
    write(out, clf, query, typed_command(context))
    say("\nWritten")
    for name, description in OUTPUTS.items():
        say(f"  {out / name!s:<36} {description}")
    methods = "gene_gcn", "logistic regression"
    return {
        "cells": {"training": len(whole.train), "test": len(whole.test)},
        "comparison": [
            {"cells": name, "method": method, **metrics}
            for name, both in rows
            for method, metrics in zip(methods, both, strict=True)
        ],
        "unknown": unknown,
        "written": [out / name for name in OUTPUTS],
    }


# ---- steps ----


def load() -> AnnData:
    """Return the 700 PBMC of ten types that ship with scanpy, with counts of 765 genes.

    They come as log1p of depth-normalized counts, of which the smallest of each cell was 1.
    """
    import anndata
    import numpy as np
    import pandas as pd
    import scanpy
    from scipy import sparse

    reduced = scanpy.datasets.pbmc68k_reduced()
    X = sparse.csr_matrix(reduced.raw.X, dtype=np.float64)
    X.data = np.expm1(X.data)
    smallest = np.minimum.reduceat(X.data, X.indptr[:-1])
    X.data = np.rint(X.data / np.repeat(smallest, np.diff(X.indptr)))
    obs = reduced.obs[[LABEL]].astype(str).astype(object)
    var = pd.DataFrame(index=reduced.raw.var_names)
    return anndata.AnnData(X.astype(np.float32), obs=obs, var=var, obsm={"X_umap": reduced.obsm["X_umap"]})


def make_splits(cells: AnnData, seed: int) -> list[Split]:
    """Split into halves, stratified by type, with all genes, a third of them, and a tenth of the counts."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    from gene_gcn.benchmark.splits import Split

    positions = np.arange(cells.n_obs)
    train, test = train_test_split(positions, test_size=0.5, stratify=cells.obs[LABEL], random_state=seed)
    halves = np.sort(train), np.sort(test)
    return [
        Split("demo", "all genes", seed, *halves),
        Split("demo", "a third of the genes", seed, *halves, panel=1 / 3),
        Split("demo", "a tenth of the counts", seed, *halves, depth=0.1),
    ]


def uncertainty(accuracy: float, n: int) -> float:
    """Return half the width of the 95 % interval of an accuracy on `n` cells (Wilson, 1927)."""
    z = 1.96
    return z / (1 + z**2 / n) * math.sqrt(accuracy * (1 - accuracy) / n + z**2 / (4 * n**2))


def write(folder: Path, clf: GeneGCNClassifier, query: AnnData, command: str) -> None:
    """Write the model, the annotated cells and a report about them."""
    from gene_gcn.cells import write_predictions
    from gene_gcn.report import write_report

    clf.save(folder / "model")
    clf.annotate(query)
    write_predictions(folder / "predictions.csv", query)
    write_predictions(folder / "predictions.h5ad", query)
    write_report(folder / "report.html", clf, query, y=LABEL, name="PBMC 68k, held-out half", command=command)


def _compare(clf: GeneGCNClassifier, train: AnnData, query: AnnData) -> list[dict[str, float]]:
    """Return the metrics of the fitted classifier, and of logistic regression with missing genes as zero."""
    import warnings

    from gene_gcn.benchmark import metrics
    from gene_gcn.benchmark.baselines import baselines
    from gene_gcn.errors import MissingGenesWarning

    truth = query.obs[LABEL]
    with warnings.catch_warnings(action="ignore", category=MissingGenesWarning):  # which the table says
        baseline = baselines()[BASELINE](train).fit(train, train.obs[LABEL].to_numpy())
        return [metrics.evaluate(truth, each.predict(query)) for each in (clf, baseline)]


def _find_unknown(clf: GeneGCNClassifier, query: AnnData) -> dict[str, Any]:
    """Count the cells that a model without their type calls unknown, and those that it wrongly calls so."""
    query = query.copy()
    clf.annotate(query, unknown=True)
    is_unknown = (query.obs["gene_gcn"] == "unknown").to_numpy()
    is_new = (query.obs[LABEL] == HELD_OUT).to_numpy()
    return {
        "held_out_type": HELD_OUT,
        "held_out_cells": int(is_new.sum()),
        "held_out_called_unknown": int(is_unknown[is_new].sum()),
        "other_cells": int((~is_new).sum()),
        "others_called_unknown": int(is_unknown[~is_new].sum()),
    }


# ---- printing ----


def _say_cells(cells: AnnData, split: Split, seed: int) -> None:
    n_types = cells.obs[LABEL].nunique()
    say(
        f"Cells     {cells.n_obs} blood cells of {n_types} types × {cells.n_vars} genes "
        "(PBMC 68k, 10x Genomics; ships with scanpy)"
    )
    say(f"Split     {len(split.train)} to train on, {len(split.test)} to annotate (by type, seed {seed})")


def _say_comparison(rows: list[tuple[str, list[dict[str, float]]]], n: int) -> None:
    headings = [
        f"{name}\n{metric}" for metric in ("accuracy", "macro-F1") for name in ("gene_gcn", "logistic")
    ]
    table = new_table("Held-out cells", "", *headings)
    for name, scores in rows:
        values = [each[metric] for metric in ("accuracy", "macro_f1") for each in scores]
        table.add_row(name, *(f"{value:.1%}" for value in values))
    say("")
    say(table)
    points = 100 * uncertainty(0.8, n)
    say(
        f"Accuracy on {n} cells is uncertain by ± {points:.0f} points; smaller differences mean nothing.\n"
        "logistic: logistic regression on log1p CP10k, which takes missing genes as zero."
    )


def _say_unknown(found: dict[str, Any]) -> None:
    say(
        f"\nUnknown   Trained without {HELD_OUT} cells and asked for unknown ones, it calls\n"
        f"          {found['held_out_called_unknown']} of the {found['held_out_cells']} {HELD_OUT} cells and "
        f'{found["others_called_unknown"]} of the {found["other_cells"]} others "unknown".'
    )
