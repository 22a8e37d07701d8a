"""`gene-gcn demo`: train with and without a gene network on cells that ship with scanpy, and compare."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gene_gcn.cli.checks import check_output_folder
from gene_gcn.cli.console import new_table, say
from gene_gcn.cli.fitting import fit
from gene_gcn.cli.memory import check_memory_limit
from gene_gcn.cli.options import Network, NetworkInfo, Organism

if TYPE_CHECKING:
    import numpy as np
    from anndata import AnnData

    from gene_gcn import GeneGCNClassifier

LABEL = "bulk_labels"
TEST_FRACTION = 0.2
OUTPUTS = {
    "model": "the model with the network",
    "predictions.csv": "held-out cells and their predicted types",
    "predictions.h5ad": "the same as AnnData",
    "confusion_matrix.png": "which types are mistaken for which",
}


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("gene_gcn_demo"),
    network: Network = "coexpression",
    network_info: NetworkInfo = None,
    organism: Organism = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the split and of the training.")] = 0,
) -> None:
    """Train on 700 blood cells that ship with scanpy and evaluate on held-out ones.

    Two models are compared on the same split: with a gene network and without.
    The network is the co-expression of the training cells, which needs no download.
    Pass --network string for STRING.
    """
    check_memory_limit()
    check_output_folder(out)
    say("Loading the cells and the libraries …")
    from gene_gcn import GeneGCNClassifier
    from gene_gcn.networks.resolve import read_network
    from gene_gcn.storage.model_folder import check_destination

    check_destination(out / "model")
    train, test = split(load(), seed)
    _say_cells(train, test, seed)
    resolved = read_network(None if network == "none" else network, organism=organism, info=network_info)
    _say_network(resolved)

    clf = GeneGCNClassifier(resolved, organism=organism, use_raw=True, random_state=seed, verbose=True)
    control = GeneGCNClassifier(use_raw=True, random_state=seed, verbose=True)
    say("\nTraining with the network")
    fit(clf, train, LABEL)
    say("\nTraining the control, without a network")
    fit(control, train, LABEL)

    truth = test.obs[LABEL].astype(str).to_numpy()
    _say_comparison(truth, {"with network": clf.predict(test), "no network": control.predict(test)})
    write(out, clf, test)
    say("\nWritten")
    for name, description in OUTPUTS.items():
        say(f"  {out / name!s:<36} {description}")


# ---- steps ----


def load() -> AnnData:
    """Return the 700 PBMC of ten types that ship with scanpy; `.raw` holds log1p of 765 genes."""
    import scanpy

    return scanpy.datasets.pbmc68k_reduced()


def split(cells: AnnData, seed: int) -> tuple[AnnData, AnnData]:
    """Split into training and test cells, stratified by type."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    labels = cells.obs[LABEL].astype(str)
    train, test = train_test_split(
        np.arange(cells.n_obs), test_size=TEST_FRACTION, stratify=labels, random_state=seed
    )
    return cells[np.sort(train)].copy(), cells[np.sort(test)].copy()


def uncertainty(accuracy: float, n: int) -> float:
    """Return half the width of the 95 % interval of an accuracy on `n` cells (Wilson, 1927)."""
    z = 1.96
    return z / (1 + z**2 / n) * math.sqrt(accuracy * (1 - accuracy) / n + z**2 / (4 * n**2))


def write(folder: Path, clf: GeneGCNClassifier, test: AnnData) -> None:
    """Write the model, the annotated test cells and the confusion matrix."""
    from gene_gcn import plots
    from gene_gcn.cells import write_predictions
    from gene_gcn.storage.atomic import replacing

    clf.save(folder / "model")
    clf.annotate(test)
    write_predictions(folder / "predictions.csv", test)
    write_predictions(folder / "predictions.h5ad", test)
    with replacing(folder / "confusion_matrix.png") as file:
        plots.save_figure(plots.confusion_matrix(test.obs[LABEL], test.obs["gene_gcn"]), file)


# ---- printing ----


def _say_cells(train: AnnData, test: AnnData, seed: int) -> None:
    n_types, n_genes = train.obs[LABEL].nunique(), train.raw.shape[1]
    say(
        f"Cells     {train.n_obs + test.n_obs} blood cells of {n_types} types × {n_genes} genes "
        "(PBMC 68k, 10x Genomics; ships with scanpy)"
    )
    say(
        f"Split     {train.n_obs} for training, {test.n_obs} held out for testing (stratified by type, "
        f"seed {seed})"
    )


def _say_network(network: object) -> None:
    if network == "coexpression":
        say(
            "Network   co-expression of the training cells, no download; for STRING:\n"
            "          gene-gcn fetch string --organism human; gene-gcn demo --network string"
        )
    elif network is not None:
        say(f"Network   {network}")


def _say_comparison(truth: np.ndarray, predictions: dict[str, np.ndarray]) -> None:
    from gene_gcn.benchmark import metrics

    table = new_table("Held-out cells", "", "cells", *predictions)
    scores = [metrics.evaluate(truth, labels) for labels in predictions.values()]
    for name, title in {"accuracy": "accuracy", "macro_f1": "macro-F1"}.items():
        table.add_row(title, str(len(truth)), *(f"{score[name]:.1%}" for score in scores))
    table.add_section()
    recalls = [metrics.recall_per_type(truth, labels) for labels in predictions.values()]
    table.add_row("recall by type")
    for name, n in recalls[0]["cells"].items():
        table.add_row(f"  {name}", str(n), *(f"{recall.loc[name, 'recall']:.0%}" for recall in recalls))
    say("")
    say(table)

    with_network, control = (labels == truth for labels in predictions.values())
    n = len(truth)
    points = 100 * uncertainty(with_network.mean(), n)
    say(
        f"Accuracy on {n} cells is uncertain by ± {points:.0f} points; smaller differences mean nothing.\n"
        f"{(with_network & ~control).sum()} cells are correct only with the network, "
        f"{(control & ~with_network).sum()} only without."
    )
