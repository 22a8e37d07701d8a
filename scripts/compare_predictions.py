"""Compare the predictions of two versions of this package, such as before and after a refactoring.

python scripts/compare_predictions.py write CELLS OUT fits models on every .h5ad file of the folder CELLS and
writes their probabilities to OUT (.npz); python scripts/compare_predictions.py compare BEFORE AFTER prints
how much two such files differ. `write` uses nothing but the public interface, so it runs on either version.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import anndata
import numpy as np
import torch

from gene_gcn import GeneGCNClassifier
from gene_gcn.nn import GeneGCN

MAX_CELLS = 2000  # of a set
EXACT_WEIGHTS = 0


def start_alike() -> None:
    """Give models the same initial weights, however many random numbers their constructors draw before."""
    reset = GeneGCN.reset_parameters

    def seeded(model: GeneGCN) -> None:
        torch.manual_seed(EXACT_WEIGHTS)
        reset(model)

    GeneGCN.reset_parameters = seeded  # type: ignore[method-assign]


def probabilities(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the probabilities of half of the cells, by models that were fitted on the other half."""
    cells = anndata.read_h5ad(path)
    rng = np.random.default_rng(0)
    cells = cells[np.sort(rng.permutation(cells.n_obs)[:MAX_CELLS])].copy()
    train, query = cells[::2].copy(), cells[1::2].copy()
    models = {
        "default": (GeneGCNClassifier(random_state=0), {}),
        "network": (GeneGCNClassifier("coexpression", random_state=0), {}),
        "unlabelled": (GeneGCNClassifier(random_state=0), {"unlabelled": query}),
        "paper": (
            GeneGCNClassifier.paper(
                "coexpression", random_state=0, max_epochs=2, batch_size=64, device="cpu"
            ),
            {},
        ),
    }
    panel = query[:, ::2].copy()
    for name, (clf, options) in models.items():
        clf.fit(train, "cell_type", **options)
        yield name, clf.predict_proba(query)
        yield f"{name}, half of the genes", clf.predict_proba(panel)
        with tempfile.TemporaryDirectory() as folder:
            clf.save(f"{folder}/model")
            loaded = GeneGCNClassifier.load(f"{folder}/model")
        yield f"{name}, loaded", loaded.predict_proba(query)


def write(cells: Path, out: Path) -> None:
    torch.set_num_threads(1)
    start_alike()
    found = {}
    for path in sorted(cells.glob("*.h5ad")):
        for name, values in probabilities(path):
            found[f"{path.stem}: {name}"] = values
        print(path.stem, flush=True)
    np.savez_compressed(out, **found)


def compare(before: Path, after: Path) -> None:
    with np.load(before) as first, np.load(after) as second:
        assert set(first) == set(second), set(first) ^ set(second)
        for name in sorted(first):
            apart = np.abs(first[name] - second[name]).max()
            labels = np.mean(first[name].argmax(1) == second[name].argmax(1))
            print(
                f"{name:<60} {'equal bits' if apart == 0 else f'{apart:.1e}, {labels:.2%} of labels equal'}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["write", "compare"])
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    (write if options.action == "write" else compare)(options.first, options.second)


if __name__ == "__main__":
    main()
