"""CPU seconds and memory of a fit and of annotating, each in a fresh process: docs/benchmarks/costs.md.

python scripts/fit_cost.py CELLS... --label COLUMN fits all cells of each file and annotates them; with
--network, with this network as well. Bytes are the growth of the process's peak memory over what it holds
with the cells in memory, over the stored values of their matrix. Linux and macOS only.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

BYTES = 1 if sys.platform == "darwin" else 2**10  # per unit of ru_maxrss


def measure(path: str, label: str, network: str | None) -> dict[str, float]:
    """Fit and annotate in this process; return seconds, cells per second and bytes per stored value."""
    import anndata

    from gene_gcn import GeneGCNClassifier

    warnings.simplefilter("ignore")
    cells = anndata.read_h5ad(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    classifier = GeneGCNClassifier(network, random_state=0).fit(cells, label)
    fitted = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    classifier.predict(cells)
    return {
        "fit": fitted - start,
        "cells per second": cells.n_obs / (time.process_time() - fitted),
        "bytes": (peak - before) * BYTES / cells.X.nnz,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", nargs="+", type=Path, help=".h5ad files")
    parser.add_argument("--label", required=True, help="column of obs with the types")
    parser.add_argument("--network", help="as in GeneGCNClassifier, such as a file of STRING links")
    parser.add_argument("--repeats", type=int, default=3, help="processes per row (default: %(default)s)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(str(options.cells[0]), options.label, options.network)))
        return

    print("| cells | network | fit, CPU s | annotated cells per CPU s | bytes per stored value |")
    print("|---|---|---|---|---|")
    for path in options.cells:
        for network in (None, options.network) if options.network else (None,):
            command = [sys.executable, __file__, str(path), "--label", options.label, "--one"]
            command += ["--network", network] if network else []
            runs = [
                json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
                for _ in range(options.repeats)
            ]
            fit, rate, held = (statistics.median(run[key] for run in runs) for key in runs[0])
            print(f"| {path.stem} | {'yes' if network else 'no'} | {fit:.1f} | {rate:,.0f} | {held:.0f} |")


if __name__ == "__main__":
    main()
