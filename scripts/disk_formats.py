"""CPU seconds of predicting and of a pass of a fit, from files compressed or not: docs/guide/on_disk.md.

python scripts/disk_formats.py CELLS --label cell_type makes cells from the raw counts of CELLS, writes them
uncompressed, with gzip, and as zarr (zstd, its default) into a temporary folder, and reads each of these with
a model of 2,000 cells. Times are the shortest of three; files were just written, so disks hardly count.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

TRAINING_CELLS = 2000
COLUMNS = 50  # of the product of a pass; a fit multiplies as many, about


def write_formats(uncompressed: Path) -> dict[str, Path]:
    """Write the cells of a file again in other formats, as AnnData does by default."""
    import anndata

    cells = anndata.read_h5ad(uncompressed)
    paths = {"uncompressed .h5ad": uncompressed}
    paths["gzip .h5ad"] = uncompressed.with_name("gzip.h5ad")
    cells.write_h5ad(paths["gzip .h5ad"], compression="gzip")
    paths[".zarr"] = uncompressed.with_name("cells.zarr")
    cells.write_zarr(paths[".zarr"])
    return paths


def size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def shortest(run: Callable[[], object], times: int = 3) -> float:
    """Return the CPU seconds of the fastest of several runs."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", type=Path, help="raw counts, .h5ad")
    parser.add_argument("--label", required=True, help="column of .obs with the types")
    parser.add_argument("--number", type=int, default=50_000, help="of the cells that are made")
    options = parser.parse_args()

    import anndata
    import numpy as np
    import torch

    from gene_gcn import GeneGCNClassifier
    from gene_gcn.benchmark.made_cells import TYPE, CellMaker, write_made_cells
    from gene_gcn.cells import NormalizedBlocks, open_cells
    from gene_gcn.training.operators import SmoothedCells

    warnings.simplefilter("ignore")
    maker = CellMaker.prepare(anndata.read_h5ad(options.cells), options.label)
    print("| file | size, GB | predict, CPU s | ratio | a pass of a fit, CPU s | ratio |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "train.h5ad", Path(folder) / "cells.h5ad"
        write_made_cells(small, maker, "train", TRAINING_CELLS)
        write_made_cells(large, maker, "test", options.number)
        clf = GeneGCNClassifier(random_state=0).fit(anndata.read_h5ad(small), TYPE)
        base: list[float] = []
        for name, path in write_formats(large).items():
            cells, normalizer = open_cells(path).fit_normalizer("sqrt")
            kept = NormalizedBlocks(cells, normalizer, np.ones(len(cells), bool))
            blocks = SmoothedCells(kept, torch.device("cpu"))
            columns = torch.ones(cells.n_genes, COLUMNS)
            seconds = [
                shortest(lambda path=path: clf.predict(open_cells(path))),
                shortest(lambda blocks=blocks, columns=columns: blocks.round_trip(columns, lambda _, x: x)),
            ]
            base = base or seconds
            timed = " | ".join(f"{t:.2f} | {t / b:.2f}" for t, b in zip(seconds, base, strict=True))
            print(f"| {name} | {size(path) / 1e9:.2f} | {timed} |", flush=True)


if __name__ == "__main__":
    main()
