"""Write the files of the tools' tests, of simulated cells: python make_test_data.py [FOLDER]."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import make_archive
from tempfile import TemporaryDirectory

import anndata as ad
import numpy as np
import pandas as pd

from gene_gcn import GeneGCNClassifier

TYPES = np.array(["B", "T", "NK"], dtype=object)
GENES = [f"GENE{i}" for i in range(30)]


def make_cells(n: int, seed: int) -> ad.AnnData:
    """Return counts of three types, each with ten genes of its own."""
    rng = np.random.default_rng(seed)
    types = np.arange(n) % len(TYPES)
    rate = np.where(np.arange(len(GENES)) // 10 == types[:, None], 8.0, 1.0)
    counts = rng.poisson(rate).astype(np.float32)
    labels = {
        "cell_type": pd.Categorical(TYPES[types]),
        "cluster": pd.Categorical(types.astype(str)),
        "donor": pd.Categorical(np.where(np.arange(n) % 2, "one", "other")),
    }
    obs = pd.DataFrame(labels, index=[f"cell{i}" for i in range(n)])
    return ad.AnnData(counts, obs, pd.DataFrame(index=GENES), layers={"counts": counts.copy()})


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    reference, query = make_cells(90, 0), make_cells(40, 1)
    reference.write_h5ad(folder / "reference.h5ad")
    query.write_h5ad(folder / "query.h5ad")
    query[:0].copy().write_h5ad(folder / "no_cells.h5ad")
    edges = pd.DataFrame({"source": GENES[:-1], "target": GENES[1:]})
    edges.to_csv(folder / "edges.tsv", sep="\t", index=False)
    with TemporaryDirectory() as place:
        GeneGCNClassifier(random_state=0).fit(reference, "cell_type").save(Path(place) / "model")
        make_archive(str(folder / "model"), "zip", Path(place) / "model")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "test-data"))
