"""Write one table of how many cells of each type the samples have, of what predict --json printed."""

import csv
import json
from pathlib import Path

with open(snakemake.output[0], "w", newline="") as file:  # noqa: F821 (Snakemake passes it)
    table = csv.writer(file, delimiter="\t", lineterminator="\n")
    table.writerow(["sample", "type", "cells", "fraction", "mean_confidence"])
    for sample, path in zip(snakemake.params.samples, snakemake.input, strict=True):  # noqa: F821
        summary = json.loads(Path(path).read_text())
        for found in summary["result"]["types"]:
            row = [sample, found["type"], found["cells"]]
            table.writerow([*row, f"{found['fraction']:.4f}", f"{found['mean_confidence']:.4f}"])
