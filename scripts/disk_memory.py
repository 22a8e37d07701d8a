"""Peak memory and CPU seconds of fits to cells on disk, against the number of cells: docs/guide/on_disk.md.

python scripts/disk_memory.py makes files of simulated counts in a temporary folder and fits each in a fresh
process. The last line is the growth of peak memory per cell from the first file to the last. Linux and macOS
only.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

BYTES = 1 if sys.platform == "darwin" else 2**10  # per unit of ru_maxrss
TYPES = 10
BLOCK = 5000  # cells made at a time


def write_cells(path: Path, n: int, genes: int, values: int) -> None:
    """Write counts of n cells of ten types, of which each expresses about so many genes, block by block."""
    import anndata
    import h5py
    import numpy as np
    import pandas as pd
    from anndata.io import sparse_dataset, write_elem
    from scipy import sparse

    rng = np.random.default_rng(0)
    rate = rng.gamma(0.3, 1.0, genes) * rng.lognormal(0, 0.3, (TYPES, genes))
    cumulated = np.cumsum(rate / rate.sum(1, keepdims=True), axis=1)
    y = rng.integers(0, TYPES, n)

    def counts(types: np.ndarray) -> sparse.csr_matrix:
        columns = [np.searchsorted(cumulated[k], rng.random(2 * values)).clip(max=genes - 1) for k in types]
        pointers = np.arange(len(types) + 1) * 2 * values
        ones = np.ones(len(types) * 2 * values, np.float32)
        X = sparse.csr_matrix((ones, np.concatenate(columns), pointers), shape=(len(types), genes))
        X.sum_duplicates()
        return X

    var = pd.DataFrame(index=[f"GENE{i}" for i in range(genes)])
    anndata.AnnData(counts(y[:BLOCK]), var=var).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        stored = sparse_dataset(file["X"])
        for first in range(BLOCK, n, BLOCK):
            stored.append(counts(y[first : first + BLOCK]))
        names = pd.Categorical.from_codes(y, [f"type {k}" for k in range(TYPES)])
        index = [f"cell{i}" for i in range(n)]
        del file["obs"]
        write_elem(file, "obs", pd.DataFrame({"cell_type": names}, index=index))


def measure(path: str) -> dict[str, float]:
    """Fit in this process; return GB at the peak, CPU seconds, and the stored values of the file."""
    from gene_gcn import GeneGCNClassifier
    from gene_gcn.cells import open_cells
    from gene_gcn.cells.stored import stored_values_of

    warnings.simplefilter("ignore")
    start = time.process_time()
    GeneGCNClassifier(random_state=0).fit(open_cells(path), "cell_type")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES
    return {"peak": peak, "seconds": time.process_time() - start, "values": stored_values_of(path)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", type=int, default=[50_000, 200_000], help="of each file")
    parser.add_argument("--genes", type=int, default=5000)
    parser.add_argument("--values", type=int, default=250, help="genes that a cell expresses, about")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return

    print("| cells | genes | stored values | CSR in memory, GB | peak memory, GB | CPU s |")
    print("|---|---|---|---|---|---|")
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for n in options.cells:
            path = Path(folder) / f"{n}.h5ad"
            write_cells(path, n, options.genes, options.values)
            command = [sys.executable, __file__, "--one", str(path)]
            run = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            path.unlink()
            peaks.append(run["peak"])
            size = f"{run['values']:,} | {8 * run['values'] / 1e9:.2f} | {run['peak'] / 1e9:.2f}"
            print(f"| {n:,} | {options.genes:,} | {size} | {run['seconds']:.0f} |", flush=True)
    if len(peaks) > 1:
        growth = (peaks[-1] - peaks[0]) / (options.cells[-1] - options.cells[0])
        print(f"Peak memory grows by {growth:,.0f} bytes a cell.")


if __name__ == "__main__":
    main()
