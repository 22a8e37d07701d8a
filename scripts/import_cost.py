"""CPU seconds and peak memory of importing the classifier, beside those of the libraries that it needs.

python scripts/import_cost.py runs fresh processes in alternation and prints medians and the ratio of CPU
seconds; with --cells FILE --model FOLDER it also runs `gene-gcn predict`. Linux and macOS only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

LIBRARIES = "import torch, sklearn, pandas, anndata"
CLASSIFIER = "from gene_gcn import GeneGCNClassifier"
PREDICT = "gene-gcn predict"
UNITS_PER_MB = 2**20 if sys.platform == "darwin" else 2**10  # of ru_maxrss


def measure(command: list[str]) -> tuple[float, float]:
    """Run a command, and return the CPU seconds and the peak memory (MB) of its process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with exit status {process.returncode}.")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / UNITS_PER_MB


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5, help="processes per row (default: %(default)s)")
    parser.add_argument("--cells", type=Path, help="cells to annotate, such as 1,000")
    parser.add_argument("--model", type=Path, help="model folder, written by gene-gcn train")
    options = parser.parse_args()
    if (options.cells is None) != (options.model is None):
        parser.error("--cells and --model go together; pass both or neither.")

    commands = {code: [sys.executable, "-c", code] for code in (LIBRARIES, CLASSIFIER)}
    with tempfile.TemporaryDirectory() as folder:
        if options.cells is not None:
            files = [
                str(options.cells),
                "--model",
                str(options.model),
                "--out",
                f"{folder}/types.csv",
                "--force",
            ]
            commands[PREDICT] = [sys.executable, "-m", "gene_gcn", "predict", *files]
        for command in commands.values():
            measure(command)  # fills the caches of the disk and of compiled modules
        runs = {name: [] for name in commands}
        for _ in range(options.repeats):
            for name, command in commands.items():
                runs[name].append(measure(command))

    print("| process | CPU, s | peak memory, MB |\n|---|---|---|")
    medians = {
        name: [statistics.median(values) for values in zip(*pairs, strict=True)]
        for name, pairs in runs.items()
    }
    for name, (seconds, memory) in medians.items():
        print(f"| `{name}` | {seconds:.2f} | {memory:.0f} |")
    ratio = medians[CLASSIFIER][0] / medians[LIBRARIES][0]
    print(f"\nThe classifier takes {ratio:.2f} times the CPU seconds of the libraries.")


if __name__ == "__main__":
    main()
