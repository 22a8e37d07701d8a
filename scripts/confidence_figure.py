"""Draw the figure of docs/guide/confidence.md: a held-out type, and queries of other laboratories.

    python scripts/confidence_figure.py HELD_OUT.h5ad BATCHES.h5ad docs/_static/confidence.png --type ductal

The first file is split into halves, and one type is removed from the reference. In the second, each batch
annotates each other one, cell by cell and with the shift of the query removed. Both need `obs["cell_type"]`,
the second `obs["batch"]`.
"""

from __future__ import annotations

import argparse
from itertools import permutations
from pathlib import Path

import anndata
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from gene_gcn import GeneGCNClassifier
from gene_gcn.estimators.annotation import UNKNOWN_BELOW

BLUE, ORANGE, GRAY = "#3b6fb6", "#d9822b", "#9aa3ad"


def novelty_of_a_type(cells: anndata.AnnData, held_out: str) -> tuple[np.ndarray, np.ndarray]:
    """Return p-values of half of the cells, and which are of the type that the reference lacks."""
    labels = cells.obs["cell_type"].astype(str)
    training, query = train_test_split(np.arange(len(labels)), test_size=0.5, random_state=0)
    counts = labels.iloc[training].value_counts()
    known = set(counts[counts >= 3].index) - {held_out}
    reference = cells[training][labels.iloc[training].isin(known).to_numpy()].copy()
    clf = GeneGCNClassifier(random_state=0).fit(reference, "cell_type")
    judged = query[labels.iloc[query].isin({*known, held_out}).to_numpy()]
    return clf.novelty(cells[judged].copy()), (labels.iloc[judged] == held_out).to_numpy()


def transfer(cells: anndata.AnnData) -> list[tuple[str, float, float]]:
    """Return each pair of batches with its macro-F1, cell by cell and adapted to the query."""
    rows = []
    batches = cells.obs["batch"].astype(str)
    for reference, query in permutations(sorted(batches.unique()), 2):
        train, test = (cells[(batches == name).to_numpy()].copy() for name in (reference, query))
        clf = GeneGCNClassifier(random_state=0).fit(train, "cell_type")
        clf.annotate(test, "each", adapt=None)
        clf.annotate(test, "whole")
        true = test.obs["cell_type"].astype(str)
        shared = sorted(set(true) & set(clf.classes_))
        each, whole = (
            f1_score(true, test.obs[key].astype(str), labels=shared, average="macro", zero_division=0)
            for key in ("each", "whole")
        )
        rows.append((f"{reference} → {query}", each, whole))
    return sorted(rows, key=lambda row: row[1])


def draw_novelty(ax: Axes, p: np.ndarray, is_held_out: np.ndarray, name: str) -> None:
    edges = np.linspace(-2.7, 0, 28)
    for cells, color, label in (
        (~is_held_out, GRAY, f"types of the reference ({(~is_held_out).sum():,} cells)"),
        (is_held_out, ORANGE, f"{name}, which it lacks ({is_held_out.sum():,} cells)"),
    ):
        share = np.full(cells.sum(), 1 / cells.sum())
        ax.hist(np.log10(p[cells]), edges, weights=share, color=color, alpha=0.8, label=label)
    ax.axvline(np.log10(UNKNOWN_BELOW), color="black", linewidth=1, linestyle=":")
    ax.text(
        np.log10(UNKNOWN_BELOW) + 0.04,
        0.93,
        "unknown below 0.01",
        transform=ax.get_xaxis_transform(),
        fontsize=8,
    )
    ax.set_xticks([-2, -1, 0], ["0.01", "0.1", "1"])
    ax.set(xlabel="novelty (p-value)", ylabel="share of cells", title="A type held out")
    ax.legend(frameon=False, fontsize=8, loc="center", bbox_to_anchor=(0.62, 0.75))


def draw_transfer(ax: Axes, rows: list[tuple[str, float, float]]) -> None:
    for height, (_, each, whole) in enumerate(rows):
        ax.plot([each, whole], [height, height], color=GRAY, linewidth=1.5, zorder=1)
    heights = range(len(rows))
    ax.scatter(
        [row[1] for row in rows], heights, color=GRAY, label="each cell on its own (predict)", zorder=2
    )
    ax.scatter([row[2] for row in rows], heights, color=BLUE, label="shift removed (annotate)", zorder=3)
    ax.set_yticks(list(heights), [row[0] for row in rows], fontsize=8)
    ax.set(xlabel="macro-F1", title="Another donor or condition")
    ax.legend(frameon=False, fontsize=8, loc="upper left")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("held_out", type=Path, help="file of which a type is held out")
    parser.add_argument("batches", type=Path, help="file of which batches annotate each other")
    parser.add_argument("out", type=Path, help="figure to write")
    parser.add_argument("--type", default="ductal", help="type to hold out")
    options = parser.parse_args()
    plt.rcParams["axes.spines.top"] = plt.rcParams["axes.spines.right"] = False
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    draw_novelty(left, *novelty_of_a_type(anndata.read_h5ad(options.held_out), options.type), options.type)
    draw_transfer(right, transfer(anndata.read_h5ad(options.batches)))
    fig.savefig(options.out, dpi=150)


if __name__ == "__main__":
    main()
