"""Small cells, and the command line run on them."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy import sparse
from scipy.io import mmwrite

from gene_gcn.cli import main

TYPES = ["B", "T", "NK"]
GENES = [f"GENE{i}" for i in range(30)]


def make_cells(seed: int, n: int = 90) -> anndata.AnnData:
    """Counts of three types, each with ten genes of its own; two cells without a label."""
    rng = np.random.default_rng(seed)
    types = rng.permutation(np.arange(n) % 3)
    rate = np.where(np.arange(30) // 10 == types[:, None], 8.0, 1.0)
    obs = pd.DataFrame(
        {"cell_type": np.array(TYPES, object)[types], "one": "same"}, index=[f"c{i}" for i in range(n)]
    )
    obs.iloc[:2, 0] = None
    return anndata.AnnData(
        sparse.csr_matrix(rng.poisson(rate).astype(np.float32)),
        obs=obs,
        var=pd.DataFrame({"other": [f"ID{i}" for i in range(30)]}, index=GENES),
    )


def write_10x(folder: Path, cells: anndata.AnnData, genomes: tuple[str, ...] = ("",)) -> None:
    """Write the files of Cell Ranger; each of `genomes` before the names of as many copies of all genes."""
    folder.mkdir()
    names = [f"{genome}{gene}" for genome in genomes for gene in cells.var_names]
    rows = [f"ENSG{i}\t{name}\tGene Expression\n" for i, name in enumerate(names)]
    (folder / "features.tsv").write_text("".join(rows))
    (folder / "barcodes.tsv").write_text("".join(f"{name}\n" for name in cells.obs_names))
    copies = sparse.vstack([cells.X.T] * len(genomes)).astype(int)
    mmwrite(folder / "matrix.mtx", sparse.coo_matrix(copies))


def run(*arguments: str | Path) -> int:
    """Run the command line in this process; return its exit status."""
    return main(list(map(str, arguments)))


def train(folder: Path, out: str | Path, *options: str | Path) -> int:
    """Train on `folder`'s cells; a relative `out` is a model in `folder`."""
    shared = ("--label", "cell_type", "--out", folder / out, "--seed", "0", "--max-epochs", "4")
    return run("train", folder / "train.h5ad", *shared, *options)


def parameters_of(model: Path) -> dict:
    from gene_gcn import GeneGCNClassifier

    return GeneGCNClassifier.load(model).get_params()
